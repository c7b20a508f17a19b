// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace eoip {
namespace {

const Link* FindLink(const Observed& observed, const std::string& name) {
  auto it = observed.links.find(name);
  return it == observed.links.end() ? nullptr : &it->second;
}

bool IsOwnBridge(const Link& link) {
  return link.owned() && link.kind == "bridge";
}

// Steps by phase; a phase may rely on all that stand before it.
class Planner {
 public:
  Planner(const Wanted& wanted, const Observed& observed, const Scope& scope)
      : wanted_(wanted), observed_(observed), scope_(scope) {
    for (const auto& [id, network] : wanted.networks) {
      for (const PortSpec& port : network.ports) {
        network_of_.emplace(port.link_name(), &network);
      }
    }
    for (const auto& [key, attachment] : wanted.attachments) {
      attached_.emplace(attachment.host_link, &attachment);
    }
    for (const auto& [name, link] : observed.links) {
      name_of_[link.ifindex] = &name;
    }
  }

  std::vector<Step> Run() {
    PlanLeftovers();
    for (const auto& [id, spec] : wanted_.tunnels) {
      if (scope_.HasTunnel(id)) PlanTunnel(spec);
    }
    for (const auto& [id, spec] : wanted_.networks) {
      if (!scope_.HasNetwork(id)) continue;
      if (Unused(spec)) {
        modifies_.push_back({NetworkName(id), ForgetNetwork{id}});
      } else {
        PlanNetwork(spec);
      }
    }
    for (const auto& [key, spec] : wanted_.attachments) {
      if (scope_.HasAttachment(key)) PlanAttachment(key, spec);
    }
    PlanLoweredMtus();
    PlanReleases();
    std::vector<Step> steps;
    for (const auto& [datapath, names] : deleted_tunnels_) {
      steps.push_back({"", DeleteTunnels{datapath, names}});
    }
    if (!deleted_links_.empty()) {
      steps.push_back({"", DeleteLinks{deleted_links_}});
    }
    for (auto* phase : {&creates_, &modifies_, &enslaves_, &ups_}) {
      std::move(phase->begin(), phase->end(), std::back_inserter(steps));
    }
    return steps;
  }

 private:
  bool Protected(const std::string& link) const {
    return wanted_.protected_links.count(link) > 0;
  }

  bool Unused(const NetworkSpec& network) const {
    if (network.source != kInlineSource || Protected(network.id)) return false;
    const auto first =
        wanted_.attachments.lower_bound(AttachmentKey{network.id, ""});
    return first == wanted_.attachments.end() ||
           first->first.network != network.id;
  }

  // The bridge that owns the link now, if it is one of ours; else null.
  const Link* OwnMaster(const Link& link) const {
    if (link.master == 0) return nullptr;
    auto it = name_of_.find(link.master);
    if (it == name_of_.end()) return nullptr;
    const Link* master = FindLink(observed_, *it->second);
    return master != nullptr && IsOwnBridge(*master) ? master : nullptr;
  }

  // Owned tunnels and bridges that nobody wants.
  void PlanLeftovers() {
    for (const auto& [name, tunnel] : observed_.tunnels) {
      if (!scope_.HasTunnel(name) || wanted_.tunnels.count(name) > 0 ||
          Protected(name) || !OwnTunnel(tunnel)) {
        continue;
      }
      deleted_tunnels_[tunnel.datapath].push_back(name);
    }
    for (const auto& [name, link] : observed_.links) {
      if (!scope_.HasNetwork(name) || wanted_.networks.count(name) > 0 ||
          Protected(name) || !IsOwnBridge(link)) {
        continue;
      }
      deleted_links_.push_back(name);
    }
  }

  // eoip-tapd's tunnels are ours by definition; a kernel link of our kind may
  // have been made by hand.
  bool OwnTunnel(const ObservedTunnel& tunnel) const {
    if (tunnel.datapath != DatapathType::kKernel) return true;
    const Link* link = FindLink(observed_, tunnel.config.name);
    return link != nullptr && link->owned();
  }

  void PlanTunnel(const TunnelSpec& spec) {
    const std::string resource = TunnelName(spec.id);
    const DatapathChoice choice = ChooseDatapath(spec, observed_);
    if (!choice.type.has_value()) {
      creates_.push_back({resource, Blocked{choice.reason}});
      return;
    }
    const DatapathView& view = observed_.datapaths.at(*choice.type);
    if (view.unknown) {
      creates_.push_back({resource, Blocked{view.reason}});
      return;
    }
    auto it = observed_.tunnels.find(spec.id);
    const ObservedTunnel* have =
        it != observed_.tunnels.end() && OwnTunnel(it->second) ? &it->second
                                                               : nullptr;
    const Link* link = FindLink(observed_, spec.id);
    if (link != nullptr && have == nullptr) {
      creates_.push_back(
          {resource,
           Blocked{absl::StrCat(
               "link ", spec.id, " exists and is not the agent's (",
               link->kind.empty() ? ""
                                  : absl::StrCat("kind ", link->kind, ", "),
               "ifindex ", link->ifindex,
               "): remove or rename it, or name the tunnel otherwise")}});
      return;
    }

    uint32_t underlay = 0;
    const std::string& via = spec.link.empty() ? spec.vrf : spec.link;
    if (!via.empty()) {
      const Link* link_via = FindLink(observed_, via);
      if (link_via == nullptr) {
        creates_.push_back(
            {resource, Blocked{absl::StrCat(spec.link.empty() ? "vrf" : "link",
                                            " ", via, " does not exist")}});
        return;
      }
      underlay = link_via->ifindex;
    }
    const TunnelConfig config = ResolveTunnel(spec, wanted_.node, underlay);

    if (have != nullptr && (have->link_gone || have->datapath != *choice.type ||
                            have->config.kind != config.kind)) {
      deleted_tunnels_[have->datapath].push_back(spec.id);
      have = nullptr;
      link = nullptr;
    }
    if (have == nullptr) {
      creates_.push_back({resource, PutTunnel{*choice.type, config, true}});
    } else if (!SameForDatapath(*have, config)) {
      modifies_.push_back({resource, PutTunnel{*choice.type, config, false}});
    }

    if (link != nullptr) {
      SetLink change;
      change.link = spec.id;
      if (link->mtu != config.mtu) change.mtu = config.mtu;
      if (link->mac != config.mac) change.mac = config.mac;
      // A TAP gets its group only after it was made.
      if (!link->owned()) change.group = kOwnedGroup;
      if (change.mtu || change.mac || change.group) {
        modifies_.push_back({resource, change});
      }
      if (const Link* master = OwnMaster(*link);
          master != nullptr && network_of_.count(spec.id) == 0 &&
          !Protected(master->name)) {
        modifies_.push_back({resource, SetLink{.link = spec.id, .master = ""}});
      }
    }
    const bool up = link != nullptr && link->up;
    if (up == config.disabled) {
      ups_.push_back(
          {resource, SetLink{.link = spec.id, .up = !config.disabled}});
    }
    present_.insert(spec.id);
  }

  // What SetLink sets is compared with the link instead.
  static bool SameForDatapath(const ObservedTunnel& tunnel,
                              const TunnelConfig& want) {
    TunnelConfig have = tunnel.config;
    have.mac = want.mac;
    // In the kernel a disabled tunnel is a link that is down.
    if (tunnel.datapath == DatapathType::kKernel) have.disabled = want.disabled;
    return have == want;
  }

  void PlanNetwork(const NetworkSpec& spec) {
    const std::string resource = NetworkName(spec.id);
    const Link* bridge = FindLink(observed_, spec.id);
    if (bridge != nullptr && !IsOwnBridge(*bridge)) {
      creates_.push_back(
          {resource,
           Blocked{absl::StrCat(
               "link ", spec.id, " exists and is not the agent's (",
               bridge->kind.empty() ? ""
                                    : absl::StrCat("kind ", bridge->kind, ", "),
               "ifindex ", bridge->ifindex,
               "): remove or rename it, or name the network otherwise")}});
      return;
    }
    PutBridge want;
    want.name = spec.id;
    want.mac = spec.mac.value_or(MacAddress::Derive(wanted_.node, spec.id));
    want.mtu = NetworkMtu(spec, wanted_);
    want.info.stp = spec.stp;
    want.info.multicast_snooping = spec.multicast_snooping;
    want.info.vlan_filtering = spec.vlan_filtering;
    if (bridge == nullptr) {
      // With filtering a port has no VLAN before it is given its own.
      if (spec.vlan_filtering) want.info.default_pvid = 0;
      want.create = true;
      creates_.push_back({resource, want});
    } else {
      PlanBridgeInfo(resource, bridge->bridge.value_or(BridgeInfo{}), want);
      SetLink change;
      change.link = spec.id;
      if (bridge->mac != want.mac) change.mac = want.mac;
      if (change.mac) modifies_.push_back({resource, change});
    }
    bridges_.insert(spec.id);
    // The host's own place in the segment. Other VLANs that somebody gave the
    // bridge are theirs.
    const bool has_vlans = bridge != nullptr && bridge->vlans.has_value() &&
                           !bridge->vlans->empty();
    if (spec.vlan_filtering && !has_vlans) {
      enslaves_.push_back(
          {resource, SetVlans{spec.id,
                              /*self=*/true,
                              {.add = MakePortVlans(kDefaultVlan, {})}}});
    }

    for (const PortSpec& port : spec.ports)
      PlanPort(resource, spec, port, bridge);
    if (bridge != nullptr) PlanBridgeMtu(spec, *bridge);
    if (bridge == nullptr || !bridge->up) {
      ups_.push_back({resource, SetLink{.link = spec.id, .up = true}});
    }
  }

  void PlanBridgeInfo(const std::string& resource, const BridgeInfo& have,
                      PutBridge want) {
    want.info.default_pvid = want.info.vlan_filtering ? 0 : have.default_pvid;
    PutBridge first = want;
    if (want.info.vlan_filtering && !have.vlan_filtering) {
      first.info.vlan_filtering = false;
      ups_.push_back({resource, want});
    }
    if (first.info != have) modifies_.push_back({resource, first});
  }

  // After the ports: the kernel lowers the MTU of a bridge when one joins.
  void PlanBridgeMtu(const NetworkSpec& spec, const Link& bridge) {
    const uint32_t mtu = NetworkMtu(spec, wanted_);
    if (bridge.mtu == mtu) return;
    ups_.push_back(
        {NetworkName(spec.id), SetLink{.link = spec.id, .mtu = mtu}});
  }

  // Of the bridges that are looked at only because an attachment joined.
  void PlanLoweredMtus() {
    std::set<std::string> seen;
    for (const AttachmentKey& key : scope_.attachments) {
      if (scope_.HasNetwork(key.network) || !seen.insert(key.network).second) {
        continue;
      }
      auto it = wanted_.networks.find(key.network);
      const Link* bridge = FindLink(observed_, key.network);
      if (it == wanted_.networks.end() || bridge == nullptr ||
          !IsOwnBridge(*bridge)) {
        continue;
      }
      PlanBridgeMtu(it->second, *bridge);
    }
  }

  void PlanPort(const std::string& resource, const NetworkSpec& network,
                const PortSpec& port, const Link* bridge) {
    const std::string& name = port.link_name();
    const Link* link = FindLink(observed_, name);
    const bool is_tunnel = !port.tunnel.empty();
    if (is_tunnel) {
      // Only a tunnel of ours is a port: made by this plan, or found. Its
      // group tells, so that the datapath need not be asked.
      auto it = observed_.tunnels.find(name);
      const bool gone = it != observed_.tunnels.end() && it->second.link_gone;
      const bool found = link != nullptr && link->owned() && !gone &&
                         wanted_.tunnels.count(name) > 0;
      if (!found && present_.count(name) == 0) return;
    } else {
      if (link == nullptr) return;
      // Another bridge's port is not taken away from it.
      if (link->master != 0 && OwnMaster(*link) == nullptr) return;
    }
    const bool fresh = link == nullptr || WillBeRecreated(name);
    const bool enslaved =
        !fresh && bridge != nullptr && link->master == bridge->ifindex;
    if (!enslaved) {
      enslaves_.push_back(
          {resource, SetLink{.link = name, .master = network.id}});
    }
    PortState want;
    want.info.isolated = port.isolated;
    if (network.vlan_filtering) want.vlans = VlansOf(port);
    PlanPortState(resource, name, enslaved ? link : nullptr, want);
    if (!is_tunnel && !link->up) {
      ups_.push_back({resource, SetLink{.link = name, .up = true}});
    }
  }

  bool WillBeRecreated(const std::string& name) const {
    for (const auto& [datapath, names] : deleted_tunnels_) {
      if (std::find(names.begin(), names.end(), name) != names.end())
        return true;
    }
    return false;
  }

  struct PortState {
    BridgePortInfo info;
    std::optional<PortVlans> vlans;  // absent: no VLAN filtering
    PinnedMacs pinned;               // of a locked port
  };

  PortState StateOf(const AttachmentSpec& spec) const {
    PortState want;
    want.info.isolated = spec.isolated;
    want.info.hairpin = spec.hairpin;
    if (wanted_.networks.at(spec.network).vlan_filtering) {
      want.vlans = VlansOf(spec);
    }
    if (!spec.locked || !spec.mac) return want;
    want.info.locked = true;
    want.info.learning = false;
    if (!want.vlans) want.pinned.insert({*spec.mac, 0});
    if (want.vlans) {
      for (const uint16_t id : IdsOf(*want.vlans)) {
        want.pinned.insert({*spec.mac, id});
      }
    }
    return want;
  }

  // link: null where it is not a port yet, so has the kernel's defaults. A port
  // is locked first and unlocked last.
  void PlanPortState(const std::string& resource, const std::string& name,
                     const Link* link, const PortState& want) {
    BridgePortInfo have;
    PortVlans vlans;
    PinnedMacs pinned;
    if (link != nullptr) {
      have = link->bridge_port.value_or(BridgePortInfo{});
      vlans = link->vlans.value_or(PortVlans{});
      pinned = link->pinned.value_or(PinnedMacs{});
    }
    BridgePortInfo wanted_info = want.info;
    wanted_info.state = have.state;
    const Step set_info = {resource, SetBridgePort{name, want.info}};
    const bool change_info = have != wanted_info;
    if (change_info && (want.info.locked || !have.locked)) {
      enslaves_.push_back(set_info);
    }
    if (want.vlans) {
      const VlanChange change = DiffVlans(vlans, *want.vlans);
      if (!change.empty()) {
        enslaves_.push_back({resource, SetVlans{name, false, change}});
      }
    }
    SetPinned pins{name, Without(want.pinned, pinned),
                   Without(pinned, want.pinned)};
    // Entries of the other kind come and go with these.
    std::erase_if(pins.remove, [&](const auto& pin) {
      return (pin.second != 0) != want.vlans.has_value();
    });
    if (!pins.add.empty() || !pins.remove.empty()) {
      enslaves_.push_back({resource, pins});
    }
    if (change_info && !want.info.locked && have.locked) {
      enslaves_.push_back(set_info);
    }
  }

  static PinnedMacs Without(const PinnedMacs& all, const PinnedMacs& some) {
    PinnedMacs rest;
    std::set_difference(all.begin(), all.end(), some.begin(), some.end(),
                        std::inserter(rest, rest.end()));
    return rest;
  }

  void PlanAttachment(const AttachmentKey& key, const AttachmentSpec& spec) {
    const std::string resource = AttachmentName(key);
    const Link* link = FindLink(observed_, spec.host_link);
    if (link == nullptr) {
      modifies_.push_back({resource, ForgetAttachment{key}});
      return;
    }
    const Link* bridge = FindLink(observed_, spec.network);
    if (wanted_.networks.count(spec.network) == 0) {
      if (!Protected(spec.network)) {
        modifies_.push_back(
            {resource, Blocked{absl::StrCat(NetworkName(spec.network),
                                            " does not exist")}});
      }
      return;
    }
    if (bridges_.count(spec.network) == 0 &&
        (bridge == nullptr || !IsOwnBridge(*bridge))) {
      modifies_.push_back(
          {resource,
           Blocked{absl::StrCat(NetworkName(spec.network), " has no bridge")}});
      return;
    }
    const bool enslaved = bridge != nullptr && link->master == bridge->ifindex;
    SetLink change;
    change.link = spec.host_link;
    if (!enslaved) change.master = spec.network;
    if (!enslaved || link->group != kPortGroup) change.group = kPortGroup;
    const size_t place = enslaves_.size();
    PlanPortState(resource, spec.host_link, enslaved ? link : nullptr,
                  StateOf(spec));
    const bool plain = enslaves_.size() == place;
    if (!link->up) {
      // Not before it has its properties.
      if (plain && change.group) {
        change.up = true;
      } else {
        ups_.push_back({resource, SetLink{.link = spec.host_link, .up = true}});
      }
    }
    // Mark and membership go in one message, before the port's properties.
    if (change.group) {
      enslaves_.insert(enslaves_.begin() + static_cast<ptrdiff_t>(place),
                       Step{resource, change});
    }
  }

  // Members of our bridges that were ports and are none now.
  void PlanReleases() {
    for (const auto& [name, link] : observed_.links) {
      const Link* master = OwnMaster(link);
      if (master == nullptr || !scope_.HasNetwork(master->name) ||
          Protected(master->name)) {
        continue;
      }
      if (link.group == kPortGroup) {
        if (attached_.count(name) > 0) continue;
        modifies_.push_back({NetworkName(master->name),
                             SetLink{.link = name, .master = "", .group = 0}});
        continue;
      }
      auto network = wanted_.networks.find(master->name);
      if (network == wanted_.networks.end() || network_of_.count(name) > 0) {
        continue;
      }
      const std::vector<std::string>& released = network->second.released_links;
      if (std::find(released.begin(), released.end(), name) != released.end()) {
        modifies_.push_back(
            {NetworkName(master->name), SetLink{.link = name, .master = ""}});
      } else if (link.owned() && observed_.tunnels.count(name) > 0 &&
                 !scope_.HasTunnel(name) && wanted_.tunnels.count(name) > 0) {
        modifies_.push_back(
            {TunnelName(name), SetLink{.link = name, .master = ""}});
      }
    }
  }

  const Wanted& wanted_;
  const Observed& observed_;
  const Scope& scope_;
  std::map<std::string, const NetworkSpec*> network_of_;   // by port's link
  std::map<std::string, const AttachmentSpec*> attached_;  // by host_link
  std::map<uint32_t, const std::string*> name_of_;
  std::set<std::string> present_;  // tunnels that exist once the plan ran
  std::set<std::string> bridges_;  // the same for bridges

  std::map<DatapathType, std::vector<std::string>> deleted_tunnels_;
  std::vector<std::string> deleted_links_;
  std::vector<Step> creates_, modifies_, enslaves_, ups_;
};

}  // namespace

std::vector<Step> MakePlan(const Wanted& wanted, const Observed& observed,
                           const Scope& scope) {
  return Planner(wanted, observed, scope).Run();
}

uint32_t NetworkMtu(const NetworkSpec& network, const Wanted& wanted) {
  if (network.mtu != 0) return network.mtu;
  std::optional<uint32_t> smallest;
  for (const PortSpec& port : network.ports) {
    auto it = wanted.tunnels.find(port.tunnel);
    if (port.tunnel.empty() || it == wanted.tunnels.end()) continue;
    const uint32_t mtu =
        it->second.mtu != 0 ? it->second.mtu : kDefaultTunnelMtu;
    smallest = std::min(smallest.value_or(mtu), mtu);
  }
  return smallest.value_or(1500);
}

const NetworkSpec* NetworkOf(const std::string& link, const Wanted& wanted) {
  for (const auto& [id, network] : wanted.networks) {
    for (const PortSpec& port : network.ports) {
      if (port.link_name() == link) return &network;
    }
  }
  return nullptr;
}

}  // namespace eoip
