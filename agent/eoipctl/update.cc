// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "eoipctl/change.h"
#include "eoipctl/session.h"
#include "eoipctl/wait.h"

namespace eoip::ctl {

int RunUpdate(Session& session, const Resource& resource) {
  const auto client = session.ClientOf(resource);
  const auto message = client->New();
  const auto change = ReadChange(session, resource, message.get());
  if (!change.ok()) return session.Usage(change.status().message());
  if (change->mask.empty()) {
    return session.Usage(absl::StrCat(
        "nothing to change: give word=value or !word, see 'eoipctl ",
        resource.noun, " update --help'"));
  }
  if (const absl::Status resolved = ResolveNames(session, message.get());
      !resolved.ok()) {
    return session.Fail(&resource, resolved);
  }
  SetEtag(session.options.etag, message.get());
  const absl::Status status =
      client->Update({.mask = change->mask,
                      .allow_missing = false,
                      .validate_only = session.options.dry_run},
                     message.get());
  if (!status.ok()) return session.Fail(&resource, status);
  return FinishCommand(session, resource, *client, "updated", message.get());
}

}  // namespace eoip::ctl
