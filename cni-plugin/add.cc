// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "addressing.h"
#include "agent.h"
#include "announce.h"
#include "base/log.h"
#include "base/status.h"
#include "cni_error.h"
#include "commands.h"
#include "in_flight.h"
#include "ipam.h"
#include "lease.h"
#include "links.h"
#include "net_conf.h"
#include "netns.h"
#include "pod_link.h"
#include "result.h"

namespace eoip::cni {
namespace {

constexpr uint32_t kIpv6MinMtu = 1280;  // RFC 8200 section 5

// One ADD: its steps in order, and what undoes each of them.
class Adding {
 public:
  Adding(const Request& request, Config config, Result previous)
      : request_(request),
        config_(std::move(config)),
        result_(std::move(previous)),
        agent_(request) {}

  absl::StatusOr<Result> Run() {
    absl::Status status = Steps();
    if (status.ok()) return result_;
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
    return status;
  }

 private:
  absl::Status Steps() {
    EOIP_RETURN_IF_ERROR(Open());
    // A delegate that asks a server on the network needs the port first; the
    // agent then does not hear of the addresses. Others run meanwhile.
    const bool over_the_port = request_.ipam_type == "dhcp";
    if (!over_the_port) {
      // What exists already belongs to a container whose addresses an undo must
      // not release.
      EOIP_RETURN_IF_ERROR(CheckNamesAreFree());
      EOIP_RETURN_IF_ERROR(StartIpam());
    }
    EOIP_RETURN_IF_ERROR(MakePair());
    if (over_the_port) {
      EOIP_RETURN_IF_ERROR(Attach());
      EOIP_RETURN_IF_ERROR(StartIpam());
    }
    EOIP_RETURN_IF_ERROR(AllocateAddresses());
    if (!over_the_port) EOIP_RETURN_IF_ERROR(Attach());
    EOIP_RETURN_IF_ERROR(AdjustMtu());
    if (!config_.silent) {
      EOIP_RETURN_IF_ERROR(AddAddresses());
      EOIP_RETURN_IF_ERROR(AddRoutes());
      EOIP_RETURN_IF_ERROR(AnnounceAddresses());
    }
    return FillResult();
  }

  absl::Status Open();
  absl::Status MakePair();
  absl::Status StartIpam();
  absl::Status AllocateAddresses();
  absl::Status Attach();
  absl::Status TakeLease(const v1::Lease& lease);
  absl::Status AdjustMtu();
  absl::Status AddAddresses();
  absl::Status SwitchIpv6(bool on);  // on the pod's end
  absl::Status EnableIpv6();
  absl::Status AddRoutes();
  absl::Status AnnounceAddresses();
  absl::Status FillResult();
  // Code 101: the link of one of both ends is there.
  absl::Status CheckNamesAreFree();
  uint32_t AddInterface(const std::string& name, const MacAddress& mac,
                        uint32_t mtu, absl::string_view sandbox);

  const Request& request_;
  Config config_;
  Result result_;  // prevResult first, ours in the end
  Result ipam_;    // addresses, routes and DNS for this interface
  Agent agent_;
  std::optional<IpamRun> ipam_run_;  // while it runs
  std::vector<std::function<void()>> undo_;

  UniqueFd lock_;
  UniqueFd netns_;
  std::optional<RtnlSocket> host_;
  std::optional<RtnlSocket> pod_;
  PodLinkSpec link_;
  LinkInfo pod_end_;          // once there is an address
  uint32_t network_mtu_ = 0;  // 0: the agent does not know
  uint32_t lease_mtu_ = 0;    // 0: no limit
};

void Warn(absl::string_view what, const absl::Status& status) {
  if (!status.ok()) LogWarning(what, ": ", status.message());
}

absl::Status Adding::CheckNamesAreFree() {
  if (GetLink(*pod_, link_.pod_name).ok()) {
    return CniError(
        CniCode::kExists,
        absl::StrCat("link ", link_.pod_name, " exists already in the pod"));
  }
  if (GetLink(*host_, link_.host_name).ok()) {
    return CniError(
        CniCode::kExists,
        absl::StrCat("link ", link_.host_name,
                     " exists already on the host; the container was not "
                     "DELeted"));
  }
  return absl::OkStatus();
}

absl::Status Adding::Open() {
  EOIP_ASSIGN_OR_RETURN(netns_,
                        OpenNetns(request_.netns, request_.netns_override));
  link_.host_name = HostLinkName(request_.container_id, request_.ifname);
  link_.pod_name = request_.ifname;
  link_.pod_netns = netns_.get();
  link_.mac = config_.mac;
  if (config_.mtu != 0) link_.mtu = config_.mtu;
  link_.promisc = config_.promisc;
  link_.alias =
      MakeAlias(request_.name, request_.ifname, request_.container_id);
  EOIP_ASSIGN_OR_RETURN(lock_,
                        TakeAttachment(link_.host_name, absl::ZeroDuration()));
  EOIP_ASSIGN_OR_RETURN(host_, RtnlSocket::Open());
  return RunInNetns(netns_.get(), [this] {
    EOIP_ASSIGN_OR_RETURN(pod_, RtnlSocket::Open());
    return absl::OkStatus();
  });
}

absl::Status Adding::MakePair() {
  const absl::Status made = CreatePair(*host_, link_);
  if (absl::IsAlreadyExists(made)) {
    EOIP_RETURN_IF_ERROR(CheckNamesAreFree());
    return CniError(CniCode::kExists, made.message());
  }
  // Also after another error: the kernel's answer may be what was lost.
  undo_.push_back([this] {
    const auto link = GetLink(*host_, link_.host_name);
    if (link.ok() &&
        IsHostEndOf(*link, request_.ifname, request_.container_id)) {
      Warn("undo ADD: delete the link", DeleteLink(*host_, link->ifindex));
    }
  });
  EOIP_RETURN_IF_ERROR(made);
  EOIP_RETURN_IF_ERROR(DressHostEnd(*host_, link_));
  // In a pod that forwards, the kernel tells routers' groups even without any
  // address.
  if (config_.silent) EOIP_RETURN_IF_ERROR(SwitchIpv6(false));
  return RaisePodEnd(*pod_, link_);
}

absl::Status Adding::StartIpam() {
  if (request_.ipam_type.empty()) return absl::OkStatus();
  // Also when it fails: it may have allocated before it did.
  undo_.push_back([this] {
    if (ipam_run_) ipam_run_->Finish().IgnoreError();
    Warn("undo ADD: IPAM DEL", RunIpam(request_, "DEL").status());
  });
  EOIP_ASSIGN_OR_RETURN(
      ipam_run_, IpamRun::Start(request_, "ADD", absl::InfiniteDuration()));
  agent_.Dial();
  return absl::OkStatus();
}

absl::Status Adding::AllocateAddresses() {
  if (request_.ipam_type.empty()) {
    for (const std::string& address : config_.ips) {
      ipam_.ips.emplace_back().address = address;
    }
    return absl::OkStatus();
  }
  const auto output = ipam_run_->Finish();
  ipam_run_.reset();
  EOIP_RETURN_IF_ERROR(output.status());
  EOIP_ASSIGN_OR_RETURN(ipam_, ParseIpamResult(request_, *output));
  return absl::OkStatus();
}

absl::Status Adding::Attach() {
  v1::Attachment attachment;
  attachment.set_name(agent_.AttachmentName(link_.host_name));
  attachment.set_host_link(link_.host_name);
  attachment.set_container_id(request_.container_id);
  attachment.set_ifname(request_.ifname);
  attachment.set_netns(request_.netns);
  attachment.set_mac(config_.mac.ToString());
  for (const Ip& ip : ipam_.ips) attachment.add_addresses(ip.address);
  if (config_.dhcp) {
    attachment.mutable_dhcp()->set_client_id(config_.dhcp->client_id);
    attachment.mutable_dhcp()->set_hostname(config_.dhcp->hostname);
  }
  attachment.set_vlan(config_.vlan);
  for (const VlanRange& range : config_.trunk) {
    v1::VlanRange* trunk = attachment.add_trunk();
    trunk->set_first(range.first);
    trunk->set_last(range.last);
  }
  attachment.set_locked(config_.macspoofchk);
  attachment.set_isolated(config_.isolated);
  attachment.set_hairpin(config_.hairpin);
  attachment.set_pod_namespace(std::string(request_.Arg("K8S_POD_NAMESPACE")));
  attachment.set_pod_name(std::string(request_.Arg("K8S_POD_NAME")));

  // Also when it fails: the agent may have kept it and its answer be lost.
  undo_.push_back([this] {
    Warn("undo ADD: the agent forgets the attachment when it sees the link go",
         agent_.DeleteAttachment(agent_.AttachmentName(link_.host_name)));
  });
  EOIP_ASSIGN_OR_RETURN(
      v1::Attachment made,
      agent_.CreateAttachment(attachment, config_.inline_network
                                              ? &*config_.inline_network
                                              : nullptr));
  network_mtu_ = made.status().effective_mtu();
  return config_.dhcp ? TakeLease(made.status().lease()) : absl::OkStatus();
}

absl::Status Adding::TakeLease(const v1::Lease& lease) {
  auto result = LeaseResult(lease);
  if (!result.ok()) {
    return CniError(CniCode::kTryAgain,
                    absl::StrCat("agent: ", result.status().message()));
  }
  ipam_ = *std::move(result);
  lease_mtu_ = lease.mtu();
  return absl::OkStatus();
}

absl::Status Adding::AdjustMtu() {
  if (network_mtu_ != 0 && config_.mtu > network_mtu_) {
    return CniError(
        CniCode::kConfig,
        absl::StrCat("mtu: '", config_.mtu, "': must be at most ", network_mtu_,
                     ", the MTU of network ", request_.network));
  }
  uint32_t mtu = config_.mtu != 0 ? config_.mtu : network_mtu_;
  if (mtu == 0) mtu = link_.mtu;
  if (lease_mtu_ != 0) mtu = std::min(mtu, lease_mtu_);
  if (mtu == link_.mtu) return absl::OkStatus();
  link_.mtu = mtu;
  EOIP_RETURN_IF_ERROR(SetMtu(*host_, link_.host_name, link_.mtu));
  return SetMtu(*pod_, link_.pod_name, link_.mtu);
}

absl::Status Adding::SwitchIpv6(bool on) {
  const std::string file =
      absl::StrCat("/proc/sys/net/ipv6/conf/", link_.pod_name, "/disable_ipv6");
  const char wanted = on ? '0' : '1';
  return RunInNetns(netns_.get(), [&] {
    UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    // A kernel without IPv6 needs no switch to be off.
    if (!fd.valid() && errno == ENOENT && !on) return absl::OkStatus();
    char value = 0;
    if (!fd.valid() || ::read(fd.get(), &value, 1) != 1) {
      return ErrnoToStatus(errno, file);
    }
    if (value == wanted) return absl::OkStatus();
    fd.reset(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd.valid() || ::write(fd.get(), &wanted, 1) != 1) {
      return ErrnoToStatus(errno, file);
    }
    return absl::OkStatus();
  });
}

absl::Status Adding::EnableIpv6() {
  if (link_.mtu < kIpv6MinMtu) {
    return CniError(CniCode::kConfig,
                    absl::StrCat("mtu: '", link_.mtu, "': must be at least ",
                                 kIpv6MinMtu, " with IPv6 addresses"));
  }
  // Runtimes switch IPv6 off in pods that they think have none.
  EOIP_RETURN_IF_ERROR(SwitchIpv6(true));
  EOIP_RETURN_IF_ERROR(AllowLinkLocal(*pod_, link_.pod_name));
  // The mode alone makes no address on a link that is up already.
  const absl::Status status =
      AddAddress(*pod_, pod_end_.ifindex, LinkLocalOf(config_.mac));
  return absl::IsAlreadyExists(status) ? absl::OkStatus() : status;
}

absl::Status Adding::AddAddresses() {
  if (ipam_.ips.empty()) return absl::OkStatus();
  EOIP_ASSIGN_OR_RETURN(pod_end_, GetLink(*pod_, link_.pod_name));
  bool ipv6_enabled = false;
  for (const Ip& ip : ipam_.ips) {
    EOIP_ASSIGN_OR_RETURN(IpPrefix prefix, ParsePrefix(ip.address));
    if (prefix.address.is_v6() && !ipv6_enabled) {
      EOIP_RETURN_IF_ERROR(EnableIpv6());
      ipv6_enabled = true;
    }
    const absl::Status added = AddAddress(*pod_, pod_end_.ifindex, prefix);
    // An agent that was restarted meanwhile may have brought its lease.
    if (config_.dhcp && absl::IsAlreadyExists(added)) continue;
    EOIP_RETURN_IF_ERROR(added);
  }
  return absl::OkStatus();
}

absl::Status Adding::AddRoutes() {
  std::vector<Route> applied;
  for (const Route& route : ipam_.routes) {
    auto parsed = ParseRoute(route, ipam_.ips);
    if (!parsed.ok()) {
      return CniError(
          CniCode::kDecode,
          absl::StrCat("result of the IPAM plugin ", request_.ipam_type,
                       ": routes: ", parsed.status().message()));
    }
    const absl::Status status = AddRoute(*pod_, pod_end_.ifindex, *parsed);
    // Another interface of the pod has it, say the default route: that one
    // stays, and the result does not claim it for this one.
    if (absl::IsAlreadyExists(status)) {
      LogWarning("route left out: ", status.message());
      continue;
    }
    EOIP_RETURN_IF_ERROR(status);
    applied.push_back(route);
  }
  ipam_.routes = std::move(applied);
  return absl::OkStatus();
}

absl::Status Adding::AnnounceAddresses() {
  std::vector<IpAddress> addresses;
  for (const Ip& ip : ipam_.ips) {
    EOIP_ASSIGN_OR_RETURN(IpPrefix prefix, ParsePrefix(ip.address));
    addresses.push_back(prefix.address);
  }
  if (addresses.empty()) return absl::OkStatus();
  return RunInNetns(netns_.get(),
                    [&] { return Announce(*pod_, pod_end_, addresses); });
}

uint32_t Adding::AddInterface(const std::string& name, const MacAddress& mac,
                              uint32_t mtu, absl::string_view sandbox) {
  // A plugin before this one in the chain may have listed the bridge.
  const auto count = static_cast<uint32_t>(result_.interfaces.size());
  for (uint32_t i = 0; i < count; ++i) {
    const Interface& known = result_.interfaces[i];
    if (known.name == name && known.sandbox == sandbox) return i;
  }
  Interface& interface = result_.interfaces.emplace_back();
  interface.name = name;
  interface.mac = mac.ToString();
  interface.mtu = mtu;
  interface.sandbox = std::string(sandbox);
  return count;
}

absl::Status Adding::FillResult() {
  // The agent names a bridge after its network.
  EOIP_ASSIGN_OR_RETURN(LinkInfo bridge, GetLink(*host_, request_.network));
  AddInterface(bridge.name, bridge.mac, bridge.mtu, "");
  AddInterface(link_.host_name, HostMac(link_.mac), link_.mtu, "");
  const uint32_t index =
      AddInterface(link_.pod_name, link_.mac, link_.mtu, request_.netns);
  for (const Ip& ip : ipam_.ips) {
    result_.ips.push_back(ip);
    result_.ips.back().interface = index;
  }
  result_.routes.insert(result_.routes.end(), ipam_.routes.begin(),
                        ipam_.routes.end());
  if (!config_.dns.empty()) {
    result_.dns = config_.dns;
  } else if (!ipam_.dns.empty()) {
    result_.dns = ipam_.dns;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Result> Add(const Request& request) {
  EOIP_ASSIGN_OR_RETURN(Config config, ParseConfig(request));
  EOIP_ASSIGN_OR_RETURN(Result previous,
                        ParsePrevResult(At(request.conf, {"prevResult"})));
  for (const std::string& warning : config.warnings) LogWarning(warning);
  return Adding(request, std::move(config), std::move(previous)).Run();
}

}  // namespace eoip::cni
