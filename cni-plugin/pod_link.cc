// SPDX-License-Identifier: Apache-2.0
#include "pod_link.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/veth.h>
#include <sys/socket.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace eoip::cni {
namespace {

constexpr size_t kMaxAlias = 255;  // IFALIASZ less the NUL
constexpr absl::string_view kAliasPrefix = "eoip/";

absl::string_view Bytes(const MacAddress& mac) {
  return {reinterpret_cast<const char*>(mac.bytes().data()),
          mac.bytes().size()};
}

void PutAddrGenMode(RtnlMessage& message, uint8_t mode) {
  const size_t families = message.Begin(IFLA_AF_SPEC);
  const size_t inet6 = message.Begin(AF_INET6);
  message.PutU8(IFLA_INET6_ADDR_GEN_MODE, mode);
  message.End(inet6);
  message.End(families);
}

absl::Status SetAddrGenMode(RtnlSocket& socket, const std::string& link,
                            uint8_t mode) {
  RtnlMessage request(RTM_SETLINK, 0, ifinfomsg{});
  request.PutString(IFLA_IFNAME, link);
  PutAddrGenMode(request, mode);
  absl::Status status =
      socket.Ask(absl::StrCat("set the address mode of ", link), request);
  // EAFNOSUPPORT: a kernel without IPv6 makes no addresses either.
  return absl::IsFailedPrecondition(status) ? absl::OkStatus() : status;
}

// What both ends are made with. One queue each way, which is what they use in
// any case: where the message does not say so, the kernel makes one for each
// CPU and takes them back, for which it waits twice with everybody else's
// netlink requests behind it (veth_init_queues in drivers/net/veth.c).
void PutEnd(RtnlMessage& message, const std::string& name,
            const MacAddress& mac, uint32_t mtu) {
  message.PutString(IFLA_IFNAME, name);
  message.Put(IFLA_ADDRESS, Bytes(mac));
  message.PutU32(IFLA_MTU, mtu);
  message.PutU32(IFLA_NUM_TX_QUEUES, 1);
  message.PutU32(IFLA_NUM_RX_QUEUES, 1);
}

// One message for the change and the silence.
absl::Status AskSilenced(RtnlSocket& socket, absl::string_view what,
                         RtnlMessage request) {
  RtnlMessage silenced = request;
  PutAddrGenMode(silenced, IN6_ADDR_GEN_MODE_NONE);
  const absl::Status status = socket.Ask(what, silenced);
  // EAFNOSUPPORT: a kernel without IPv6 makes no addresses either.
  return absl::IsFailedPrecondition(status) ? socket.Ask(what, request)
                                            : status;
}

}  // namespace

MacAddress HostMac(const MacAddress& pod) {
  auto bytes = pod.bytes();
  bytes[0] = bytes[0] == 0xfe ? 0xfa : 0xfe;
  return MacAddress(bytes);
}

std::string MakeAlias(absl::string_view name, absl::string_view ifname,
                      absl::string_view container_id) {
  return absl::StrCat(kAliasPrefix, name, "/", ifname, "/", container_id)
      .substr(0, kMaxAlias);
}

absl::string_view AliasName(absl::string_view alias) {
  if (!absl::ConsumePrefix(&alias, kAliasPrefix)) return {};
  return alias.substr(0, alias.find('/'));
}

bool AliasMatches(absl::string_view alias, absl::string_view ifname,
                  absl::string_view container_id) {
  return alias == MakeAlias(AliasName(alias), ifname, container_id);
}

bool IsUnfinished(const LinkInfo& link) {
  return link.kind == "veth" && link.alias.empty() && link.group == kPodGroup;
}

bool IsHostEndOf(const LinkInfo& link, absl::string_view ifname,
                 absl::string_view container_id) {
  return IsUnfinished(link) || (link.kind == "veth" &&
                                AliasMatches(link.alias, ifname, container_id));
}

absl::Status CreatePair(RtnlSocket& host, const PodLinkSpec& spec) {
  RtnlMessage request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, ifinfomsg{});
  PutEnd(request, spec.host_name, HostMac(spec.mac), spec.mtu);
  request.PutU32(IFLA_GROUP, kPodGroup);
  const size_t info = request.Begin(IFLA_LINKINFO);
  request.PutString(IFLA_INFO_KIND, "veth");
  const size_t data = request.Begin(IFLA_INFO_DATA);
  const size_t peer = request.Begin(VETH_INFO_PEER);
  const ifinfomsg peer_header{};
  request.Append(&peer_header, sizeof(peer_header));
  PutEnd(request, spec.pod_name, spec.mac, spec.mtu);
  request.PutU32(IFLA_NET_NS_FD, static_cast<uint32_t>(spec.pod_netns));
  request.End(peer);
  request.End(data);
  request.End(info);
  return host.Ask(absl::StrCat("create the veth pair ", spec.host_name,
                               " and, in the pod, ", spec.pod_name),
                  request);
}

absl::Status DressHostEnd(RtnlSocket& host, const PodLinkSpec& spec) {
  // The kernel takes no alias when it creates a link.
  RtnlMessage request(RTM_SETLINK, 0, ifinfomsg{});
  request.PutString(IFLA_IFNAME, spec.host_name);
  request.Put(IFLA_IFALIAS, spec.alias);
  return AskSilenced(host, absl::StrCat("set the alias of ", spec.host_name),
                     std::move(request));
}

absl::Status RaisePodEnd(RtnlSocket& pod, const PodLinkSpec& spec) {
  ifinfomsg header{};
  header.ifi_flags = IFF_UP | (spec.promisc ? IFF_PROMISC : 0);
  header.ifi_change = header.ifi_flags;
  RtnlMessage request(RTM_SETLINK, 0, header);
  request.PutString(IFLA_IFNAME, spec.pod_name);
  return AskSilenced(pod, absl::StrCat("set ", spec.pod_name, " up in the pod"),
                     std::move(request));
}

absl::Status SetMtu(RtnlSocket& socket, const std::string& link, uint32_t mtu) {
  RtnlMessage request(RTM_SETLINK, 0, ifinfomsg{});
  request.PutString(IFLA_IFNAME, link);
  request.PutU32(IFLA_MTU, mtu);
  return socket.Ask(absl::StrCat("set the MTU of ", link, " to ", mtu),
                    request);
}

absl::Status AllowLinkLocal(RtnlSocket& pod, const std::string& link) {
  return SetAddrGenMode(pod, link, IN6_ADDR_GEN_MODE_EUI64);
}

}  // namespace eoip::cni
