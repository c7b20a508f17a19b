// SPDX-License-Identifier: Apache-2.0
//
// What the outer header takes from the frame, and what the frame takes from
// the outer header. Pure; any bytes are safe.
#ifndef EOIP_TAPD_INNER_FRAME_H_
#define EOIP_TAPD_INNER_FRAME_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace eoip::tapd {

// ECN field values, RFC 3168.
inline constexpr uint8_t kEcnMask = 3;
inline constexpr uint8_t kEcnCe = 3;

// Where the IP header of a frame is, behind VLAN tags.
struct InnerIp {
  // Family by EtherType, confirmed by the version nibble.
  bool ipv6 = false;
  // Bytes from the start of the frame; the whole fixed header is present.
  size_t offset = 0;
  // ToS or traffic class.
  uint8_t tos = 0;
  // The DF bit; false for IPv6.
  bool dont_fragment = false;
};

// Nothing for a frame that is not IP, or too short, or behind more than 3 tags.
std::optional<InnerIp> FindInnerIp(absl::Span<const uint8_t> frame);

// The outer ToS: DSCP fixed, or the frame's (0 where it has none); ECN copied
// from the frame (RFC 6040, normal mode).
uint8_t OuterTos(std::optional<uint8_t> dscp,
                 const std::optional<InnerIp>& inner);

// Decapsulation by RFC 6040: congestion marked on the way moves into a frame
// that can carry the mark. Other frames are not touched and never dropped:
// RouterOS sends odd outer ToS bytes.
void ApplyOuterEcn(uint8_t outer_tos, absl::Span<uint8_t> frame);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_INNER_FRAME_H_
