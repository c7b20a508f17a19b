// SPDX-License-Identifier: Apache-2.0
//
// Bridges of the kernel in memory: options, VLANs, FDB entries of ports.
#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "netlink/fake_links.h"

namespace eoip {
namespace {

absl::Status NoVlans(const std::string& what) {
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": vlan_filtering: the fake kernel has none"));
}

void Apply(const VlanChange& change, PortVlans& vlans) {
  std::map<uint16_t, PortVlanRange> table;
  for (const PortVlans* list :
       {static_cast<const PortVlans*>(&vlans), &change.add}) {
    for (const PortVlanRange& range : *list) {
      for (uint32_t id = range.first; id <= range.last; ++id) {
        const auto vlan = static_cast<uint16_t>(id);
        // A port has one.
        for (auto& [other, entry] : table) entry.pvid &= !range.pvid;
        table[vlan] = {vlan, vlan, range.pvid, range.untagged};
      }
    }
  }
  for (const uint16_t id : IdsOf(change.remove)) table.erase(id);
  vlans.clear();
  for (const auto& [id, entry] : table) vlans.push_back(entry);
  // As the kernel shows them.
  PortVlans merged;
  for (const PortVlanRange& entry : vlans) {
    if (!merged.empty() && merged.back().last + 1 == entry.first &&
        !entry.pvid && !merged.back().pvid &&
        merged.back().untagged == entry.untagged) {
      merged.back().last = entry.last;
    } else {
      merged.push_back(entry);
    }
  }
  vlans = std::move(merged);
}

}  // namespace

void FakeKernel::SetVlanFiltering(bool built_in) {
  std::lock_guard<std::mutex> lock(mu_);
  has_vlans_ = built_in;
}

void FakeKernel::SetPortLock(bool known) {
  std::lock_guard<std::mutex> lock(mu_);
  has_lock_ = known;
}

absl::Status FakeKernel::SetInfoLocked(Entry& bridge, const BridgeInfo& info,
                                       const std::string& what) {
  const BridgeInfo old = *bridge.link.bridge;
  const bool vlans = info.vlan_filtering != old.vlan_filtering ||
                     info.default_pvid != old.default_pvid;
  if (vlans && !has_vlans_) return NoVlans(what);
  bridge.link.bridge = info;
  if (info.default_pvid == old.default_pvid) return absl::OkStatus();
  VlanChange change;
  const PortVlans before = MakePortVlans(old.default_pvid, {});
  change.add = MakePortVlans(info.default_pvid, {});
  for (auto& [unused, entry] : links_) {
    const bool member = entry.link.master == bridge.link.ifindex ||
                        entry.link.ifindex == bridge.link.ifindex;
    if (!member) continue;
    // Only where the old one is still the untagged one.
    change.remove.clear();
    for (const PortVlanRange& range : before) {
      if (std::find(entry.vlans.begin(), entry.vlans.end(), range) !=
          entry.vlans.end()) {
        change.remove.push_back(range);
      }
    }
    Apply(change, entry.vlans);
  }
  return absl::OkStatus();
}

absl::Status FakeLinks::SetBridge(uint32_t ifindex, const BridgeInfo& info) {
  const std::string what = absl::StrCat("set bridge ", NameOf(ifindex));
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    FakeKernel::Entry* entry = kernel_->FindLocked(ifindex);
    if (entry == nullptr) return ErrnoToStatus(ENODEV, what);
    if (!entry->link.bridge) return ErrnoToStatus(EOPNOTSUPP, what);
    EOIP_RETURN_IF_ERROR(kernel_->SetInfoLocked(*entry, info, what));
  }
  return kernel_->faults_.Leave(what);
}

absl::Status FakeLinks::SetBridgePort(uint32_t ifindex,
                                      const BridgePortInfo& port) {
  const std::string what = absl::StrCat("set bridge port ", NameOf(ifindex));
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    FakeKernel::Entry* entry = kernel_->FindLocked(ifindex);
    if (entry == nullptr) return ErrnoToStatus(ENODEV, what);
    if (!entry->link.bridge_port) return ErrnoToStatus(EOPNOTSUPP, what);
    entry->link.bridge_port = port;
    if (port.locked && !kernel_->has_lock_) {
      entry->link.bridge_port->locked = false;
      return absl::FailedPreconditionError(
          "locked: the fake kernel cannot lock, which Linux 5.18 can");
    }
  }
  return kernel_->faults_.Leave(what);
}

absl::StatusOr<std::map<uint32_t, PortVlans>> FakeLinks::GetVlans(
    uint32_t ifindex) {
  std::lock_guard<std::mutex> lock(kernel_->mu_);
  std::map<uint32_t, PortVlans> all;
  for (const auto& [index, entry] : kernel_->links_) {
    if ((ifindex == 0 || ifindex == index) && !entry.vlans.empty()) {
      all[index] = entry.vlans;
    }
  }
  return all;
}

absl::Status FakeLinks::SetVlans(uint32_t ifindex, bool self,
                                 const VlanChange& change) {
  const std::string what = absl::StrCat("set vlans ", NameOf(ifindex));
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    FakeKernel::Entry* entry = kernel_->FindLocked(ifindex);
    if (entry == nullptr) return ErrnoToStatus(ENODEV, what);
    if (!kernel_->has_vlans_) return NoVlans(what);
    if (self ? !entry->link.bridge : !entry->link.bridge_port) {
      return ErrnoToStatus(EOPNOTSUPP, what);
    }
    Apply(change, entry->vlans);
  }
  return kernel_->faults_.Leave(what);
}

absl::StatusOr<PinnedMacs> FakeLinks::GetPinned(uint32_t port) {
  std::lock_guard<std::mutex> lock(kernel_->mu_);
  const FakeKernel::Entry* entry = kernel_->FindLocked(port);
  return entry == nullptr ? PinnedMacs() : entry->pinned;
}

absl::Status FakeLinks::SetPinned(uint32_t port, const PinnedMacs& add,
                                  const PinnedMacs& remove) {
  const std::string what = absl::StrCat("set fdb ", NameOf(port));
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    FakeKernel::Entry* entry = kernel_->FindLocked(port);
    if (entry == nullptr) return ErrnoToStatus(ENODEV, what);
    if (!entry->link.bridge_port) return ErrnoToStatus(EOPNOTSUPP, what);
    const std::vector<uint16_t> ids = IdsOf(entry->vlans);
    for (const auto& [mac, vlan] : add) {
      if (vlan != 0 && std::find(ids.begin(), ids.end(), vlan) == ids.end()) {
        return ErrnoToStatus(EINVAL, what);
      }
      entry->pinned.insert({mac, vlan});
    }
    for (const auto& pin : remove) entry->pinned.erase(pin);
  }
  return kernel_->faults_.Leave(what);
}

}  // namespace eoip
