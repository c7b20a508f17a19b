// SPDX-License-Identifier: Apache-2.0
//
// The way of outer packets past the IP stack: straight to a link and a
// neighbour, with the IP header made here. Pure.
#ifndef EOIP_TAPD_LINK_PATH_H_
#define EOIP_TAPD_LINK_PATH_H_

#include <array>
#include <cstdint>

#include "absl/types/span.h"
#include "tapd/tunnel_config.h"

namespace eoip::tapd {

struct LinkPath {
  int ifindex = 0;
  std::array<uint8_t, 6> source_mac{};
  std::array<uint8_t, 6> neighbour_mac{};
  Address source{};
  // Bytes of the largest IP packet, of link and route.
  uint32_t mtu = 0;
};

// Ethernet and IP header.
inline constexpr size_t kLinkHeaderSizeV4 = 14 + 20;
inline constexpr size_t kLinkHeaderSizeV6 = 14 + 40;

// Writes the headers of a packet with payload bytes behind the IP header to
// out, kLinkHeaderSizeV4 or V6 bytes. DF and flow label are 0.
void WriteLinkHeader(const TunnelConfig& config, const LinkPath& path,
                     uint8_t tos, uint16_t ip_id, size_t payload, uint8_t* out);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_LINK_PATH_H_
