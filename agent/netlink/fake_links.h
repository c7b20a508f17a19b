// SPDX-License-Identifier: Apache-2.0
//
// A kernel in memory. FakeKernel is the state of one network namespace;
// FakeLinks are the sockets into it, as many as wanted. It follows the real
// kernel where code above may depend on it; links_test.cc runs the same suite
// on both:
//  - a taken name is ALREADY_EXISTS, an unknown ifindex NOT_FOUND, an unknown
//    master INVALID_ARGUMENT;
//  - a bridge's MTU follows the smallest MTU of its ports until it is set by a
//    change to another value, then it stays;
//  - a bridge has carrier while a port forwards; a port forwards while it and
//    its bridge are up and it has carrier;
//  - a veth has carrier while its peer is up; a deleted bridge frees its ports,
//    a deleted veth takes its peer along;
//  - a port that joins has the bridge's default VLAN; VLANs, FDB entries and
//    options of a port end with its membership;
//  - two tunnels of a kind with the same key cannot exist.
#ifndef EOIP_NETLINK_FAKE_LINKS_H_
#define EOIP_NETLINK_FAKE_LINKS_H_

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "netlink/faults.h"
#include "netlink/links.h"

namespace eoip {

class FakeLinks;

// Thread-safe.
class FakeKernel {
 public:
  FakeKernel();

  // Changes made through FakeLinks consult these; what is below does not.
  Faults& faults() { return faults_; }

  // What others do to the host's links. Names must be new or known.
  // Returns the ifindex. A link is made down, of group 0, with carrier.
  uint32_t AddLink(const std::string& name, const std::string& kind);
  void AddVeth(const std::string& name, const std::string& peer);
  void RemoveLink(const std::string& name);
  void RenameLink(const std::string& from, const std::string& to);
  // Whatever a FakeLinks could change, or more, bypassing every rule.
  void Edit(const std::string& name, const std::function<void(Link&)>& edit);
  // Carrier while the link is up (a tunnel's peer, a cable).
  void SetCarrier(const std::string& name, bool carrier);
  void SetLastHeard(const std::string& name, absl::Duration age);
  void SetCounters(const std::string& name, const TunnelCounters& counters);

  // Who answers to kinds eoip and eoipv6; kAbsent at the start.
  void SetModule(KindProbe module);

  // Whether the kernel was built with VLAN filtering, and whether it can lock
  // ports; both true at the start.
  void SetVlanFiltering(bool built_in);
  void SetPortLock(bool known);

  std::optional<Link> Find(const std::string& name) const;
  LinkTable Table() const;

 private:
  friend class FakeLinks;
  struct Entry {
    Link link;
    bool has_carrier = true;
    bool mtu_set = false;  // of a bridge: by a change
    std::string veth_peer;
    PortVlans vlans;  // of a bridge or port
    PinnedMacs pinned;
    std::optional<absl::Duration> last_heard;
    TunnelCounters counters;
  };

  Entry* FindLocked(const std::string& name);
  Entry* FindLocked(uint32_t ifindex);
  uint32_t AddLocked(Link link);
  void RemoveLocked(uint32_t ifindex);
  absl::Status SetMasterLocked(Entry& entry, uint32_t master);
  absl::Status SetInfoLocked(Entry& bridge, const BridgeInfo& info,
                             const std::string& what);
  PortVlans DefaultVlansLocked(uint32_t pvid) const;
  void AdjustBridgeMtuLocked(uint32_t bridge);
  Link ViewLocked(const Entry& entry) const;
  bool HasCarrierLocked(const Entry& entry) const;
  bool ForwardsLocked(const Entry& entry) const;

  Faults faults_;
  mutable std::mutex mu_;
  KindProbe module_ = KindProbe::kAbsent;
  bool has_vlans_ = true;
  bool has_lock_ = true;
  uint32_t next_ifindex_ = 1;
  std::map<uint32_t, Entry> links_;  // by ifindex
};

class FakeLinks : public Links {
 public:
  // kernel must outlive it.
  explicit FakeLinks(FakeKernel* kernel) : kernel_(kernel) {}

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
  std::string NameOf(uint32_t ifindex) const;
  FakeKernel* kernel_;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_FAKE_LINKS_H_
