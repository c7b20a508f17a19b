// SPDX-License-Identifier: Apache-2.0
#include "plan/status.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace eoip {
namespace {

constexpr int kPortForwarding = 3;  // BR_STATE_FORWARDING

const Link* FindLink(const Observed& observed, const std::string& name) {
  auto it = observed.links.find(name);
  return it == observed.links.end() ? nullptr : &it->second;
}

// Holds no age, so that the status does not change while nothing happens.
std::string DescribeSilence(const ObservedTunnel& tunnel) {
  if (!tunnel.last_heard.has_value()) return "nothing heard from the peer yet";
  const TunnelConfig& config = tunnel.config;
  return absl::StrCat("the peer is silent (keepalive ",
                      config.keepalive_interval_s, "s,",
                      config.keepalive_retries, ")");
}

// Empty: the port is as it should be.
std::string PortProblem(const PortSpec& port, const Link& bridge,
                        const Wanted& wanted, const Observed& observed,
                        const std::map<std::string, TunnelStatus>& tunnels) {
  const std::string& name = port.link_name();
  if (!port.tunnel.empty() && wanted.tunnels.count(name) == 0) {
    return absl::StrCat(TunnelName(name), " does not exist");
  }
  const Link* link = FindLink(observed, name);
  if (link == nullptr) return absl::StrCat("link ", name, " does not exist");
  if (link->master != bridge.ifindex) {
    return absl::StrCat("link ", name,
                        link->master == 0 ? " is not in the bridge"
                                          : " is a port of another master");
  }
  if (port.tunnel.empty()) return "";
  auto status = tunnels.find(name);
  if (status == tunnels.end() || status->second.state == TunnelState::kActive) {
    return "";
  }
  return absl::StrCat(TunnelName(name), " is ", ToString(status->second.state));
}

}  // namespace

TunnelStatus EvaluateTunnel(const TunnelSpec& spec, const Wanted& wanted,
                            const Observed& observed,
                            const std::string& failure) {
  TunnelStatus status;
  const DatapathChoice choice = ChooseDatapath(spec, observed);
  status.datapath = choice.type;
  status.datapath_reason = choice.reason;
  if (const NetworkSpec* network = NetworkOf(spec.id, wanted)) {
    status.network = network->id;
  }
  auto it = observed.tunnels.find(spec.id);
  const ObservedTunnel* tunnel =
      it == observed.tunnels.end() || it->second.link_gone ? nullptr
                                                           : &it->second;
  const Link* link = tunnel != nullptr ? FindLink(observed, spec.id) : nullptr;
  if (link != nullptr) {
    status.ifindex = link->ifindex;
    status.effective_mtu = link->mtu;
    status.mac = link->mac;
  }
  if (!failure.empty()) {
    status.state = TunnelState::kFailed;
    status.reason = failure;
  } else if (link == nullptr) {
    status.state = TunnelState::kPending;
    status.reason = "the link is not there yet";
  } else if (spec.disabled) {
    status.state = TunnelState::kDisabled;
  } else if (!link->up) {
    status.state = TunnelState::kPending;
    status.reason = "the link is not up yet";
  } else if (!tunnel->peer_up) {
    status.state = TunnelState::kPeerDown;
    status.reason = DescribeSilence(*tunnel);
  } else {
    status.state = TunnelState::kActive;
    if (!tunnel->send_error.empty()) {
      status.reason = absl::StrCat("sending fails: ", tunnel->send_error);
    }
  }
  return status;
}

NetworkStatus EvaluateNetwork(
    const NetworkSpec& spec, const Wanted& wanted, const Observed& observed,
    const std::map<std::string, TunnelStatus>& tunnels,
    const std::string& failure) {
  NetworkStatus status;
  for (const auto& [key, attachment] : wanted.attachments) {
    if (key.network == spec.id) ++status.attachments;
  }
  for (const PortSpec& port : spec.ports) {
    if (port.tunnel.empty()) continue;
    ++status.tunnels;
    auto it = tunnels.find(port.tunnel);
    if (it != tunnels.end() && it->second.state == TunnelState::kActive) {
      ++status.tunnels_active;
    }
  }
  const Link* bridge = FindLink(observed, spec.id);
  if (bridge != nullptr && !(bridge->owned() && bridge->kind == "bridge")) {
    bridge = nullptr;
  }
  if (bridge != nullptr) {
    status.ifindex = bridge->ifindex;
    status.effective_mtu = bridge->mtu;
  }
  if (!failure.empty()) {
    status.state = NetworkState::kFailed;
    status.reason = failure;
    return status;
  }
  if (bridge == nullptr || !bridge->up) {
    status.state = NetworkState::kPending;
    status.reason = "the bridge is not up yet";
    return status;
  }
  std::vector<std::string> problems;
  for (const PortSpec& port : spec.ports) {
    std::string problem = PortProblem(port, *bridge, wanted, observed, tunnels);
    if (!problem.empty()) problems.push_back(std::move(problem));
  }
  constexpr size_t kShown = 3;
  if (problems.empty()) {
    status.state = NetworkState::kActive;
  } else {
    status.state = NetworkState::kDegraded;
    const size_t more = problems.size() > kShown ? problems.size() - kShown : 0;
    problems.resize(problems.size() - more);
    status.reason = absl::StrJoin(problems, "; ");
    if (more > 0) absl::StrAppend(&status.reason, "; and ", more, " more");
  }
  return status;
}

AttachmentStatus EvaluateAttachment(const AttachmentSpec& spec,
                                    const Wanted& wanted,
                                    const Observed& observed,
                                    const std::string& failure) {
  AttachmentStatus status;
  const Link* bridge = FindLink(observed, spec.network);
  const Link* link = FindLink(observed, spec.host_link);
  if (link != nullptr) status.ifindex = link->ifindex;
  auto network = wanted.networks.find(spec.network);
  if (network != wanted.networks.end()) {
    status.effective_mtu = NetworkMtu(network->second, wanted);
  }
  if (!failure.empty()) {
    status.state = AttachmentState::kFailed;
    status.reason = failure;
  } else if (link == nullptr) {
    status.state = AttachmentState::kFailed;
    status.reason = absl::StrCat("link ", spec.host_link, ": no such link");
  } else if (bridge == nullptr || link->master != bridge->ifindex) {
    status.state = AttachmentState::kPending;
    status.reason = "the port is not in the bridge yet";
  } else if (!link->up) {
    status.state = AttachmentState::kPending;
    status.reason = "the port is not up yet";
  } else if (link->carrier && link->bridge_port.has_value() &&
             link->bridge_port->state != kPortForwarding) {
    // Without a carrier (the pod's end is down) there is nothing to wait for.
    status.state = AttachmentState::kPending;
    status.reason = "the port does not forward yet";
  } else {
    status.state = AttachmentState::kActive;
  }
  return status;
}

}  // namespace eoip
