// SPDX-License-Identifier: Apache-2.0
//
// Which attachments some plugin process works on right now.
//
// An ADD or DEL holds an abstract unix socket named after the host link. The
// kernel lets one process of a network namespace have it and takes it away when
// that process ends, however it ends; nothing is left on any disk.
#ifndef EOIP_CNI_IN_FLIGHT_H_
#define EOIP_CNI_IN_FLIGHT_H_

#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace eoip::cni {

// Takes the attachment; waits for another process for at most this long, then
// code 11. Held until the result is destroyed.
absl::StatusOr<UniqueFd> TakeAttachment(const std::string& host_link,
                                        absl::Duration wait);

// The host links whose attachments are taken now, in the network namespace of
// the calling thread.
absl::StatusOr<std::set<std::string>> TakenAttachments();

}  // namespace eoip::cni

#endif  // EOIP_CNI_IN_FLIGHT_H_
