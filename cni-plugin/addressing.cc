// SPDX-License-Identifier: Apache-2.0
#include "addressing.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip::cni {
namespace {

uint8_t FamilyOf(const IpAddress& address) {
  return address.is_v6() ? AF_INET6 : AF_INET;
}

// An address that is not set means all zeros.
IpAddress AddressOrZero(absl::string_view bytes, uint8_t family) {
  auto address = IpAddress::FromBytes(
      bytes.empty() ? absl::string_view("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
                                        family == AF_INET6 ? 16 : 4)
                    : bytes);
  return address.ok() ? *address : IpAddress();
}

absl::StatusOr<std::optional<IpAddress>> GatewayOf(const Route& route,
                                                   const IpPrefix& dst,
                                                   const std::vector<Ip>& ips) {
  if (!route.gw.empty()) {
    EOIP_ASSIGN_OR_RETURN(IpAddress gateway, IpAddress::Parse(route.gw));
    if (gateway.is_v6() != dst.address.is_v6()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "'", route.gw, "' is of another family than ", route.dst));
    }
    return gateway;
  }
  if (route.scope) return std::nullopt;
  for (const Ip& ip : ips) {
    auto gateway = IpAddress::Parse(ip.gateway);
    if (gateway.ok() && gateway->is_v6() == dst.address.is_v6()) {
      return *gateway;
    }
  }
  return std::nullopt;
}

ifaddrmsg AddressHeader(uint32_t ifindex, const IpPrefix& prefix) {
  ifaddrmsg header{};
  header.ifa_family = FamilyOf(prefix.address);
  header.ifa_prefixlen = prefix.length;
  header.ifa_index = ifindex;
  return header;
}

}  // namespace

std::string PodRoute::ToString() const {
  std::string text = absl::StrCat(dst.address.ToString(), "/", dst.length);
  if (gateway) absl::StrAppend(&text, " via ", gateway->ToString());
  return text;
}

absl::StatusOr<PodRoute> ParseRoute(const Route& route,
                                    const std::vector<Ip>& ips) {
  PodRoute result;
  EOIP_ASSIGN_OR_RETURN(IpPrefix dst, ParsePrefix(route.dst));
  result.dst = NetworkOf(dst);
  EOIP_ASSIGN_OR_RETURN(result.gateway, GatewayOf(route, result.dst, ips));
  result.mtu = route.mtu;
  result.advmss = route.advmss;
  result.priority = route.priority;
  result.table = route.table.value_or(result.table);
  if (route.scope) {
    if (*route.scope > 255) {
      return absl::InvalidArgumentError(
          absl::StrCat("scope '", *route.scope, "' is not 0 to 255"));
    }
    result.scope = static_cast<uint8_t>(*route.scope);
  }
  return result;
}

absl::Status AddAddress(RtnlSocket& socket, uint32_t ifindex,
                        const IpPrefix& prefix) {
  RtnlMessage request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL,
                      AddressHeader(ifindex, prefix));
  request.Put(IFA_LOCAL, prefix.address.bytes());
  request.Put(IFA_ADDRESS, prefix.address.bytes());
  if (!prefix.address.is_v6() && prefix.length < 31) {
    std::string broadcast(NetworkOf(prefix).address.bytes());
    for (size_t bit = prefix.length; bit < 32; ++bit) {
      broadcast[bit / 8] =
          static_cast<char>(broadcast[bit / 8] | (0x80 >> (bit % 8)));
    }
    request.Put(IFA_BROADCAST, broadcast);
  }
  if (prefix.address.is_v6()) request.PutU32(IFA_FLAGS, IFA_F_NODAD);
  return socket.Ask(absl::StrCat("add the address ", prefix.address.ToString(),
                                 "/", prefix.length),
                    request);
}

absl::Status DeleteAddress(RtnlSocket& socket, uint32_t ifindex,
                           const IpPrefix& prefix) {
  RtnlMessage request(RTM_DELADDR, 0, AddressHeader(ifindex, prefix));
  request.Put(IFA_LOCAL, prefix.address.bytes());
  return socket.Ask(absl::StrCat("remove the address ",
                                 prefix.address.ToString(), "/", prefix.length),
                    request);
}

absl::Status AddRoute(RtnlSocket& socket, uint32_t ifindex,
                      const PodRoute& route) {
  const bool v6 = route.dst.address.is_v6();
  rtmsg header{};
  header.rtm_family = FamilyOf(route.dst.address);
  header.rtm_dst_len = route.dst.length;
  header.rtm_table = route.table < 256 ? static_cast<uint8_t>(route.table) : 0;
  header.rtm_protocol = RTPROT_BOOT;
  header.rtm_type = RTN_UNICAST;
  header.rtm_scope = route.scope ? *route.scope
                     : route.gateway || v6
                         ? static_cast<uint8_t>(RT_SCOPE_UNIVERSE)
                         : static_cast<uint8_t>(RT_SCOPE_LINK);
  RtnlMessage request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, header);
  request.PutU32(RTA_TABLE, route.table);
  if (route.dst.length > 0) request.Put(RTA_DST, route.dst.address.bytes());
  if (route.gateway) request.Put(RTA_GATEWAY, route.gateway->bytes());
  request.PutU32(RTA_OIF, ifindex);
  if (route.priority != 0) request.PutU32(RTA_PRIORITY, route.priority);
  if (route.mtu != 0 || route.advmss != 0) {
    const size_t metrics = request.Begin(RTA_METRICS);
    if (route.mtu != 0) request.PutU32(RTAX_MTU, route.mtu);
    if (route.advmss != 0) request.PutU32(RTAX_ADVMSS, route.advmss);
    request.End(metrics);
  }
  return socket.Ask(absl::StrCat("add the route ", route.ToString()), request);
}

absl::Status DeleteRoute(RtnlSocket& socket, uint32_t ifindex,
                         const PodRoute& route) {
  rtmsg header{};
  header.rtm_family = FamilyOf(route.dst.address);
  header.rtm_dst_len = route.dst.length;
  header.rtm_scope = RT_SCOPE_NOWHERE;  // any
  RtnlMessage request(RTM_DELROUTE, 0, header);
  request.PutU32(RTA_TABLE, route.table);
  if (route.dst.length > 0) request.Put(RTA_DST, route.dst.address.bytes());
  if (route.gateway) request.Put(RTA_GATEWAY, route.gateway->bytes());
  request.PutU32(RTA_OIF, ifindex);
  return socket.Ask(absl::StrCat("remove the route ", route.ToString()),
                    request);
}

absl::StatusOr<std::vector<IpPrefix>> ListAddresses(RtnlSocket& socket,
                                                    uint32_t ifindex) {
  RtnlMessage request(RTM_GETADDR, NLM_F_DUMP, ifaddrmsg{});
  std::vector<IpPrefix> prefixes;
  EOIP_RETURN_IF_ERROR(
      socket.Query("list addresses", request, [&](const nlmsghdr* message) {
        const auto* header = static_cast<const ifaddrmsg*>(NLMSG_DATA(message));
        if (header->ifa_index != ifindex) return;
        absl::string_view local;
        absl::string_view address;
        ForEachAttribute(AttributesOf(message, sizeof(*header)),
                         [&](uint16_t type, absl::string_view bytes) {
                           if (type == IFA_LOCAL) local = bytes;
                           if (type == IFA_ADDRESS) address = bytes;
                         });
        // Only IPv4 always has IFA_LOCAL; there IFA_ADDRESS may be the peer's.
        prefixes.push_back(
            {AddressOrZero(local.empty() ? address : local, header->ifa_family),
             header->ifa_prefixlen});
      }));
  return prefixes;
}

absl::StatusOr<bool> HasRoute(RtnlSocket& socket, const PodRoute& route) {
  rtmsg filter{};
  filter.rtm_family = FamilyOf(route.dst.address);
  RtnlMessage request(RTM_GETROUTE, NLM_F_DUMP, filter);
  bool found = false;
  EOIP_RETURN_IF_ERROR(
      socket.Query("list routes", request, [&](const nlmsghdr* message) {
        const auto* header = static_cast<const rtmsg*>(NLMSG_DATA(message));
        if (header->rtm_dst_len != route.dst.length) return;
        uint32_t table = header->rtm_table;
        absl::string_view dst;
        std::optional<IpAddress> gateway;
        ForEachAttribute(AttributesOf(message, sizeof(*header)),
                         [&](uint16_t type, absl::string_view bytes) {
                           if (type == RTA_TABLE) table = ReadU32(bytes);
                           if (type == RTA_DST) dst = bytes;
                           if (type == RTA_GATEWAY) {
                             gateway = AddressOrZero(bytes, header->rtm_family);
                           }
                         });
        found = found ||
                (table == route.table && gateway == route.gateway &&
                 AddressOrZero(dst, header->rtm_family) == route.dst.address);
      }));
  return found;
}

IpPrefix LinkLocalOf(const MacAddress& mac) {
  const auto& m = mac.bytes();
  const uint8_t bytes[16] = {0xfe, 0x80, 0,
                             0,    0,    0,
                             0,    0,    static_cast<uint8_t>(m[0] ^ 2),
                             m[1], m[2], 0xff,
                             0xfe, m[3], m[4],
                             m[5]};
  return {*IpAddress::FromBytes(
              {reinterpret_cast<const char*>(bytes), sizeof(bytes)}),
          64};
}

}  // namespace eoip::cni
