// SPDX-License-Identifier: Apache-2.0
#include "netlink/fake_links.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip {
namespace {

constexpr uint32_t kMinLinkMtu = 68;
constexpr uint32_t kMaxBridgeMtu = 65535;
constexpr int kForwarding = 3;

bool IsTunnelKind(const std::string& kind) {
  return kind == "eoip" || kind == "eoipv6";
}

uint32_t MaxMtu(const Link& link) {
  return link.kind == "tun" || IsTunnelKind(link.kind)
             ? static_cast<uint32_t>(kMaxMtu)
             : kMaxBridgeMtu;
}

MacAddress RandomMac(uint32_t ifindex) {
  return MacAddress({0x02, 0xfa, static_cast<uint8_t>(ifindex >> 24),
                     static_cast<uint8_t>(ifindex >> 16),
                     static_cast<uint8_t>(ifindex >> 8),
                     static_cast<uint8_t>(ifindex)});
}

absl::Status CheckNew(const std::string& name, const MacAddress& mac) {
  if (name.empty() || name.size() > 15 || name == "." || name == ".." ||
      name.find_first_of("/: \t\n%") != std::string::npos) {
    return ErrnoToStatus(EINVAL, absl::StrCat("create link '", name, "'"));
  }
  if (!mac.IsZero() && !mac.IsUnicast()) {
    return ErrnoToStatus(EADDRNOTAVAIL, absl::StrCat("create link ", name));
  }
  return absl::OkStatus();
}

absl::Status CheckMtu(const Link& link, uint32_t mtu) {
  if (mtu < kMinLinkMtu || mtu > MaxMtu(link)) {
    return ErrnoToStatus(EINVAL,
                         absl::StrCat("set mtu ", mtu, " of ", link.name));
  }
  return absl::OkStatus();
}

bool SameKey(const TunnelConfig& a, const TunnelConfig& b) {
  return a.kind == b.kind && a.tunnel_id == b.tunnel_id &&
         a.remote == b.remote && a.local == b.local;
}

}  // namespace

FakeKernel::FakeKernel() {
  Link lo;
  lo.name = "lo";
  lo.mtu = 65536;
  AddLocked(lo);
}

uint32_t FakeKernel::AddLink(const std::string& name, const std::string& kind) {
  std::lock_guard<std::mutex> lock(mu_);
  Link link;
  link.name = name;
  link.kind = kind;
  link.mtu = 1500;
  if (kind == "bridge") link.bridge = BridgeInfo{};
  link.foreign_eoip = IsTunnelKind(kind);
  return AddLocked(link);
}

void FakeKernel::AddVeth(const std::string& name, const std::string& peer) {
  const uint32_t a = AddLink(name, "veth");
  const uint32_t b = AddLink(peer, "veth");
  std::lock_guard<std::mutex> lock(mu_);
  FindLocked(a)->veth_peer = peer;
  FindLocked(b)->veth_peer = name;
}

void FakeKernel::RemoveLink(const std::string& name) {
  std::lock_guard<std::mutex> lock(mu_);
  if (const Entry* entry = FindLocked(name)) RemoveLocked(entry->link.ifindex);
}

void FakeKernel::RenameLink(const std::string& from, const std::string& to) {
  Edit(from, [&](Link& link) { link.name = to; });
}

void FakeKernel::Edit(const std::string& name,
                      const std::function<void(Link&)>& edit) {
  std::lock_guard<std::mutex> lock(mu_);
  Entry* entry = FindLocked(name);
  if (entry == nullptr) return;
  const uint32_t mtu = entry->link.mtu;
  edit(entry->link);
  if (entry->link.mtu != mtu) AdjustBridgeMtuLocked(entry->link.master);
}

void FakeKernel::SetCarrier(const std::string& name, bool carrier) {
  std::lock_guard<std::mutex> lock(mu_);
  if (Entry* entry = FindLocked(name)) entry->has_carrier = carrier;
}

void FakeKernel::SetLastHeard(const std::string& name, absl::Duration age) {
  std::lock_guard<std::mutex> lock(mu_);
  if (Entry* entry = FindLocked(name)) entry->last_heard = age;
}

void FakeKernel::SetCounters(const std::string& name,
                             const TunnelCounters& counters) {
  std::lock_guard<std::mutex> lock(mu_);
  if (Entry* entry = FindLocked(name)) entry->counters = counters;
}

void FakeKernel::SetModule(KindProbe module) {
  std::lock_guard<std::mutex> lock(mu_);
  module_ = module;
}

std::optional<Link> FakeKernel::Find(const std::string& name) const {
  std::lock_guard<std::mutex> lock(mu_);
  for (const auto& [ifindex, entry] : links_) {
    if (entry.link.name == name) return ViewLocked(entry);
  }
  return std::nullopt;
}

LinkTable FakeKernel::Table() const {
  std::lock_guard<std::mutex> lock(mu_);
  LinkTable table;
  for (const auto& [ifindex, entry] : links_) {
    table[entry.link.name] = ViewLocked(entry);
  }
  return table;
}

FakeKernel::Entry* FakeKernel::FindLocked(const std::string& name) {
  for (auto& [ifindex, entry] : links_) {
    if (entry.link.name == name) return &entry;
  }
  return nullptr;
}

FakeKernel::Entry* FakeKernel::FindLocked(uint32_t ifindex) {
  const auto it = links_.find(ifindex);
  return it == links_.end() ? nullptr : &it->second;
}

uint32_t FakeKernel::AddLocked(Link link) {
  const uint32_t ifindex = next_ifindex_++;
  link.ifindex = ifindex;
  if (link.mac.IsZero() && link.name != "lo") link.mac = RandomMac(ifindex);
  if (link.bridge) {
    links_[ifindex].vlans = DefaultVlansLocked(link.bridge->default_pvid);
  }
  links_[ifindex].link = std::move(link);
  return ifindex;
}

void FakeKernel::RemoveLocked(uint32_t ifindex) {
  const auto it = links_.find(ifindex);
  if (it == links_.end()) return;
  const Entry gone = it->second;
  links_.erase(it);
  for (auto& [unused, entry] : links_) {
    if (entry.link.master == ifindex) {
      entry.link.master = 0;
      entry.link.bridge_port.reset();
      entry.vlans.clear();
      entry.pinned.clear();
    }
  }
  if (gone.link.master != 0) AdjustBridgeMtuLocked(gone.link.master);
  if (!gone.veth_peer.empty()) {
    if (const Entry* peer = FindLocked(gone.veth_peer)) {
      RemoveLocked(peer->link.ifindex);
    }
  }
}

PortVlans FakeKernel::DefaultVlansLocked(uint32_t pvid) const {
  return has_vlans_ ? MakePortVlans(pvid, {}) : PortVlans();
}

absl::Status FakeKernel::SetMasterLocked(Entry& entry, uint32_t master) {
  const uint32_t old = entry.link.master;
  if (old == master) return absl::OkStatus();
  const std::string what =
      absl::StrCat("set master ", master, " of ", entry.link.name);
  if (master != 0) {
    const Entry* bridge = FindLocked(master);
    if (bridge == nullptr) return ErrnoToStatus(EINVAL, what);
    if (!bridge->link.bridge) return ErrnoToStatus(EOPNOTSUPP, what);
    if (entry.link.bridge) return ErrnoToStatus(ELOOP, what);
    if (entry.link.name == "lo") return ErrnoToStatus(EINVAL, what);
  }
  entry.link.master = master;
  entry.link.bridge_port.reset();
  entry.vlans.clear();
  entry.pinned.clear();
  if (master != 0) {
    entry.link.bridge_port = BridgePortInfo{};
    entry.vlans =
        DefaultVlansLocked(FindLocked(master)->link.bridge->default_pvid);
  }
  if (old != 0) AdjustBridgeMtuLocked(old);
  if (master != 0) AdjustBridgeMtuLocked(master);
  return absl::OkStatus();
}

void FakeKernel::AdjustBridgeMtuLocked(uint32_t bridge) {
  Entry* entry = FindLocked(bridge);
  if (entry == nullptr || entry->mtu_set) return;
  uint32_t mtu = 0;
  for (const auto& [unused, port] : links_) {
    if (port.link.master != bridge) continue;
    mtu = mtu == 0 ? port.link.mtu : std::min(mtu, port.link.mtu);
  }
  entry->link.mtu = mtu == 0 ? 1500 : mtu;
}

bool FakeKernel::HasCarrierLocked(const Entry& entry) const {
  if (entry.link.bridge) {
    return std::any_of(links_.begin(), links_.end(), [&](const auto& other) {
      return other.second.link.master == entry.link.ifindex &&
             ForwardsLocked(other.second);
    });
  }
  if (entry.veth_peer.empty()) return entry.has_carrier;
  return std::any_of(links_.begin(), links_.end(), [&](const auto& other) {
    return other.second.link.name == entry.veth_peer && other.second.link.up;
  });
}

bool FakeKernel::ForwardsLocked(const Entry& entry) const {
  const auto bridge = links_.find(entry.link.master);
  return bridge != links_.end() && bridge->second.link.up && entry.link.up &&
         HasCarrierLocked(entry);
}

Link FakeKernel::ViewLocked(const Entry& entry) const {
  Link link = entry.link;
  link.carrier = link.up && HasCarrierLocked(entry);
  if (link.bridge_port) {
    link.bridge_port->state = ForwardsLocked(entry) ? kForwarding : 0;
  }
  if (link.tunnel) {
    link.tunnel->config.name = link.name;
    link.tunnel->config.mtu = link.mtu;
    link.tunnel->config.mac = link.mac;
    link.tunnel->ifindex = link.ifindex;
    link.tunnel->peer_up = entry.has_carrier;
    link.tunnel->last_heard = entry.last_heard;
  }
  return link;
}

std::string FakeLinks::NameOf(uint32_t ifindex) const {
  std::lock_guard<std::mutex> lock(kernel_->mu_);
  const auto* entry = kernel_->FindLocked(ifindex);
  return entry == nullptr ? absl::StrCat("#", ifindex) : entry->link.name;
}

absl::StatusOr<LinkTable> FakeLinks::Dump() { return kernel_->Table(); }

absl::StatusOr<Link> FakeLinks::Get(const std::string& name) {
  std::optional<Link> link = kernel_->Find(name);
  if (!link) return ErrnoToStatus(ENODEV, absl::StrCat("get link ", name));
  return *std::move(link);
}

absl::StatusOr<uint32_t> FakeLinks::CreateBridge(const BridgeConfig& config) {
  const std::string what = absl::StrCat("create bridge ", config.name);
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  EOIP_RETURN_IF_ERROR(CheckNew(config.name, config.mac));
  uint32_t ifindex = 0;
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    if (kernel_->FindLocked(config.name) != nullptr) {
      return ErrnoToStatus(EEXIST, what);
    }
    Link link;
    link.name = config.name;
    link.kind = "bridge";
    link.group = kOwnedGroup;
    link.mtu = config.mtu;
    link.mac = config.mac;
    link.bridge = BridgeInfo{};
    EOIP_RETURN_IF_ERROR(CheckMtu(link, config.mtu));
    ifindex = kernel_->AddLocked(link);
    const absl::Status info = kernel_->SetInfoLocked(
        *kernel_->FindLocked(ifindex), config.info, what);
    if (!info.ok()) {
      kernel_->RemoveLocked(ifindex);
      return info;
    }
  }
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Leave(what));
  return ifindex;
}

absl::Status FakeLinks::PutTunnelLink(const TunnelConfig& config, bool create) {
  const std::string what =
      absl::StrCat(create ? "create tunnel " : "change tunnel ", config.name);
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  EOIP_RETURN_IF_ERROR(CheckNew(config.name, config.mac));
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    const std::string kind =
        config.kind == TunnelKind::kEoipV6 ? "eoipv6" : "eoip";
    FakeKernel::Entry* entry = kernel_->FindLocked(config.name);
    if (create && entry != nullptr) return ErrnoToStatus(EEXIST, what);
    if (!create && entry == nullptr) return ErrnoToStatus(ENODEV, what);
    if (kernel_->module_ == KindProbe::kAbsent) {
      return absl::FailedPreconditionError(kModuleNotLoaded);
    }
    if (entry != nullptr && entry->link.kind != kind) {
      return ErrnoToStatus(EOPNOTSUPP, what);
    }
    for (const auto& [unused, other] : kernel_->links_) {
      if (other.link.tunnel && other.link.name != config.name &&
          SameKey(other.link.tunnel->config, config)) {
        return ErrnoToStatus(EEXIST, what);
      }
    }
    Link link;
    if (entry == nullptr) {
      link.name = config.name;
      link.kind = kind;
      link.group = kOwnedGroup;
    } else {
      link = entry->link;
    }
    EOIP_RETURN_IF_ERROR(CheckMtu(link, config.mtu));
    link.mtu = config.mtu;
    if (!config.mac.IsZero()) link.mac = config.mac;
    link.foreign_eoip = kernel_->module_ == KindProbe::kForeign;
    if (!link.foreign_eoip) {
      ObservedTunnel tunnel;
      tunnel.config = config;
      tunnel.config.disabled = false;
      tunnel.datapath = DatapathType::kKernel;
      link.tunnel = tunnel;
    }
    if (entry == nullptr) {
      kernel_->AddLocked(link);
    } else {
      entry->link = link;
      if (link.master != 0) kernel_->AdjustBridgeMtuLocked(link.master);
    }
  }
  return kernel_->faults_.Leave(what);
}

absl::Status FakeLinks::Change(uint32_t ifindex, const LinkChange& change) {
  const std::string what = absl::StrCat("change ", NameOf(ifindex));
  EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
  {
    std::lock_guard<std::mutex> lock(kernel_->mu_);
    FakeKernel::Entry* entry = kernel_->FindLocked(ifindex);
    if (entry == nullptr) return ErrnoToStatus(ENODEV, what);
    Link& link = entry->link;
    if (change.mac) {
      if (!change.mac->IsUnicast()) return ErrnoToStatus(EADDRNOTAVAIL, what);
      link.mac = *change.mac;
    }
    if (change.mtu && *change.mtu != link.mtu) {
      EOIP_RETURN_IF_ERROR(CheckMtu(link, *change.mtu));
      link.mtu = *change.mtu;
      if (link.bridge) entry->mtu_set = true;
      if (link.master != 0) kernel_->AdjustBridgeMtuLocked(link.master);
    }
    if (change.group) link.group = *change.group;
    if (change.master) {
      EOIP_RETURN_IF_ERROR(kernel_->SetMasterLocked(*entry, *change.master));
    }
    if (change.up) link.up = *change.up;
  }
  return kernel_->faults_.Leave(what);
}

absl::Status FakeLinks::Delete(const std::vector<uint32_t>& ifindexes) {
  for (const uint32_t ifindex : ifindexes) {
    const std::string what = absl::StrCat("delete ", NameOf(ifindex));
    EOIP_RETURN_IF_ERROR(kernel_->faults_.Enter(what));
    {
      std::lock_guard<std::mutex> lock(kernel_->mu_);
      kernel_->RemoveLocked(ifindex);
    }
    EOIP_RETURN_IF_ERROR(kernel_->faults_.Leave(what));
  }
  return absl::OkStatus();
}

absl::StatusOr<KindProbe> FakeLinks::ProbeKind(TunnelKind) {
  std::lock_guard<std::mutex> lock(kernel_->mu_);
  return kernel_->module_;
}

absl::StatusOr<std::map<std::string, LinkReading>> FakeLinks::ReadTunnels(
    const std::vector<std::string>& names) {
  std::lock_guard<std::mutex> lock(kernel_->mu_);
  std::map<std::string, LinkReading> readings;
  for (const std::string& name : names) {
    const FakeKernel::Entry* entry = kernel_->FindLocked(name);
    if (entry == nullptr || !entry->link.tunnel) continue;
    readings[name] =
        LinkReading{entry->counters, entry->last_heard, entry->has_carrier};
  }
  return readings;
}

}  // namespace eoip
