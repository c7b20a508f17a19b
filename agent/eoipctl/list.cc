// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/session.h"

namespace eoip::ctl {

int RunList(Session& session, const Resource& resource) {
  std::string parent;
  if (!session.options.args.empty()) {
    const auto name = Networks().full_name(session.options.args.front());
    if (!name.ok()) return session.Usage(name.status().message());
    parent = *name;
  }
  Messages messages;
  const absl::Status status =
      session.ClientOf(resource)->List(parent, &messages);
  if (!status.ok()) return session.Fail(&resource, status);
  session.console.out << FormatList(resource, messages, session.style());
  return kExitOk;
}

}  // namespace eoip::ctl
