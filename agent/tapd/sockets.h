// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_TAPD_SOCKETS_H_
#define EOIP_TAPD_SOCKETS_H_

#include "base/unique_fd.h"

namespace eoip::tapd {

// The raw sockets of a worker. Each is open only while a tunnel needs it.
struct RawSockets {
  UniqueFd v4;
  UniqueFd v4_df;
  UniqueFd v6;
  // Sends on link paths; not open: there are none.
  UniqueFd packet;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_SOCKETS_H_
