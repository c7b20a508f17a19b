// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "eoipctl/session.h"
#include "eoipctl/wait.h"

namespace eoip::ctl {

int RunGet(Session& session, const Resource& resource) {
  const auto client = session.ClientOf(resource);
  const auto message = client->New();
  const auto name = resource.full_name(session.options.args.front());
  if (!name.ok()) return session.Usage(name.status().message());
  if (const absl::Status wanted =
          CheckWanted(*message, session.options.wait_for);
      !wanted.ok()) {
    return session.Usage(wanted.message());
  }
  // With --wait it need not exist yet: the watch gets it.
  if (!session.options.wait) {
    const absl::Status status = client->Get(*name, message.get());
    if (!status.ok()) return session.Fail(&resource, status);
  }
  SetName(*name, message.get());
  return FinishCommand(session, resource, *client, "", message.get());
}

}  // namespace eoip::ctl
