// SPDX-License-Identifier: Apache-2.0
//
// Links of the network namespace of the thread that opened it, by rtnetlink.
// Needs CAP_NET_ADMIN there for changes. Not thread-safe.
#ifndef EOIP_NETLINK_NETLINK_LINKS_H_
#define EOIP_NETLINK_NETLINK_LINKS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "netlink/links.h"
#include "netlink/netlink_socket.h"

namespace eoip {

class NetlinkLinks : public Links {
 public:
  // The object stays in this namespace, whatever the thread does later.
  // sysctl_dir: where this namespace's net/ipv6/conf is; may lack it.
  static absl::StatusOr<std::unique_ptr<NetlinkLinks>> Open(
      const std::string& sysctl_dir = "/proc/sys");

  absl::StatusOr<LinkTable> Dump() override;
  absl::StatusOr<Link> Get(const std::string& name) override;
  absl::StatusOr<uint32_t> CreateBridge(const BridgeConfig& config) override;
  absl::Status PutTunnelLink(const TunnelConfig& config, bool create) override;
  absl::Status Change(uint32_t ifindex, const LinkChange& change) override;
  absl::Status SetBridge(uint32_t ifindex, const BridgeInfo& info) override;
  absl::Status SetBridgePort(uint32_t ifindex,
                             const BridgePortInfo& port) override;
  absl::StatusOr<std::map<uint32_t, PortVlans>> GetVlans(
      uint32_t ifindex) override;
  absl::Status SetVlans(uint32_t ifindex, bool self,
                        const VlanChange& change) override;
  absl::StatusOr<PinnedMacs> GetPinned(uint32_t port) override;
  absl::Status SetPinned(uint32_t port, const PinnedMacs& add,
                         const PinnedMacs& remove) override;
  absl::Status Delete(const std::vector<uint32_t>& ifindexes) override;
  absl::StatusOr<KindProbe> ProbeKind(TunnelKind kind) override;
  absl::StatusOr<std::map<std::string, LinkReading>> ReadTunnels(
      const std::vector<std::string>& names) override;

 private:
  NetlinkLinks(NetlinkSocket socket, UniqueFd ethtool, UniqueFd ipv6_conf)
      : socket_(std::move(socket)),
        ethtool_(std::move(ethtool)),
        ipv6_conf_(std::move(ipv6_conf)) {}
  absl::StatusOr<Link> GetByIndex(uint32_t ifindex);
  void IgnoreRouters(const std::string& bridge);
  // Whether the kernel did what it acknowledged: one without IGMP snooping
  // takes that option and ignores it.
  absl::Status CheckBridge(uint32_t ifindex, const BridgeInfo& want);

  NetlinkSocket socket_;
  UniqueFd ethtool_;    // any socket, for the driver's own counters
  UniqueFd ipv6_conf_;  // a folder; not valid without IPv6
};

}  // namespace eoip

#endif  // EOIP_NETLINK_NETLINK_LINKS_H_
