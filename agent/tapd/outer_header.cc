// SPDX-License-Identifier: Apache-2.0
#include "tapd/outer_header.h"

#include <algorithm>
#include <cstring>

namespace eoip::tapd {
namespace {

// Appends a control message; returns where its data is.
template <typename T>
size_t Append(OuterHeader* header, int level, int type, const T& value) {
  cmsghdr message{};
  message.cmsg_len = CMSG_LEN(sizeof(T));
  message.cmsg_level = level;
  message.cmsg_type = type;
  static_assert(kControlSize >= 5 * CMSG_SPACE(sizeof(int)));
  const size_t at = header->control_size;
  std::memcpy(&header->control[at], &message, sizeof(message));
  const size_t data_at = at + CMSG_LEN(0);
  std::memcpy(&header->control[data_at], &value, sizeof(T));
  header->control_size += CMSG_SPACE(sizeof(T));
  return data_at;
}

void FillV4(const TunnelConfig& config, OuterHeader* header) {
  header->to.v4.sin_family = AF_INET;
  std::memcpy(&header->to.v4.sin_addr, config.remote.data(), 4);
  header->to_size = sizeof(header->to.v4);
  if (config.has_local || config.underlay_ifindex != 0) {
    in_pktinfo info{};
    info.ipi_ifindex = static_cast<int>(config.underlay_ifindex);
    std::memcpy(&info.ipi_spec_dst, config.local.data(), 4);
    Append(header, IPPROTO_IP, IP_PKTINFO, info);
  }
  Append(header, IPPROTO_IP, IP_TTL, int{config.ttl});
  header->tos_at = Append(header, IPPROTO_IP, IP_TOS, int{0});
}

void FillV6(const TunnelConfig& config, OuterHeader* header) {
  header->to.v6 = {};
  header->to.v6.sin6_family = AF_INET6;
  std::memcpy(&header->to.v6.sin6_addr, config.remote.data(), 16);
  if (IN6_IS_ADDR_LINKLOCAL(&header->to.v6.sin6_addr)) {
    header->to.v6.sin6_scope_id = config.underlay_ifindex;
  }
  header->to_size = sizeof(header->to.v6);
  if (config.has_local || config.underlay_ifindex != 0) {
    in6_pktinfo info{};
    info.ipi6_ifindex = config.underlay_ifindex;
    std::memcpy(&info.ipi6_addr, config.local.data(), 16);
    Append(header, IPPROTO_IPV6, IPV6_PKTINFO, info);
  }
  Append(header, IPPROTO_IPV6, IPV6_HOPLIMIT, int{config.ttl});
  header->tos_at = Append(header, IPPROTO_IPV6, IPV6_TCLASS, int{0});
  header->dont_fragment_at =
      Append(header, IPPROTO_IPV6, IPV6_DONTFRAG, int{0});
}

}  // namespace

OuterHeader MakeOuterHeader(const TunnelConfig& config) {
  OuterHeader header;
  if (config.ipv6) {
    FillV6(config, &header);
  } else {
    FillV4(config, &header);
  }
  if (config.fwmark != 0) {
    Append(&header, SOL_SOCKET, SO_MARK, config.fwmark);
  }
  return header;
}

}  // namespace eoip::tapd
