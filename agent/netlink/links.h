// SPDX-License-Identifier: Apache-2.0
//
// Operations on the links of one network namespace. NetlinkLinks talks
// rtnetlink; FakeLinks is a kernel in memory for tests of what lies above.
// Errors carry the kernel's errno (see ErrnoToStatus) and its extack text word
// for word. Not thread-safe: one object per thread.
#ifndef EOIP_NETLINK_LINKS_H_
#define EOIP_NETLINK_LINKS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/link.h"

namespace eoip {

// What to change of a link; absent: leave it.
struct LinkChange {
  std::optional<bool> up;
  std::optional<uint32_t> mtu;
  std::optional<MacAddress> mac;
  std::optional<uint32_t> master;  // ifindex, 0: release
  std::optional<uint32_t> group;
};

struct BridgeConfig {
  std::string name;
  MacAddress mac;
  uint32_t mtu = 1500;
  BridgeInfo info;
};

// Said by FAILED_PRECONDITION of PutTunnelLink where no module has the kind.
inline constexpr char kModuleNotLoaded[] = "kernel module eoip is not loaded";

// Who answers to a link kind: nobody, the bundled module, another one.
enum class KindProbe { kAbsent, kBundled, kForeign };

// What a tunnel's link counts, now.
struct LinkReading {
  TunnelCounters counters;
  std::optional<absl::Duration> last_heard;  // age; absent: never
  bool carrier = false;                      // also while the link is down
};

class Links {
 public:
  virtual ~Links() = default;

  // Complete and consistent: an interrupted dump (NLM_F_DUMP_INTR) is done
  // again, then UNAVAILABLE.
  virtual absl::StatusOr<LinkTable> Dump() = 0;
  // NOT_FOUND: no such link.
  virtual absl::StatusOr<Link> Get(const std::string& name) = 0;

  // A bridge of group kOwnedGroup, down; returns its ifindex.
  // ALREADY_EXISTS: a link has the name.
  virtual absl::StatusOr<uint32_t> CreateBridge(const BridgeConfig& config) = 0;
  // Kinds eoip and eoipv6: create (group kOwnedGroup, down) or change every
  // property but the group, also the ones that are the same. config.disabled
  // is ignored. ALREADY_EXISTS: a link has the name, or another tunnel the key
  // · NOT_FOUND: nothing to change · FAILED_PRECONDITION: the module is not
  // loaded, or the link is of another kind.
  virtual absl::Status PutTunnelLink(const TunnelConfig& config,
                                     bool create) = 0;

  virtual absl::Status Change(uint32_t ifindex, const LinkChange& change) = 0;
  // FAILED_PRECONDITION: the kernel does not do it (it was built without VLAN
  // filtering or snooping), whether it says so or not. default_pvid matters
  // with vlan_filtering only: a kernel without that has none.
  virtual absl::Status SetBridge(uint32_t ifindex, const BridgeInfo& info) = 0;
  // port.state is ignored. Locking forgets what the port has learnt.
  // FAILED_PRECONDITION: the kernel cannot lock (Linux 5.18 can).
  virtual absl::Status SetBridgePort(uint32_t ifindex,
                                     const BridgePortInfo& port) = 0;

  // Of a bridge or port, ifindex 0: of all. By ifindex, those that have some.
  // Nothing in a kernel without VLAN filtering, or for another link.
  virtual absl::StatusOr<std::map<uint32_t, PortVlans>> GetVlans(
      uint32_t ifindex) = 0;
  // self: the bridge's own. FAILED_PRECONDITION: a kernel without VLAN
  // filtering, or no bridge or port.
  virtual absl::Status SetVlans(uint32_t ifindex, bool self,
                                const VlanChange& change) = 0;
  // Static FDB entries of a port, whoever made them.
  virtual absl::StatusOr<PinnedMacs> GetPinned(uint32_t port) = 0;
  // The port must have the VLANs. Removing what is not there is no error.
  virtual absl::Status SetPinned(uint32_t port, const PinnedMacs& add,
                                 const PinnedMacs& remove) = 0;

  // Deletes the links by moving them to kDoomedGroup and deleting that group in
  // one message; one link is deleted directly. Links that are gone are no
  // error.
  virtual absl::Status Delete(const std::vector<uint32_t>& ifindexes) = 0;

  // Kinds eoip and eoipv6. Makes no link; a kernel that can load modules tries
  // to load the one that has the kind.
  virtual absl::StatusOr<KindProbe> ProbeKind(TunnelKind kind) = 0;
  // Of the links in names that are tunnels of the bundled module.
  virtual absl::StatusOr<std::map<std::string, LinkReading>> ReadTunnels(
      const std::vector<std::string>& names) = 0;
};

// The links that have these names, those that exist: one by one, or out of a
// dump where that is cheaper.
absl::StatusOr<LinkTable> GetLinks(Links& links,
                                   const std::vector<std::string>& names);

}  // namespace eoip

#endif  // EOIP_NETLINK_LINKS_H_
