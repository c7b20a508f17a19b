// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/change.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "eoipctl/wait.h"

namespace eoip::ctl {

absl::StatusOr<Arguments> ReadChange(const Session& session,
                                     const Resource& resource,
                                     Message* message) {
  EOIP_ASSIGN_OR_RETURN(
      Arguments arguments,
      ParseArguments(resource.properties, session.options.args, message));
  if (arguments.name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("name: ", resource.name_form, " is required"));
  }
  EOIP_ASSIGN_OR_RETURN(const std::string name,
                        resource.full_name(arguments.name));
  SetName(name, message);
  EOIP_RETURN_IF_ERROR(CheckWanted(*message, session.options.wait_for));
  return arguments;
}

absl::Status ResolveNames(const Session& session, Message* message) {
  if (message->GetDescriptor() != v1::Network::descriptor()) {
    return absl::OkStatus();
  }
  const auto tunnels = session.ClientOf(Tunnels());
  const auto tunnel = tunnels->New();
  return ResolvePorts(
      [&](const std::string& id) -> absl::StatusOr<bool> {
        const absl::Status status =
            tunnels->Get(absl::StrCat("tunnels/", id), tunnel.get());
        // A name that no tunnel can have is reported as that port's.
        if (absl::IsNotFound(status) || absl::IsInvalidArgument(status)) {
          return false;
        }
        EOIP_RETURN_IF_ERROR(status);
        return true;
      },
      message);
}

}  // namespace eoip::ctl
