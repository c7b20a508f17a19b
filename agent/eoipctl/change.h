// SPDX-License-Identifier: Apache-2.0
//
// What create and update share: from the words typed to the message sent.
#ifndef EOIP_EOIPCTL_CHANGE_H_
#define EOIP_EOIPCTL_CHANGE_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "eoipctl/session.h"

namespace eoip::ctl {

// Reads the session's arguments into *message, its full name included, and
// checks --for. INVALID_ARGUMENT: the command line is wrong.
absl::StatusOr<Arguments> ReadChange(const Session& session,
                                     const Resource& resource,
                                     Message* message);

// Asks the agent what the plain names in *message are (ports of a network).
absl::Status ResolveNames(const Session& session, Message* message);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_CHANGE_H_
