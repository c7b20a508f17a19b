// SPDX-License-Identifier: Apache-2.0
//
// Network namespaces of pods.
#ifndef EOIP_CNI_NETNS_H_
#define EOIP_CNI_NETNS_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace eoip::cni {

// Opens CNI_NETNS. Errors: code 8: not there, no network namespace, or, unless
// allow_own, the namespace that this process is in.
absl::StatusOr<UniqueFd> OpenNetns(const std::string& path, bool allow_own);

// Runs body in the namespace and returns to the process's own; for a process of
// one thread. A socket that body opens stays in the pod's. An error of the way
// back leaves the process in the pod's; sockets that it had keep theirs.
absl::Status RunInNetns(int netns_fd,
                        const std::function<absl::Status()>& body);

}  // namespace eoip::cni

#endif  // EOIP_CNI_NETNS_H_
