// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "eoipctl/change.h"
#include "eoipctl/session.h"
#include "eoipctl/wait.h"

namespace eoip::ctl {

int RunCreate(Session& session, const Resource& resource) {
  const auto client = session.ClientOf(resource);
  const auto message = client->New();
  const auto change = ReadChange(session, resource, message.get());
  if (!change.ok()) return session.Usage(change.status().message());
  if (const absl::Status resolved = ResolveNames(session, message.get());
      !resolved.ok()) {
    return session.Fail(&resource, resolved);
  }
  if (session.options.or_update) {
    // Everything, not only what was typed: the outcome is the same whether it
    // existed or not.
    const absl::Status status =
        client->Update({.mask = {"*"},
                        .allow_missing = true,
                        .validate_only = session.options.dry_run},
                       message.get());
    if (!status.ok()) return session.Fail(&resource, status);
    return FinishCommand(session, resource, *client, "applied", message.get());
  }
  const absl::Status status =
      client->Create(session.options.dry_run, message.get());
  if (!status.ok()) return session.Fail(&resource, status);
  return FinishCommand(session, resource, *client, "created", message.get());
}

}  // namespace eoip::ctl
