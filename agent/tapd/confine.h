// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_TAPD_CONFINE_H_
#define EOIP_TAPD_CONFINE_H_

#include "absl/status/status.h"

namespace eoip::tapd {

// Gives up what eoip-tapd never needs, for good: all capabilities but
// CAP_NET_ADMIN and CAP_NET_RAW (those of them that it has), new privileges by
// exec, and all system calls but those on a list (others fail with ENOSYS). To
// be called before the first thread starts. Builds with sanitizers keep all
// system calls, as their run-time libraries need more.
absl::Status Confine();

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_CONFINE_H_
