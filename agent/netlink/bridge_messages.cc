// SPDX-License-Identifier: Apache-2.0
//
// VLANs and FDB entries of bridges and their ports.
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "netlink/message_writer.h"
#include "netlink/messages.h"

namespace eoip {
namespace {

// nullptr: the message is shorter than its fixed header.
template <typename Header>
const Header* HeaderOf(const nlmsghdr* message) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(Header))) return nullptr;
  return static_cast<const Header*>(NLMSG_DATA(message));
}

// Calls each(attribute) for what follows the fixed header.
template <typename Header, typename Each>
void ForEach(const nlmsghdr* message, const Each& each) {
  const size_t offset = NLMSG_SPACE(sizeof(Header));
  if (message->nlmsg_len <= offset) return;
  auto* attribute = reinterpret_cast<nlattr*>(
      const_cast<char*>(reinterpret_cast<const char*>(message)) + offset);
  int left = static_cast<int>(message->nlmsg_len - offset);
  for (; nla_ok(attribute, left); attribute = nla_next(attribute, &left)) {
    each(attribute);
  }
}

template <typename T>
bool Read(const nlattr* attribute, T* value) {
  if (nla_len(attribute) < static_cast<int>(sizeof(T))) return false;
  std::memcpy(value, nla_data(attribute), sizeof(T));
  return true;
}

bool IsVlan(uint32_t id) { return id >= 1 && id <= kMaxVlan; }

// One BRIDGE_VLANDB_ENTRY; nothing where it makes no sense.
std::optional<PortVlanRange> ParseEntry(const nlattr* entry) {
  bridge_vlan_info info = {};
  uint16_t last = 0;
  auto* attribute = static_cast<nlattr*>(nla_data(entry));
  int left = nla_len(entry);
  for (; nla_ok(attribute, left); attribute = nla_next(attribute, &left)) {
    if (nla_type(attribute) == BRIDGE_VLANDB_ENTRY_INFO) Read(attribute, &info);
    if (nla_type(attribute) == BRIDGE_VLANDB_ENTRY_RANGE)
      Read(attribute, &last);
  }
  if (last == 0) last = info.vid;
  if (!IsVlan(info.vid) || !IsVlan(last) || last < info.vid) {
    return std::nullopt;
  }
  PortVlanRange range;
  range.first = info.vid;
  range.last = last;
  range.pvid = (info.flags & BRIDGE_VLAN_INFO_PVID) != 0;
  range.untagged = (info.flags & BRIDGE_VLAN_INFO_UNTAGGED) != 0;
  return range;
}

void PutVlans(MessageWriter& writer, bool self, const PortVlans& vlans) {
  const size_t spec = writer.Begin(IFLA_AF_SPEC);
  if (self) writer.PutU16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF);
  for (const PortVlanRange& range : vlans) {
    const auto flags =
        static_cast<uint16_t>((range.pvid ? BRIDGE_VLAN_INFO_PVID : 0) |
                              (range.untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0));
    const auto put = [&](uint16_t id, int more) {
      const uint16_t info[2] = {static_cast<uint16_t>(flags | more), id};
      static_assert(sizeof(info) == sizeof(bridge_vlan_info));
      writer.PutBytes(IFLA_BRIDGE_VLAN_INFO,
                      {reinterpret_cast<const char*>(info), sizeof(info)});
    };
    if (range.first == range.last) {
      put(range.first, 0);
    } else {
      put(range.first, BRIDGE_VLAN_INFO_RANGE_BEGIN);
      put(range.last, BRIDGE_VLAN_INFO_RANGE_END);
    }
  }
  writer.End(spec);
}

std::string MakeVlans(uint16_t type, uint32_t ifindex, bool self,
                      const PortVlans& vlans) {
  ifinfomsg header = {};
  header.ifi_family = AF_BRIDGE;
  header.ifi_index = static_cast<int>(ifindex);
  MessageWriter writer(type, 0, header);
  PutVlans(writer, self, vlans);
  return std::move(writer).Finish();
}

std::string MakePin(uint16_t type, uint16_t flags, uint32_t port,
                    const MacAddress& mac, uint16_t vlan) {
  ndmsg header = {};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(port);
  // Static, and no frame on another port moves it there.
  header.ndm_state = NUD_NOARP;
  header.ndm_flags = NTF_MASTER | NTF_STICKY;
  MessageWriter writer(type, flags, header);
  writer.PutBytes(NDA_LLADDR,
                  {reinterpret_cast<const char*>(mac.bytes().data()), 6});
  if (vlan != 0) writer.PutU16(NDA_VLAN, vlan);
  return std::move(writer).Finish();
}

}  // namespace

std::string MakeDumpVlans(uint32_t ifindex) {
  br_vlan_msg header = {};
  header.family = AF_BRIDGE;
  header.ifindex = ifindex;
  return MessageWriter(RTM_GETVLAN, NLM_F_DUMP, header).Finish();
}

std::string MakeAddVlans(uint32_t ifindex, bool self, const PortVlans& vlans) {
  return MakeVlans(RTM_SETLINK, ifindex, self, vlans);
}

std::string MakeRemoveVlans(uint32_t ifindex, bool self,
                            const PortVlans& vlans) {
  return MakeVlans(RTM_DELLINK, ifindex, self, vlans);
}

std::string MakeDumpFdb(uint32_t port) {
  ndmsg header = {};
  header.ndm_family = AF_BRIDGE;
  header.ndm_ifindex = static_cast<int>(port);
  return MessageWriter(RTM_GETNEIGH, NLM_F_DUMP, header).Finish();
}

std::string MakeAddPin(uint32_t port, const MacAddress& mac, uint16_t vlan) {
  return MakePin(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, port, mac, vlan);
}

std::string MakeRemovePin(uint32_t port, const MacAddress& mac, uint16_t vlan) {
  return MakePin(RTM_DELNEIGH, 0, port, mac, vlan);
}

absl::StatusOr<VlanNews> ParseVlans(const nlmsghdr* message) {
  const auto* header = HeaderOf<br_vlan_msg>(message);
  if (header == nullptr) {
    return absl::InternalError(
        "malformed netlink message: VLANs: shorter than its header");
  }
  VlanNews news;
  news.ifindex = header->ifindex;
  ForEach<br_vlan_msg>(message, [&](const nlattr* attribute) {
    if (nla_type(attribute) != BRIDGE_VLANDB_ENTRY) return;
    if (const auto range = ParseEntry(attribute)) news.vlans.push_back(*range);
  });
  return news;
}

absl::StatusOr<std::optional<Pin>> ParsePin(const nlmsghdr* message) {
  const auto* header = HeaderOf<ndmsg>(message);
  if (header == nullptr) {
    return absl::InternalError(
        "malformed netlink message: FDB: shorter than its header");
  }
  if (header->ndm_family != AF_BRIDGE || (header->ndm_state & NUD_NOARP) == 0 ||
      (header->ndm_flags & NTF_SELF) != 0 || header->ndm_ifindex <= 0) {
    return std::nullopt;
  }
  Pin pin;
  pin.port = static_cast<uint32_t>(header->ndm_ifindex);
  bool has_mac = false;
  ForEach<ndmsg>(message, [&](const nlattr* attribute) {
    std::array<uint8_t, 6> mac;
    if (nla_type(attribute) == NDA_LLADDR && nla_len(attribute) == 6 &&
        Read(attribute, &mac)) {
      pin.mac = MacAddress(mac);
      has_mac = true;
    } else if (nla_type(attribute) == NDA_VLAN) {
      Read(attribute, &pin.vlan);
    }
  });
  if (!has_mac || pin.vlan > kMaxVlan) return std::nullopt;
  return pin;
}

}  // namespace eoip
