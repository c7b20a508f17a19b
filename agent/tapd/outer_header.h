// SPDX-License-Identifier: Apache-2.0
//
// How a tunnel's packets are addressed on a raw socket: the destination and the
// control messages, made once per change of the tunnel. Pure.
#ifndef EOIP_TAPD_OUTER_HEADER_H_
#define EOIP_TAPD_OUTER_HEADER_H_

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "tapd/tunnel_config.h"

namespace eoip::tapd {

// Room for the control messages of either family.
inline constexpr size_t kControlSize = 160;

struct OuterHeader {
  union {
    sockaddr_in v4;
    sockaddr_in6 v6;
  } to{};
  socklen_t to_size = 0;
  alignas(cmsghdr) std::array<uint8_t, kControlSize> control{};
  size_t control_size = 0;
  // Where in control the int of the ToS or traffic class is.
  size_t tos_at = 0;
  // Where the int of IPV6_DONTFRAG is; 0: IPv4, where the socket decides.
  size_t dont_fragment_at = 0;
};

OuterHeader MakeOuterHeader(const TunnelConfig& config);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_OUTER_HEADER_H_
