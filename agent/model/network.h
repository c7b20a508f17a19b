// SPDX-License-Identifier: Apache-2.0
//
// Networks and their ports; proto/eoip/v1/network.proto has the meaning,
// ranges and defaults. Pure.
#ifndef EOIP_MODEL_NETWORK_H_
#define EOIP_MODEL_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/address.h"
#include "model/vlan.h"

namespace eoip {

struct PortSpec {
  // Exactly one of them is not empty.
  std::string tunnel;  // id of a tunnel
  std::string link;    // name of a host's link
  uint32_t pvid = 0;   // 0: the default VLAN, none where `tagged` names that
  std::vector<VlanRange> tagged;
  bool isolated = false;
  // The link's name, whichever it is.
  const std::string& link_name() const {
    return tunnel.empty() ? link : tunnel;
  }
  friend bool operator==(const PortSpec&, const PortSpec&) = default;
};

struct NetworkSpec {
  std::string id;  // name of the resource and of the bridge
  std::vector<PortSpec> ports;
  uint32_t mtu = 0;
  bool stp = false;
  bool multicast_snooping = false;
  bool vlan_filtering = false;
  std::optional<MacAddress> mac;
  std::string comment;
  // Host links that were ports once and are none now. They are taken out of
  // the bridge when found in it; other members of the bridge that are not
  // ports are left alone.
  std::vector<std::string> released_links;
  std::string source;  // "" or kInlineSource
  friend bool operator==(const NetworkSpec&, const NetworkSpec&) = default;
};

enum class NetworkState { kPending, kActive, kDegraded, kFailed, kDeleting };
absl::string_view ToString(NetworkState state);

struct NetworkStatus {
  NetworkState state = NetworkState::kPending;
  std::string reason;
  uint32_t ifindex = 0;
  uint32_t effective_mtu = 0;
  uint32_t attachments = 0;
  uint32_t tunnels = 0;
  uint32_t tunnels_active = 0;
  absl::Time last_change;
};

// A bridge of the kernel has 1023 ports at most (BR_PORT_BITS 10, port 0 is
// never used; net/bridge/br_private.h).
inline constexpr size_t kMaxPorts = 1023;
// The oldest is forgotten where there would be more.
inline constexpr size_t kMaxReleasedLinks = 1023;

// As ValidateTunnel, paths as "network.ports[2].pvid".
absl::Status ValidateNetwork(const NetworkSpec& spec);
absl::Status ValidateNetworkUpdate(const NetworkSpec& from,
                                   const NetworkSpec& to);

// VLANs of a port of a network with vlan_filtering.
PortVlans VlansOf(const PortSpec& port);

}  // namespace eoip

#endif  // EOIP_MODEL_NETWORK_H_
