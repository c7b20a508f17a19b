// SPDX-License-Identifier: Apache-2.0
//
// The commands of the specification; request is complete and checked. Errors
// have a CNI code (cni_error.h).
#ifndef EOIP_CNI_COMMANDS_H_
#define EOIP_CNI_COMMANDS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "request.h"
#include "result.h"

namespace eoip::cni {

// Puts the pod on the network. On error everything that was done is undone.
absl::StatusOr<Result> Add(const Request& request);

// Takes the pod off the network. Needs neither the agent nor the pod's
// namespace. Repeating it is no error.
absl::Status Del(const Request& request);

// Whether everything is as ADD left it; code 103 says what is not.
absl::Status Check(const Request& request);

// Removes what this network configuration's ADDs left behind, except the
// attachments that the runtime lists.
absl::Status Gc(const Request& request);

// Whether an ADD would work: 50 the agent or the network cannot serve; 51 all
// tunnels of the network are down. Within a second.
absl::Status Status(const Request& request);

}  // namespace eoip::cni

#endif  // EOIP_CNI_COMMANDS_H_
