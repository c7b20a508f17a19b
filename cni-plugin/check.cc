// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/if_bridge.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "addressing.h"
#include "agent.h"
#include "base/status.h"
#include "cni_error.h"
#include "commands.h"
#include "ipam.h"
#include "links.h"
#include "net_conf.h"
#include "netns.h"
#include "pod_link.h"
#include "result.h"

namespace eoip::cni {
namespace {

constexpr absl::Duration kAgentTimeout = absl::Seconds(2);

// Compares what there is with prevResult and the configuration, and collects
// everything that is wrong.
class Checking {
 public:
  Checking(const Request& request, Config config, Result expected)
      : request_(request),
        config_(std::move(config)),
        expected_(std::move(expected)),
        agent_(request) {}

  absl::Status Run() {
    EOIP_RETURN_IF_ERROR(Open());
    EOIP_RETURN_IF_ERROR(FindInterface());
    const absl::Status agent = CheckAgent();
    EOIP_RETURN_IF_ERROR(CheckLinks());
    // A silent port's addresses and routes are its guest's.
    if (pod_link_ && !config_.silent) {
      EOIP_RETURN_IF_ERROR(CheckAddresses());
      EOIP_RETURN_IF_ERROR(CheckRoutes());
    }
    if (problems_.empty()) return agent;
    return Join(CniError(CniCode::kMismatch, absl::StrJoin(problems_, "; ")),
                agent);
  }

 private:
  absl::Status Open();
  absl::Status FindInterface();
  absl::Status CheckAgent();
  void CheckLease(const v1::Lease& lease);
  absl::Status CheckLinks();
  void CheckPodLink(const LinkInfo& pod);
  absl::Status CheckPort(const LinkInfo& host);
  absl::Status CheckVlans(const LinkInfo& host);
  absl::Status CheckLock(const LinkInfo& host);
  absl::Status CheckAddresses();
  absl::Status CheckRoutes();

  template <typename... Args>
  void Problem(const Args&... args) {
    problems_.push_back(absl::StrCat(args...));
  }
  // Absent: reported as missing.
  absl::StatusOr<std::optional<LinkInfo>> Find(RtnlSocket& socket,
                                               const std::string& name,
                                               absl::string_view where);

  const Request& request_;
  const Config config_;
  Result expected_;
  Agent agent_;
  std::vector<std::string> problems_;

  UniqueFd netns_;
  std::optional<RtnlSocket> host_;
  std::optional<RtnlSocket> pod_;
  uint32_t index_ = 0;  // of the pod's interface in prevResult
  uint32_t network_mtu_ = 0;
  uint32_t lease_mtu_ = 0;
  std::optional<LinkInfo> pod_link_;
};

absl::Status Checking::Open() {
  EOIP_ASSIGN_OR_RETURN(netns_,
                        OpenNetns(request_.netns, request_.netns_override));
  EOIP_ASSIGN_OR_RETURN(host_, RtnlSocket::Open());
  return RunInNetns(netns_.get(), [this] {
    EOIP_ASSIGN_OR_RETURN(pod_, RtnlSocket::Open());
    return absl::OkStatus();
  });
}

absl::Status Checking::FindInterface() {
  for (size_t i = 0; i < expected_.interfaces.size(); ++i) {
    const Interface& interface = expected_.interfaces[i];
    if (interface.name == request_.ifname && !interface.sandbox.empty()) {
      index_ = static_cast<uint32_t>(i);
      return absl::OkStatus();
    }
  }
  return CniError(CniCode::kConfig,
                  absl::StrCat("prevResult.interfaces: has no ",
                               request_.ifname, " with a sandbox"));
}

absl::Status Checking::CheckAgent() {
  const std::string name = agent_.AttachmentName(
      HostLinkName(request_.container_id, request_.ifname));
  const auto attachment = agent_.GetAttachment(name, kAgentTimeout);
  if (!attachment.ok()) return attachment.status();
  if (attachment->status().state() != v1::AttachmentStatus::ACTIVE) {
    Problem("the agent has the attachment as ",
            v1::AttachmentStatus::State_Name(attachment->status().state()),
            ": ", attachment->status().reason());
  }
  if (config_.dhcp) CheckLease(attachment->status().lease());
  EOIP_ASSIGN_OR_RETURN(v1::Network network, agent_.GetNetwork(kAgentTimeout));
  const v1::NetworkStatus& status = network.status();
  network_mtu_ = status.effective_mtu();
  if (status.state() == v1::NetworkStatus::FAILED) {
    Problem("network ", request_.network, " FAILED: ", status.reason());
  } else if (status.tunnels() > 0 && status.tunnels_active() == 0) {
    Problem("all ", status.tunnels(), " tunnels of network ", request_.network,
            " are down: ", status.reason());
  }
  return absl::OkStatus();
}

// The lease may have changed since the ADD: it, not prevResult, says what the
// pod is to have.
void Checking::CheckLease(const v1::Lease& lease) {
  lease_mtu_ = lease.mtu();
  if (lease.address().empty()) return;  // that state was told above
  bool same = false;
  for (Ip& ip : expected_.ips) {
    if (ip.interface != index_) continue;
    same = same || ip.address == lease.address();
    ip.address = lease.address();
    ip.gateway = lease.gateway();
  }
  if (!same) expected_.routes.clear();
}

absl::StatusOr<std::optional<LinkInfo>> Checking::Find(
    RtnlSocket& socket, const std::string& name, absl::string_view where) {
  auto link = GetLink(socket, name);
  if (link.ok()) return *std::move(link);
  if (!absl::IsNotFound(link.status())) return link.status();
  Problem("link ", name, " is missing ", where);
  return std::nullopt;
}

absl::Status Checking::CheckLinks() {
  EOIP_ASSIGN_OR_RETURN(pod_link_, Find(*pod_, request_.ifname, "in the pod"));
  EOIP_ASSIGN_OR_RETURN(
      std::optional<LinkInfo> host,
      Find(*host_, HostLinkName(request_.container_id, request_.ifname),
           "on the host"));
  if (pod_link_) CheckPodLink(*pod_link_);
  if (pod_link_ && host &&
      (host->peer != pod_link_->ifindex || pod_link_->peer != host->ifindex)) {
    Problem("links ", host->name, " and ", pod_link_->name,
            " are not the two ends of one pair");
  }
  return host ? CheckPort(*host) : absl::OkStatus();
}

void Checking::CheckPodLink(const LinkInfo& pod) {
  const Interface& expected = expected_.interfaces[index_];
  if (!expected.mac.empty()) {
    const auto mac = MacAddress::Parse(expected.mac);
    if (!mac.ok() || *mac != pod.mac) {
      Problem("link ", pod.name, " has MAC ", pod.mac.ToString(),
              ", prevResult has ", expected.mac);
    }
  }
  uint32_t mtu = expected.mtu != 0  ? expected.mtu
                 : config_.mtu != 0 ? config_.mtu
                                    : network_mtu_;
  if (expected.mtu == 0 && lease_mtu_ != 0) mtu = std::min(mtu, lease_mtu_);
  if (mtu != 0 && mtu != pod.mtu) {
    Problem("link ", pod.name, " has MTU ", pod.mtu, ", not ", mtu);
  }
  if (!(pod.flags & IFF_UP)) Problem("link ", pod.name, " is not up");
  if (config_.promisc && !(pod.flags & IFF_PROMISC)) {
    Problem("link ", pod.name, " is not promiscuous");
  }
}

absl::Status Checking::CheckPort(const LinkInfo& host) {
  if (!(host.flags & IFF_UP)) Problem("link ", host.name, " is not up");
  if (host.master == 0 || !host.port) {
    Problem("link ", host.name, " is in no bridge");
    return absl::OkStatus();
  }
  EOIP_ASSIGN_OR_RETURN(LinkInfo bridge, GetLink(*host_, host.master));
  if (bridge.name != request_.network) {
    Problem("link ", host.name, " is in bridge ", bridge.name, ", not ",
            request_.network);
  }
  if (host.port->state != BR_STATE_FORWARDING) {
    Problem("link ", host.name, " does not forward (bridge port state ",
            static_cast<int>(host.port->state), ")");
  }
  if (host.port->isolated != config_.isolated) {
    Problem("link ", host.name, " is ", config_.isolated ? "not " : "",
            "isolated");
  }
  if (host.port->hairpin != config_.hairpin) {
    Problem("link ", host.name, " has hairpin ",
            host.port->hairpin ? "on" : "off");
  }
  EOIP_RETURN_IF_ERROR(CheckLock(host));
  return CheckVlans(host);
}

absl::Status Checking::CheckLock(const LinkInfo& host) {
  if (host.port->locked != config_.macspoofchk) {
    Problem("link ", host.name, " is ", config_.macspoofchk ? "not " : "",
            "locked to its MAC");
  }
  if (!config_.macspoofchk) return absl::OkStatus();
  if (host.port->learning) Problem("link ", host.name, " learns MACs");
  EOIP_ASSIGN_OR_RETURN(std::vector<FdbEntry> entries,
                        ListStaticFdb(*host_, host.ifindex));
  bool own = false;
  for (const FdbEntry& entry : entries) {
    if (entry.mac == config_.mac) {
      own = true;
    } else {
      Problem("link ", host.name, " also lets in frames of ",
              entry.mac.ToString());
    }
  }
  if (!own) {
    Problem("link ", host.name, " has no FDB entry of ",
            config_.mac.ToString());
  }
  return absl::OkStatus();
}

absl::Status Checking::CheckVlans(const LinkInfo& host) {
  if (config_.vlan == 0 && config_.trunk.empty()) return absl::OkStatus();
  EOIP_ASSIGN_OR_RETURN(std::vector<BridgeVlan> vlans,
                        ListPortVlans(*host_, host.ifindex));
  std::map<uint32_t, bool> wanted;  // VLAN to whether it is untagged
  for (const VlanRange& range : config_.trunk) {
    for (uint32_t vid = range.first; vid <= range.last; ++vid) {
      wanted[vid] = false;
    }
  }
  if (config_.vlan != 0) wanted[config_.vlan] = true;
  for (const BridgeVlan& vlan : vlans) {
    auto it = wanted.find(vlan.vid);
    if (it == wanted.end()) {
      Problem("link ", host.name, " is in VLAN ", vlan.vid);
      continue;
    }
    if (it->second != (vlan.pvid && vlan.untagged)) {
      Problem("link ", host.name, " has VLAN ", vlan.vid,
              it->second ? " tagged" : " untagged");
    }
    wanted.erase(it);
  }
  for (const auto& [vid, untagged] : wanted) {
    Problem("link ", host.name, " is not in VLAN ", vid);
  }
  return absl::OkStatus();
}

absl::Status Checking::CheckAddresses() {
  EOIP_ASSIGN_OR_RETURN(std::vector<IpPrefix> present,
                        ListAddresses(*pod_, pod_link_->ifindex));
  for (const Ip& ip : expected_.ips) {
    if (ip.interface != index_) continue;
    const auto prefix = ParsePrefix(ip.address);
    if (!prefix.ok() ||
        std::find(present.begin(), present.end(), *prefix) == present.end()) {
      Problem("link ", pod_link_->name, " has no address ", ip.address);
    }
  }
  return absl::OkStatus();
}

absl::Status Checking::CheckRoutes() {
  std::vector<Ip> own;
  for (const Ip& ip : expected_.ips) {
    if (ip.interface == index_) own.push_back(ip);
  }
  // Whoever moved the link into a VRF answers for the routes: the kernel took
  // those of the link's own tables away.
  if (pod_link_->master != 0) return absl::OkStatus();
  for (const Route& route : expected_.routes) {
    const auto parsed = ParseRoute(route, own);
    if (!parsed.ok()) {
      return CniError(
          CniCode::kDecode,
          absl::StrCat("prevResult.routes: ", parsed.status().message()));
    }
    EOIP_ASSIGN_OR_RETURN(bool there, HasRoute(*pod_, *parsed));
    if (!there) Problem("the pod has no route ", parsed->ToString());
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Check(const Request& request) {
  EOIP_ASSIGN_OR_RETURN(Config config, ParseConfig(request));
  EOIP_ASSIGN_OR_RETURN(Result expected,
                        ParsePrevResult(At(request.conf, {"prevResult"})));
  if (expected.interfaces.empty()) {
    return CniError(CniCode::kConfig,
                    "prevResult: missing, or without interfaces");
  }
  EOIP_RETURN_IF_ERROR(
      Checking(request, std::move(config), std::move(expected)).Run());
  if (request.ipam_type.empty()) return absl::OkStatus();
  return RunIpam(request, "CHECK").status();
}

}  // namespace eoip::cni
