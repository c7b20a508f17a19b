// SPDX-License-Identifier: Apache-2.0
//
// Tunnels: what is wanted (TunnelSpec), what a datapath programs
// (TunnelConfig, every default resolved) and how it goes (TunnelStatus).
// The meaning, ranges and defaults of the fields are those of
// proto/eoip/v1/tunnel.proto. Pure.
#ifndef EOIP_MODEL_TUNNEL_H_
#define EOIP_MODEL_TUNNEL_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/address.h"

namespace eoip {

enum class TunnelKind { kEoip, kEoipV6, kIpip, kIpipV6 };
enum class DatapathType { kAuto, kKernel, kBpf, kTap };

// "EOIP", "EOIPV6", "IPIP", "IPIPV6"; "AUTO", "KERNEL", "BPF", "TAP".
absl::string_view ToString(TunnelKind kind);
absl::string_view ToString(DatapathType type);

inline bool IsV6(TunnelKind kind) {
  return kind == TunnelKind::kEoipV6 || kind == TunnelKind::kIpipV6;
}
// EOIP and EOIPV6: Ethernet inside, may be a port of a bridge.
inline bool IsLayer2(TunnelKind kind) {
  return kind == TunnelKind::kEoip || kind == TunnelKind::kEoipV6;
}

inline constexpr int kDefaultTunnelMtu = 1500;
inline constexpr int kMinMtu = 68;
inline constexpr int kMaxMtu = 65521;
inline constexpr int kDefaultTtl = 255;
inline constexpr int kDefaultKeepaliveIntervalS = 10;
inline constexpr int kDefaultKeepaliveRetries = 10;

struct KeepaliveSpec {
  bool off = false;
  std::optional<int> interval_s;  // absent: 10
  int retries = 0;                // 0: 10
  friend bool operator==(const KeepaliveSpec&, const KeepaliveSpec&) = default;
};

// Exactly what the user asked for; 0, empty and absent mean "the default".
struct TunnelSpec {
  std::string id;  // name of the resource and of the link
  TunnelKind kind = TunnelKind::kEoip;
  std::optional<IpAddress> local;
  IpAddress remote;
  std::optional<uint32_t> tunnel_id;
  uint32_t mtu = 0;
  uint32_t ttl = 0;
  std::optional<uint32_t> dscp;
  bool inherit_df = false;
  std::optional<KeepaliveSpec> keepalive;
  std::optional<bool> clamp_tcp_mss;
  uint32_t fwmark = 0;
  std::string link;
  std::string vrf;
  std::optional<MacAddress> mac;
  bool disabled = false;
  DatapathType datapath = DatapathType::kAuto;
  std::optional<bool> allow_fast_path;
  std::string comment;
  std::string source;  // "" or kInlineSource

  friend bool operator==(const TunnelSpec&, const TunnelSpec&) = default;
};

// What a datapath programs and reports. Comparable: equal means nothing to do.
struct TunnelConfig {
  std::string name;  // of the link
  TunnelKind kind = TunnelKind::kEoip;
  std::optional<IpAddress> local;
  IpAddress remote;
  uint32_t tunnel_id = 0;
  uint32_t mtu = kDefaultTunnelMtu;
  uint32_t ttl = kDefaultTtl;
  std::optional<uint32_t> dscp;  // absent: inherit
  bool inherit_df = false;
  uint32_t keepalive_interval_s = kDefaultKeepaliveIntervalS;  // 0: off
  uint32_t keepalive_retries = kDefaultKeepaliveRetries;
  bool clamp_tcp_mss = true;
  uint32_t fwmark = 0;
  uint32_t underlay_ifindex = 0;
  MacAddress mac;
  bool gso = true;
  bool disabled = false;

  friend bool operator==(const TunnelConfig&, const TunnelConfig&) = default;
};

// spec with all defaults resolved; underlay_ifindex is that of spec.link or
// spec.vrf (0 for none), node seeds the derived MAC.
TunnelConfig ResolveTunnel(const TunnelSpec& spec, absl::string_view node,
                           uint32_t underlay_ifindex);

// The names of drops and details are those of Counters in tunnel.proto; one
// that is 0 is left out.
struct TunnelCounters {
  uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  uint64_t rx_keepalives = 0, tx_keepalives = 0;
  std::map<std::string, uint64_t> drops;
  std::map<std::string, uint64_t> details;
};

// A tunnel as a datapath reports it.
struct ObservedTunnel {
  TunnelConfig config;
  DatapathType datapath = DatapathType::kTap;  // kKernel or kTap
  uint32_t ifindex = 0;
  // The datapath knows the tunnel but its link was deleted.
  bool link_gone = false;
  bool peer_up = true;
  std::optional<absl::Duration> last_heard;  // age; absent: never
  std::string send_error;
};

enum class TunnelState {
  kPending,
  kActive,
  kPeerDown,
  kFailed,
  kDeleting,
  kDisabled
};
absl::string_view ToString(TunnelState state);  // "PENDING", "PEER_DOWN", …

struct TunnelStatus {
  TunnelState state = TunnelState::kPending;
  std::string reason;
  std::optional<DatapathType> datapath;
  std::string datapath_reason;
  uint32_t effective_mtu = 0;
  uint32_t ifindex = 0;
  std::optional<MacAddress> mac;
  std::optional<absl::Time> last_heard;
  absl::Time last_change;
  std::string network;  // id, empty: none
};

// Everything that needs no other resource. INVALID_ARGUMENT or UNIMPLEMENTED;
// the message is "FIELD: VALUE: what is allowed", FIELD a path as
// "tunnel.keepalive.interval".
absl::Status ValidateTunnel(const TunnelSpec& spec);
// Whether `to` may replace `from`: name, kind: INVALID_ARGUMENT "immutable".
absl::Status ValidateTunnelUpdate(const TunnelSpec& from, const TunnelSpec& to);

}  // namespace eoip

#endif  // EOIP_MODEL_TUNNEL_H_
