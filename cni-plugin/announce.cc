// SPDX-License-Identifier: Apache-2.0
#include "announce.h"

#include <linux/if_link.h>
#include <linux/ip.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/unique_fd.h"

// Not with a packet socket: closing one takes the kernel a grace period of RCU,
// 10 to 20 ms (packet_release in net/packet/af_packet.c).

namespace eoip::cni {
namespace {

absl::string_view Bytes(const MacAddress& mac) {
  return {reinterpret_cast<const char*>(mac.bytes().data()), 6};
}

void PutArpNotify(RtnlMessage& message, bool on) {
  const size_t families = message.Begin(IFLA_AF_SPEC);
  const size_t inet = message.Begin(AF_INET);
  const size_t conf = message.Begin(IFLA_INET_CONF);
  message.PutU32(IPV4_DEVCONF_ARP_NOTIFY, on ? 1 : 0);
  message.End(conf);
  message.End(inet);
  message.End(families);
}

// The kernel announces all IPv4 addresses of a link whose MAC is set, where
// arp_notify is on (inetdev_event in net/ipv4/devinet.c).
absl::Status AnnounceIpv4(RtnlSocket& pod, const LinkInfo& link) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(link.ifindex);
  if (!link.arp_notify) {
    RtnlMessage notify(RTM_SETLINK, 0, header);
    PutArpNotify(notify, true);
    EOIP_RETURN_IF_ERROR(
        pod.Ask(absl::StrCat("set arp_notify of ", link.name), notify));
  }
  // The kernel sets the MAC first, so one message does both.
  RtnlMessage announce(RTM_SETLINK, 0, header);
  announce.Put(IFLA_ADDRESS, Bytes(link.mac));
  PutArpNotify(announce, link.arp_notify);
  return pod.Ask(absl::StrCat("announce the addresses of ", link.name),
                 announce);
}

absl::Status AnnounceIpv6(const LinkInfo& link, const IpAddress& address) {
  const std::string what = absl::StrCat("announce ", address.ToString());
  UniqueFd fd(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  if (!fd.valid()) return ErrnoToStatus(errno, "open an ICMPv6 socket");
  const int hops = 255;  // RFC 4861 section 7.1.2: others are dropped
  const int loop = 0;
  sockaddr_in6 from{};
  from.sin6_family = AF_INET6;
  from.sin6_scope_id = link.ifindex;
  memcpy(&from.sin6_addr, address.bytes().data(), sizeof(from.sin6_addr));
  sockaddr_in6 to{};
  to.sin6_family = AF_INET6;
  to.sin6_scope_id = link.ifindex;
  to.sin6_addr.s6_addr[0] = 0xff;  // ff02::1, all nodes
  to.sin6_addr.s6_addr[1] = 0x02;
  to.sin6_addr.s6_addr[15] = 1;
  const std::string message = MakeAdvertisement(address, link.mac);
  if (::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops,
                   sizeof(hops)) != 0 ||
      ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_MULTICAST_LOOP, &loop,
                   sizeof(loop)) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from),
             sizeof(from)) != 0 ||
      ::sendto(fd.get(), message.data(), message.size(), 0,
               reinterpret_cast<const sockaddr*>(&to), sizeof(to)) < 0) {
    return ErrnoToStatus(errno, what);
  }
  return absl::OkStatus();
}

}  // namespace

std::string MakeAdvertisement(const IpAddress& address, const MacAddress& mac) {
  nd_neighbor_advert advert{};
  advert.nd_na_type = ND_NEIGHBOR_ADVERT;
  advert.nd_na_flags_reserved = ND_NA_FLAG_OVERRIDE;
  memcpy(&advert.nd_na_target, address.bytes().data(),
         sizeof(advert.nd_na_target));
  nd_opt_hdr option{};
  option.nd_opt_type = ND_OPT_TARGET_LINKADDR;
  option.nd_opt_len = 1;  // in units of 8 bytes
  std::string message(reinterpret_cast<const char*>(&advert), sizeof(advert));
  message.append(reinterpret_cast<const char*>(&option), sizeof(option));
  return message.append(Bytes(mac).data(), Bytes(mac).size());
}

absl::Status Announce(RtnlSocket& pod, const LinkInfo& link,
                      const std::vector<IpAddress>& addresses) {
  if (std::any_of(addresses.begin(), addresses.end(),
                  [](const IpAddress& address) { return !address.is_v6(); })) {
    EOIP_RETURN_IF_ERROR(AnnounceIpv4(pod, link));
  }
  for (const IpAddress& address : addresses) {
    if (address.is_v6()) EOIP_RETURN_IF_ERROR(AnnounceIpv6(link, address));
  }
  return absl::OkStatus();
}

}  // namespace eoip::cni
