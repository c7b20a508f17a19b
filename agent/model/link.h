// SPDX-License-Identifier: Apache-2.0
//
// Links of the host as the kernel reports them. Pure values; agent/netlink
// fills them.
#ifndef EOIP_MODEL_LINK_H_
#define EOIP_MODEL_LINK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "model/address.h"
#include "model/tunnel.h"
#include "model/vlan.h"

namespace eoip {

// IFLA_GROUP of every link the agent owns ("eoip" in ASCII), and of owned
// links that are about to be deleted (moved there first, so that one message
// deletes them all).
inline constexpr uint32_t kOwnedGroup = 0x656f6970;
inline constexpr uint32_t kDoomedGroup = 0x656f6971;
// IFLA_GROUP of host ends of attachments: not ours to delete, but ours to take
// out of the bridge when the attachment is gone.
inline constexpr uint32_t kPortGroup = 0x656f6972;

struct BridgeInfo {
  bool stp = false;
  bool multicast_snooping = true;  // the kernel's default
  bool vlan_filtering = false;
  // Untagged VLAN that a port has when it joins, 0: none. The kernel's default.
  uint32_t default_pvid = kDefaultVlan;
  friend bool operator==(const BridgeInfo&, const BridgeInfo&) = default;
};

struct BridgePortInfo {
  // BR_STATE_*: 0 disabled, 1 listening, 2 learning, 3 forwarding, 4 blocking.
  int state = 0;
  bool isolated = false;
  bool hairpin = false;
  // Only frames whose source has an FDB entry of this port come in.
  bool locked = false;
  bool learning = true;
  friend bool operator==(const BridgePortInfo&,
                         const BridgePortInfo&) = default;
};

// Source MACs that a port is the only one to have, each in a VLAN (0: of a
// bridge without VLAN filtering).
using PinnedMacs = std::set<std::pair<MacAddress, uint16_t>>;

struct Link {
  std::string name;
  uint32_t ifindex = 0;
  std::string
      kind;  // IFLA_INFO_KIND: "bridge", "veth", "tun", "eoip", …; may be empty
  uint32_t group = 0;
  bool up = false;       // IFF_UP
  bool carrier = false;  // IFF_LOWER_UP
  uint32_t mtu = 0;
  MacAddress mac;
  uint32_t master = 0;                        // ifindex, 0: none
  std::optional<BridgeInfo> bridge;           // of kind bridge
  std::optional<BridgePortInfo> bridge_port;  // of a bridge's port
  // Of a bridge or a port, where somebody looked.
  std::optional<PortVlans> vlans;
  std::optional<PinnedMacs> pinned;
  // Of kinds eoip and eoipv6 of the bundled module (its ABI number is known).
  std::optional<ObservedTunnel> tunnel;
  // Kinds eoip and eoipv6 without our ABI attribute: another module's.
  bool foreign_eoip = false;

  bool owned() const { return group == kOwnedGroup || group == kDoomedGroup; }
};

using LinkTable = std::map<std::string, Link>;  // by name

}  // namespace eoip

#endif  // EOIP_MODEL_LINK_H_
