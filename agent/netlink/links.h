// SPDX-License-Identifier: Apache-2.0
//
// Operations on the links of one network namespace. NetlinkLinks talks
// rtnetlink; FakeLinks is a kernel in memory for tests of what lies above.
// Errors carry the kernel's errno (see ErrnoToStatus) and its extack text word
// for word. Not thread-safe: one object per thread.
#ifndef EOIP_NETLINK_LINKS_H_
#define EOIP_NETLINK_LINKS_H_

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
  // Kinds eoip and eoipv6: create (group kOwnedGroup, down) or change.
  virtual absl::Status PutTunnelLink(const TunnelConfig& config,
                                     bool create) = 0;

  virtual absl::Status Change(uint32_t ifindex, const LinkChange& change) = 0;
  virtual absl::Status SetBridge(uint32_t ifindex, const BridgeInfo& info) = 0;
  // port.state is ignored.
  virtual absl::Status SetBridgePort(uint32_t ifindex,
                                     const BridgePortInfo& port) = 0;

  // Deletes the links by moving them to kDoomedGroup and deleting that group in
  // one message; one link is deleted directly. Links that are gone are no
  // error.
  virtual absl::Status Delete(const std::vector<uint32_t>& ifindexes) = 0;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_LINKS_H_
