// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_eoip.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "netlink/message_writer.h"
#include "netlink/messages.h"

namespace eoip {
namespace {

constexpr uint8_t kTosInherit = 1;
// Not a value of EOIP_DF_*, nor of any later one.
constexpr uint8_t kProbeDf = 0xff;

ifinfomsg Header(uint32_t ifindex) {
  ifinfomsg header = {};
  header.ifi_index = static_cast<int>(ifindex);
  return header;
}

absl::string_view Bytes(const MacAddress& mac) {
  return {reinterpret_cast<const char*>(mac.bytes().data()), 6};
}

void PutKind(MessageWriter& writer, absl::string_view kind) {
  writer.PutString(IFLA_INFO_KIND, std::string(kind));
}

// Only what differs: a kernel without VLAN filtering refuses that attribute
// whatever its value.
void PutBridgeData(MessageWriter& writer, const BridgeInfo& from,
                   const BridgeInfo& to) {
  const size_t link_info = writer.Begin(IFLA_LINKINFO);
  PutKind(writer, "bridge");
  const size_t data = writer.Begin(IFLA_INFO_DATA);
  if (to.stp != from.stp) writer.PutU32(IFLA_BR_STP_STATE, to.stp ? 1 : 0);
  if (to.multicast_snooping != from.multicast_snooping) {
    writer.PutU8(IFLA_BR_MCAST_SNOOPING, to.multicast_snooping ? 1 : 0);
  }
  if (to.vlan_filtering != from.vlan_filtering) {
    writer.PutU8(IFLA_BR_VLAN_FILTERING, to.vlan_filtering ? 1 : 0);
  }
  if (to.default_pvid != from.default_pvid) {
    writer.PutU16(IFLA_BR_VLAN_DEFAULT_PVID,
                  static_cast<uint16_t>(to.default_pvid));
  }
  writer.End(data);
  writer.End(link_info);
}

void PutTunnelData(MessageWriter& writer, const TunnelConfig& config) {
  const size_t data = writer.Begin(IFLA_INFO_DATA);
  writer.PutU32(IFLA_EOIP_LINK, config.underlay_ifindex);
  writer.PutU32(IFLA_EOIP_IKEY, config.tunnel_id);
  const std::string any(IsV6(config.kind) ? 16 : 4, '\0');
  writer.PutBytes(IFLA_EOIP_LOCAL, config.local ? config.local->bytes()
                                                : absl::string_view(any));
  writer.PutBytes(IFLA_EOIP_REMOTE, config.remote.bytes());
  writer.PutU8(IFLA_EOIP_TTL, static_cast<uint8_t>(config.ttl));
  writer.PutU8(IFLA_EOIP_TOS, config.dscp
                                  ? static_cast<uint8_t>(*config.dscp << 2)
                                  : kTosInherit);
  writer.PutU32(IFLA_EOIP_KEEPALIVE_INTERVAL, config.keepalive_interval_s);
  writer.PutU8(IFLA_EOIP_KEEPALIVE_RETRIES,
               static_cast<uint8_t>(config.keepalive_retries));
  writer.PutU8(IFLA_EOIP_DF, config.inherit_df ? EOIP_DF_INHERIT : EOIP_DF_NO);
  writer.PutU32(IFLA_EOIP_FWMARK, config.fwmark);
  writer.PutU8(IFLA_EOIP_CLAMP_TCP_MSS, config.clamp_tcp_mss ? 1 : 0);
  writer.PutU8(IFLA_EOIP_GSO, config.gso ? EOIP_GSO_AUTO : EOIP_GSO_SOFT);
  writer.End(data);
}

}  // namespace

absl::string_view LinkKindOf(TunnelKind kind) {
  return IsV6(kind) ? "eoipv6" : "eoip";
}

std::string MakeDumpLinks() {
  MessageWriter writer(RTM_GETLINK, NLM_F_DUMP, Header(0));
  writer.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return std::move(writer).Finish();
}

std::string MakeDumpKind(absl::string_view kind) {
  MessageWriter writer(RTM_GETLINK, NLM_F_DUMP, Header(0));
  const size_t link_info = writer.Begin(IFLA_LINKINFO);
  PutKind(writer, kind);
  writer.End(link_info);
  return std::move(writer).Finish();
}

std::string MakeGetLink(const std::string& name, bool counters) {
  MessageWriter writer(RTM_GETLINK, 0, Header(0));
  writer.PutString(IFLA_IFNAME, name);
  writer.PutU32(IFLA_EXT_MASK, counters ? 0 : RTEXT_FILTER_SKIP_STATS);
  return std::move(writer).Finish();
}

std::string MakeGetLink(uint32_t ifindex) {
  MessageWriter writer(RTM_GETLINK, 0, Header(ifindex));
  writer.PutU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  return std::move(writer).Finish();
}

std::string MakeCreateBridge(const BridgeConfig& config) {
  MessageWriter writer(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, Header(0));
  writer.PutString(IFLA_IFNAME, config.name);
  writer.PutU32(IFLA_GROUP, kOwnedGroup);
  writer.PutU32(IFLA_MTU, config.mtu);
  if (!config.mac.IsZero()) writer.PutBytes(IFLA_ADDRESS, Bytes(config.mac));
  PutBridgeData(writer, BridgeInfo{}, config.info);
  return std::move(writer).Finish();
}

std::string MakePutTunnel(const TunnelConfig& config, bool create) {
  MessageWriter writer(RTM_NEWLINK, create ? NLM_F_CREATE | NLM_F_EXCL : 0,
                       Header(0));
  writer.PutString(IFLA_IFNAME, config.name);
  if (create) writer.PutU32(IFLA_GROUP, kOwnedGroup);
  writer.PutU32(IFLA_MTU, config.mtu);
  if (!config.mac.IsZero()) writer.PutBytes(IFLA_ADDRESS, Bytes(config.mac));
  const size_t link_info = writer.Begin(IFLA_LINKINFO);
  PutKind(writer, LinkKindOf(config.kind));
  PutTunnelData(writer, config);
  writer.End(link_info);
  return std::move(writer).Finish();
}

std::string MakeChange(uint32_t ifindex, const LinkChange& change) {
  ifinfomsg header = Header(ifindex);
  if (change.up) {
    header.ifi_flags = *change.up ? IFF_UP : 0;
    header.ifi_change = IFF_UP;
  }
  MessageWriter writer(RTM_SETLINK, 0, header);
  if (change.mac) writer.PutBytes(IFLA_ADDRESS, Bytes(*change.mac));
  if (change.mtu) writer.PutU32(IFLA_MTU, *change.mtu);
  if (change.group) writer.PutU32(IFLA_GROUP, *change.group);
  if (change.master) writer.PutU32(IFLA_MASTER, *change.master);
  return std::move(writer).Finish();
}

std::string MakeSetBridge(uint32_t ifindex, const BridgeInfo& from,
                          const BridgeInfo& to) {
  // RTM_SETLINK would ignore IFLA_INFO_DATA.
  MessageWriter writer(RTM_NEWLINK, 0, Header(ifindex));
  PutBridgeData(writer, from, to);
  return std::move(writer).Finish();
}

std::string MakeSetBridgePort(uint32_t ifindex, const BridgePortInfo& port) {
  ifinfomsg header = Header(ifindex);
  header.ifi_family = AF_BRIDGE;
  MessageWriter writer(RTM_SETLINK, 0, header);
  const size_t info = writer.Begin(IFLA_PROTINFO);
  writer.PutU8(IFLA_BRPORT_MODE, port.hairpin ? 1 : 0);
  writer.PutU8(IFLA_BRPORT_ISOLATED, port.isolated ? 1 : 0);
  writer.PutU8(IFLA_BRPORT_LEARNING, port.learning ? 1 : 0);
  writer.PutU8(IFLA_BRPORT_LOCKED, port.locked ? 1 : 0);
  // What it learnt unlocked would still let those frames in.
  if (port.locked) writer.PutBytes(IFLA_BRPORT_FLUSH, {});
  writer.End(info);
  return std::move(writer).Finish();
}

std::string MakeDeleteLink(uint32_t ifindex) {
  MessageWriter writer(RTM_DELLINK, 0, Header(ifindex));
  return std::move(writer).Finish();
}

std::string MakeDeleteGroup(uint32_t group) {
  MessageWriter writer(RTM_DELLINK, 0, Header(0));
  writer.PutU32(IFLA_GROUP, group);
  return std::move(writer).Finish();
}

std::string MakeProbe(TunnelKind kind) {
  MessageWriter writer(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, Header(0));
  writer.PutBytes(IFLA_ADDRESS, absl::string_view("\0\0\0\0\0\0", 6));
  writer.PutU32(IFLA_NUM_TX_QUEUES, 0);
  const size_t link_info = writer.Begin(IFLA_LINKINFO);
  PutKind(writer, LinkKindOf(kind));
  const size_t data = writer.Begin(IFLA_INFO_DATA);
  writer.PutU8(IFLA_EOIP_DF, kProbeDf);
  writer.End(data);
  writer.End(link_info);
  return std::move(writer).Finish();
}

}  // namespace eoip
