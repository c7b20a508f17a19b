// SPDX-License-Identifier: Apache-2.0
//
// What the agent wants of one tunnel, checked. Pure values.
#ifndef EOIP_TAPD_TUNNEL_CONFIG_H_
#define EOIP_TAPD_TUNNEL_CONFIG_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "eoip/tapd/v1/tapd.pb.h"

namespace eoip::tapd {

// An IPv4 (first 4 bytes, the rest zero) or IPv6 address in network order. The
// family is the tunnel's.
using Address = std::array<uint8_t, 16>;

struct TunnelConfig {
  std::string name;
  bool ipv6 = false;
  uint32_t tunnel_id = 0;
  bool has_local = false;
  Address local{};
  Address remote{};
  std::array<uint8_t, 6> mac{};
  uint8_t ttl = 255;
  // 0..63; absent: copied from the frame.
  std::optional<uint8_t> dscp;
  bool inherit_df = false;
  // Seconds; 0: off.
  uint32_t keepalive_interval_s = 0;
  // 0: keepalives are sent, silence of the peer does not matter.
  uint32_t keepalive_retries = 0;
  bool clamp_tcp_mss = false;
  // Bytes.
  uint32_t mtu = 1500;
  uint32_t fwmark = 0;
  // 0: any.
  uint32_t underlay_ifindex = 0;
  bool no_offload = false;
  bool disabled = false;

  // The peer can be found dead: keepalives are on and silence counts.
  bool WatchesPeer() const {
    return keepalive_interval_s > 0 && keepalive_retries > 0;
  }
};

// Largest keepalive interval, seconds, and retries that are accepted.
inline constexpr uint32_t kMaxKeepaliveInterval = 86400;
inline constexpr uint32_t kMaxKeepaliveRetries = 255;
// The range that a TAP link takes.
inline constexpr uint32_t kMinMtu = 68;
inline constexpr uint32_t kMaxMtu = 65521;

// Checks every field. INVALID_ARGUMENT names the field path, the value and what
// is allowed.
absl::StatusOr<TunnelConfig> ParseTunnelConfig(const v1::TunnelConfig& proto);

v1::TunnelConfig MakeTunnelConfigProto(const TunnelConfig& config);

// Both receive the same packets: the agent must not ask for it.
bool SameKey(const TunnelConfig& a, const TunnelConfig& b);

// "192.0.2.1" or "2001:db8::1".
std::string AddressToString(bool ipv6, const Address& address);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_TUNNEL_CONFIG_H_
