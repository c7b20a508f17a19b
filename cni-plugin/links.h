// SPDX-License-Identifier: Apache-2.0
//
// Links of one network namespace, as far as the plugin needs them. Errors
// carry the kernel's errno and text (see rtnl.h).
#ifndef EOIP_CNI_LINKS_H_
#define EOIP_CNI_LINKS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/address.h"
#include "rtnl.h"

namespace eoip::cni {

// IFLA_GROUP of a host end that this plugin just made ("eoiv" in ASCII). The
// agent gives a port another one while it has it, so the group says whose a
// link is only until the alias does. Not the agent's own group: the agent
// deletes links of that one which its state does not want.
inline constexpr uint32_t kPodGroup = 0x656f6976;
// Of host ends that GC is about to delete.
inline constexpr uint32_t kDoomedPodGroup = 0x656f6977;

struct PortInfo {
  uint8_t state = 0;  // BR_STATE_*; 3: forwarding
  bool isolated = false;
  bool hairpin = false;
  bool locked = false;
  bool learning = true;
};

struct LinkInfo {
  std::string name;
  uint32_t ifindex = 0;
  std::string kind;  // IFLA_INFO_KIND, may be empty
  uint32_t group = 0;
  uint32_t flags = 0;  // IFF_*
  uint32_t mtu = 0;
  MacAddress mac;
  uint32_t peer = 0;    // ifindex in the peer's namespace; veth
  uint32_t master = 0;  // ifindex, 0: none
  std::string alias;
  bool arp_notify = false;       // IPv4: tells the segment when its MAC is set
  std::optional<PortInfo> port;  // of a bridge's port
};

// NOT_FOUND: no such link.
absl::StatusOr<LinkInfo> GetLink(RtnlSocket& socket, const std::string& name);
absl::StatusOr<LinkInfo> GetLink(RtnlSocket& socket, uint32_t ifindex);
absl::StatusOr<std::vector<LinkInfo>> ListLinks(RtnlSocket& socket);
// NOT_FOUND: no such link. Deletes both ends of a veth pair.
absl::Status DeleteLink(RtnlSocket& socket, uint32_t ifindex);

absl::Status SetGroup(RtnlSocket& socket, uint32_t ifindex, uint32_t group);
// All links of the group in one message. NOT_FOUND: it has none.
absl::Status DeleteGroup(RtnlSocket& socket, uint32_t group);

struct BridgeVlan {
  uint16_t vid;
  bool pvid;
  bool untagged;
};
// VLANs of a bridge's port; empty also where the kernel has no VLAN filtering.
absl::StatusOr<std::vector<BridgeVlan>> ListPortVlans(RtnlSocket& socket,
                                                      uint32_t ifindex);

struct FdbEntry {
  MacAddress mac;
  uint16_t vlan;  // 0: of a bridge without VLAN filtering
};
// Static entries of a bridge's port.
absl::StatusOr<std::vector<FdbEntry>> ListStaticFdb(RtnlSocket& socket,
                                                    uint32_t ifindex);

}  // namespace eoip::cni

#endif  // EOIP_CNI_LINKS_H_
