// SPDX-License-Identifier: Apache-2.0
#include "reconcile/observer.h"

#include <set>
#include <string>
#include <utility>

#include "base/status.h"

namespace eoip {
namespace {

// Above this many links one dump is cheaper than asking for each.
constexpr size_t kMaxSingleLinks = 24;

void AddTunnel(const Wanted& wanted, const std::string& id,
               std::set<std::string>& names) {
  names.insert(id);
  auto it = wanted.tunnels.find(id);
  if (it == wanted.tunnels.end()) return;
  if (!it->second.link.empty()) names.insert(it->second.link);
  if (!it->second.vrf.empty()) names.insert(it->second.vrf);
}

std::set<std::string> LinkNames(const Wanted& wanted, const Scope& scope) {
  std::set<std::string> names;
  for (const std::string& id : scope.tunnels) AddTunnel(wanted, id, names);
  for (const std::string& id : scope.networks) {
    names.insert(id);
    auto it = wanted.networks.find(id);
    if (it == wanted.networks.end()) continue;
    for (const PortSpec& port : it->second.ports)
      names.insert(port.link_name());
    for (const std::string& link : it->second.released_links)
      names.insert(link);
  }
  for (const auto& [key, attachment] : wanted.attachments) {
    if (!scope.HasAttachment(key)) continue;
    names.insert(key.network);
    names.insert(attachment.host_link);
  }
  return names;
}

}  // namespace

absl::StatusOr<Observed> Observer::Observe(const Wanted& wanted,
                                           const Scope& scope, bool complete) {
  Observed observed;
  for (Datapath* datapath : datapaths_) {
    Availability availability = datapath->Probe();
    observed.datapaths[datapath->type()] =
        DatapathView{.available = availability.available,
                     .reason = std::move(availability.reason)};
  }
  if (!scope.all && !complete) {
    const std::set<std::string> names = LinkNames(wanted, scope);
    if (names.size() <= kMaxSingleLinks) {
      EOIP_ASSIGN_OR_RETURN(const bool done,
                            ObserveNames(names, scope.tunnels, observed));
      if (done) {
        EOIP_RETURN_IF_ERROR(ObservePorts(wanted, scope, observed));
        return observed;
      }
      observed.links.clear();
      observed.tunnels.clear();
    }
  }
  EOIP_RETURN_IF_ERROR(ObserveAll(observed));
  EOIP_RETURN_IF_ERROR(ObservePorts(wanted, scope, observed));
  return observed;
}

absl::Status Observer::ObserveAll(Observed& observed) {
  EOIP_ASSIGN_OR_RETURN(observed.links, links_->Dump());
  for (Datapath* datapath : datapaths_) {
    DatapathView& view = observed.datapaths[datapath->type()];
    if (!view.available) continue;
    auto tunnels = datapath->List(observed.links);
    if (!tunnels.ok()) {
      view.unknown = true;
      view.reason = std::string(tunnels.status().message());
      continue;
    }
    for (ObservedTunnel& tunnel : *tunnels) {
      std::string name = tunnel.config.name;
      observed.tunnels.insert_or_assign(std::move(name), std::move(tunnel));
    }
  }
  return absl::OkStatus();
}

absl::Status Observer::ObservePorts(const Wanted& wanted, const Scope& scope,
                                    Observed& observed) {
  std::set<std::string> filtered;
  for (const auto& [id, network] : wanted.networks) {
    if (!scope.HasNetwork(id) || !network.vlan_filtering) continue;
    filtered.insert(id);
    for (const PortSpec& port : network.ports)
      filtered.insert(port.link_name());
  }
  std::set<std::string> locked;
  for (const auto& [key, attachment] : wanted.attachments) {
    if (!scope.HasAttachment(key)) continue;
    const std::string& name = attachment.host_link;
    const auto network = wanted.networks.find(key.network);
    if (network != wanted.networks.end() && network->second.vlan_filtering) {
      filtered.insert(name);
    }
    const auto link = observed.links.find(name);
    if (link == observed.links.end() || !link->second.bridge_port) continue;
    if (attachment.locked || link->second.bridge_port->locked) {
      locked.insert(name);
    }
  }
  if (!filtered.empty()) {
    EOIP_RETURN_IF_ERROR(ObserveVlans(filtered, observed));
  }
  for (const std::string& name : locked) {
    Link& link = observed.links.at(name);
    auto pinned = links_->GetPinned(link.ifindex);
    // Gone since: the event of that is on its way.
    if (absl::IsNotFound(pinned.status())) continue;
    EOIP_ASSIGN_OR_RETURN(link.pinned, std::move(pinned));
  }
  return absl::OkStatus();
}

absl::Status Observer::ObserveVlans(const std::set<std::string>& names,
                                    Observed& observed) {
  std::map<uint32_t, PortVlans> all;
  if (names.size() > kMaxSingleLinks) {
    EOIP_ASSIGN_OR_RETURN(all, links_->GetVlans(0));
  }
  for (const std::string& name : names) {
    auto it = observed.links.find(name);
    if (it == observed.links.end()) continue;
    Link& link = it->second;
    if (!link.bridge && !link.bridge_port) continue;
    if (names.size() <= kMaxSingleLinks) {
      EOIP_ASSIGN_OR_RETURN(all, links_->GetVlans(link.ifindex));
    }
    auto vlans = all.find(link.ifindex);
    link.vlans = vlans == all.end() ? PortVlans{} : std::move(vlans->second);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Observer::ObserveNames(
    const std::set<std::string>& names, const std::set<std::string>& tunnels,
    Observed& observed) {
  std::set<uint32_t> known;
  for (const std::string& name : names) {
    auto link = links_->Get(name);
    if (absl::IsNotFound(link.status())) continue;
    EOIP_RETURN_IF_ERROR(link.status());
    known.insert(link->ifindex);
    observed.links.emplace(name, *std::move(link));
  }
  // Whether an unknown master is ours only a complete look can tell.
  for (const auto& [name, link] : observed.links) {
    if (link.master != 0 && known.count(link.master) == 0) return false;
  }
  for (Datapath* datapath : datapaths_) {
    DatapathView& view = observed.datapaths[datapath->type()];
    if (!view.available) continue;
    for (const std::string& name : tunnels) {
      auto it = observed.links.find(name);
      auto tunnel = datapath->Get(
          name, it == observed.links.end() ? nullptr : &it->second);
      if (absl::IsNotFound(tunnel.status())) continue;
      if (!tunnel.ok()) {
        view.unknown = true;
        view.reason = std::string(tunnel.status().message());
        break;
      }
      observed.tunnels.insert_or_assign(name, *std::move(tunnel));
    }
  }
  return true;
}

}  // namespace eoip
