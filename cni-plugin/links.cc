// SPDX-License-Identifier: Apache-2.0
#include "links.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip::cni {
namespace {

std::string Text(absl::string_view bytes) {
  return std::string(bytes.substr(0, bytes.find('\0')));
}

bool Flag(absl::string_view bytes) { return !bytes.empty() && bytes[0] != 0; }

PortInfo ParsePort(absl::string_view attributes) {
  PortInfo port;
  ForEachAttribute(attributes, [&](uint16_t type, absl::string_view bytes) {
    if (type == IFLA_BRPORT_STATE && !bytes.empty()) {
      port.state = static_cast<uint8_t>(bytes[0]);
    } else if (type == IFLA_BRPORT_ISOLATED) {
      port.isolated = Flag(bytes);
    } else if (type == IFLA_BRPORT_MODE) {
      port.hairpin = Flag(bytes);
    } else if (type == IFLA_BRPORT_LOCKED) {
      port.locked = Flag(bytes);
    } else if (type == IFLA_BRPORT_LEARNING) {
      port.learning = Flag(bytes);
    }
  });
  return port;
}

void ParseLinkInfo(absl::string_view attributes, LinkInfo& link) {
  std::string port_kind;
  absl::string_view port_data;
  ForEachAttribute(attributes, [&](uint16_t type, absl::string_view bytes) {
    if (type == IFLA_INFO_KIND) {
      link.kind = Text(bytes);
    } else if (type == IFLA_INFO_SLAVE_KIND) {
      port_kind = Text(bytes);
    } else if (type == IFLA_INFO_SLAVE_DATA) {
      port_data = bytes;
    }
  });
  if (port_kind == "bridge") link.port = ParsePort(port_data);
}

// IFLA_AF_SPEC: by address family, of IPv4 the values of its settings, from 1.
void ParseFamilies(absl::string_view attributes, LinkInfo& link) {
  constexpr size_t kAt = (IPV4_DEVCONF_ARP_NOTIFY - 1) * sizeof(uint32_t);
  ForEachAttribute(attributes, [&](uint16_t family, absl::string_view spec) {
    if (family != AF_INET) return;
    ForEachAttribute(spec, [&](uint16_t type, absl::string_view bytes) {
      if (type == IFLA_INET_CONF && bytes.size() > kAt) {
        link.arp_notify = ReadU32(bytes.substr(kAt)) != 0;
      }
    });
  });
}

LinkInfo ParseLink(const nlmsghdr* message) {
  LinkInfo link;
  const auto* header = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  link.ifindex = static_cast<uint32_t>(header->ifi_index);
  link.flags = header->ifi_flags;
  auto read = [&link](uint16_t type, absl::string_view bytes) {
    switch (type) {
      case IFLA_IFNAME:
        link.name = Text(bytes);
        break;
      case IFLA_GROUP:
        link.group = ReadU32(bytes);
        break;
      case IFLA_MTU:
        link.mtu = ReadU32(bytes);
        break;
      case IFLA_LINK:
        link.peer = ReadU32(bytes);
        break;
      case IFLA_MASTER:
        link.master = ReadU32(bytes);
        break;
      case IFLA_IFALIAS:
        link.alias = Text(bytes);
        break;
      case IFLA_AF_SPEC:
        ParseFamilies(bytes, link);
        break;
      case IFLA_LINKINFO:
        ParseLinkInfo(bytes, link);
        break;
      case IFLA_ADDRESS:
        if (bytes.size() == 6) {
          std::array<uint8_t, 6> mac;
          memcpy(mac.data(), bytes.data(), mac.size());
          link.mac = MacAddress(mac);
        }
        break;
      default:
        break;
    }
  };
  ForEachAttribute(AttributesOf(message, sizeof(*header)), read);
  return link;
}

absl::StatusOr<LinkInfo> GetOne(RtnlSocket& socket, RtnlMessage& request,
                                absl::string_view what) {
  request.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  LinkInfo link;
  EOIP_RETURN_IF_ERROR(
      socket.Query(what, request, [&link](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWLINK) link = ParseLink(message);
      }));
  return link;
}

}  // namespace

absl::StatusOr<LinkInfo> GetLink(RtnlSocket& socket, const std::string& name) {
  RtnlMessage request(RTM_GETLINK, 0, ifinfomsg{});
  request.PutString(IFLA_IFNAME, name);
  return GetOne(socket, request, absl::StrCat("link ", name));
}

absl::StatusOr<LinkInfo> GetLink(RtnlSocket& socket, uint32_t ifindex) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  RtnlMessage request(RTM_GETLINK, 0, header);
  return GetOne(socket, request, absl::StrCat("link with index ", ifindex));
}

absl::StatusOr<std::vector<LinkInfo>> ListLinks(RtnlSocket& socket) {
  RtnlMessage request(RTM_GETLINK, NLM_F_DUMP, ifinfomsg{});
  request.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  std::vector<LinkInfo> links;
  EOIP_RETURN_IF_ERROR(
      socket.Query("list links", request, [&links](const nlmsghdr* message) {
        if (message->nlmsg_type == RTM_NEWLINK) {
          links.push_back(ParseLink(message));
        }
      }));
  return links;
}

absl::Status DeleteLink(RtnlSocket& socket, uint32_t ifindex) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  RtnlMessage request(RTM_DELLINK, 0, header);
  return socket.Ask(absl::StrCat("delete link with index ", ifindex), request);
}

absl::Status SetGroup(RtnlSocket& socket, uint32_t ifindex, uint32_t group) {
  ifinfomsg header{};
  header.ifi_index = static_cast<int>(ifindex);
  RtnlMessage request(RTM_SETLINK, 0, header);
  request.PutU32(IFLA_GROUP, group);
  return socket.Ask(absl::StrCat("set the group of link with index ", ifindex),
                    request);
}

absl::Status DeleteGroup(RtnlSocket& socket, uint32_t group) {
  RtnlMessage request(RTM_DELLINK, 0, ifinfomsg{});
  request.PutU32(IFLA_GROUP, group);
  return socket.Ask(absl::StrCat("delete link group ", group), request);
}

absl::StatusOr<std::vector<BridgeVlan>> ListPortVlans(RtnlSocket& socket,
                                                      uint32_t ifindex) {
  ifinfomsg header{};
  header.ifi_family = AF_BRIDGE;
  RtnlMessage request(RTM_GETLINK, NLM_F_DUMP, header);
  request.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN);
  std::vector<BridgeVlan> vlans;
  auto read_vlan = [&vlans](uint16_t type, absl::string_view bytes) {
    if (type != IFLA_BRIDGE_VLAN_INFO) return;
    bridge_vlan_info info{};
    memcpy(&info, bytes.data(), std::min(bytes.size(), sizeof(info)));
    vlans.push_back({info.vid, (info.flags & BRIDGE_VLAN_INFO_PVID) != 0,
                     (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0});
  };
  EOIP_RETURN_IF_ERROR(socket.Query(
      "list VLANs of bridge ports", request, [&](const nlmsghdr* message) {
        const auto* link = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
        if (link->ifi_index != static_cast<int>(ifindex)) return;
        ForEachAttribute(AttributesOf(message, sizeof(*link)),
                         [&](uint16_t type, absl::string_view bytes) {
                           if (type == IFLA_AF_SPEC) {
                             ForEachAttribute(bytes, read_vlan);
                           }
                         });
      }));
  return vlans;
}

absl::StatusOr<std::vector<FdbEntry>> ListStaticFdb(RtnlSocket& socket,
                                                    uint32_t ifindex) {
  ndmsg header{};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(ifindex);
  RtnlMessage request(RTM_GETNEIGH, NLM_F_DUMP, header);
  std::vector<FdbEntry> entries;
  EOIP_RETURN_IF_ERROR(
      socket.Query("list the FDB", request, [&](const nlmsghdr* message) {
        const auto* row = static_cast<const ndmsg*>(NLMSG_DATA(message));
        if (row->ndm_ifindex != static_cast<int>(ifindex) ||
            !(row->ndm_state & NUD_NOARP) || (row->ndm_flags & NTF_SELF)) {
          return;
        }
        FdbEntry entry{};
        ForEachAttribute(AttributesOf(message, sizeof(*row)),
                         [&entry](uint16_t type, absl::string_view bytes) {
                           if (type == NDA_LLADDR && bytes.size() == 6) {
                             std::array<uint8_t, 6> mac;
                             memcpy(mac.data(), bytes.data(), mac.size());
                             entry.mac = MacAddress(mac);
                           } else if (type == NDA_VLAN && bytes.size() >= 2) {
                             memcpy(&entry.vlan, bytes.data(), 2);
                           }
                         });
        entries.push_back(entry);
      }));
  return entries;
}

}  // namespace eoip::cni
