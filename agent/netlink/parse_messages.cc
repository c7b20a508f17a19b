// SPDX-License-Identifier: Apache-2.0
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/if_eoip.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "netlink/messages.h"

namespace eoip {
namespace {

constexpr char kUnknownKind[] = "Unknown device type";
// How every refusal of the bundled module starts (kmod/rtnl.c).
constexpr char kBundledWords[] = "eoip: ";
constexpr uint8_t kTosInherit = 1;
// Room for the attributes of any level.
constexpr int kMaxAttribute = 127;
static_assert(IFLA_MAX <= kMaxAttribute && IFLA_BR_MAX <= kMaxAttribute &&
              IFLA_BRPORT_MAX <= kMaxAttribute &&
              IFLA_EOIP_MAX <= kMaxAttribute);
constexpr uint64_t kNeverHeard = ~uint64_t{0};

// Attributes of one level. Readers return the fallback for an attribute that
// is absent or shorter than its type.
class Attributes {
 public:
  explicit Attributes(int max) : max_(max) {}
  // false: the bytes are no sequence of attributes.
  bool Parse(const void* data, int size) {
    return nla_parse(table_.data(), max_, Unconst(data), size, nullptr) == 0;
  }
  bool ParseNested(const nlattr* nested) {
    return nested != nullptr &&
           nla_parse(table_.data(), max_,
                     static_cast<nlattr*>(nla_data(nested)), nla_len(nested),
                     nullptr) == 0;
  }
  const nlattr* operator[](int type) const { return table_[type]; }

  template <typename T>
  T Value(int type, T fallback) const {
    const nlattr* attribute = table_[type];
    if (attribute == nullptr ||
        nla_len(attribute) < static_cast<int>(sizeof(T))) {
      return fallback;
    }
    T value;
    std::memcpy(&value, nla_data(attribute), sizeof(value));
    return value;
  }
  absl::string_view Bytes(int type) const {
    const nlattr* attribute = table_[type];
    if (attribute == nullptr) return {};
    return {static_cast<const char*>(nla_data(attribute)),
            static_cast<size_t>(nla_len(attribute))};
  }
  // Up to the first zero.
  std::string String(int type) const {
    const absl::string_view bytes = Bytes(type);
    return std::string(bytes.substr(0, bytes.find('\0')));
  }

 private:
  static nlattr* Unconst(const void* data) {
    return static_cast<nlattr*>(const_cast<void*>(data));
  }
  const int max_;
  std::array<nlattr*, kMaxAttribute + 1> table_{};
};

absl::Status Malformed(absl::string_view what) {
  return absl::InternalError(absl::StrCat("malformed netlink message: ", what));
}

// The fixed header and attributes of a message about a link.
absl::StatusOr<const ifinfomsg*> ParseHeader(const nlmsghdr* message,
                                             Attributes& attributes) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) {
    return Malformed("shorter than its header");
  }
  const auto* header = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  const size_t offset = NLMSG_SPACE(sizeof(ifinfomsg));
  const char* begin = reinterpret_cast<const char*>(message) + offset;
  if (message->nlmsg_len > offset &&
      !attributes.Parse(begin, static_cast<int>(message->nlmsg_len - offset))) {
    return Malformed("attributes");
  }
  return header;
}

BridgeInfo ParseBridge(const nlattr* data) {
  Attributes bridge(IFLA_BR_MAX);
  bridge.ParseNested(data);
  BridgeInfo info;
  info.stp = bridge.Value<uint32_t>(IFLA_BR_STP_STATE, 0) != 0;
  // Absent in a kernel without snooping.
  info.multicast_snooping =
      bridge.Value<uint8_t>(IFLA_BR_MCAST_SNOOPING, 0) != 0;
  info.vlan_filtering = bridge.Value<uint8_t>(IFLA_BR_VLAN_FILTERING, 0) != 0;
  // Absent in a kernel without VLAN filtering.
  info.default_pvid =
      bridge.Value<uint16_t>(IFLA_BR_VLAN_DEFAULT_PVID, kDefaultVlan);
  return info;
}

BridgePortInfo ParseBridgePort(const nlattr* data) {
  Attributes port(IFLA_BRPORT_MAX);
  port.ParseNested(data);
  BridgePortInfo info;
  info.state = port.Value<uint8_t>(IFLA_BRPORT_STATE, 0);
  info.isolated = port.Value<uint8_t>(IFLA_BRPORT_ISOLATED, 0) != 0;
  info.hairpin = port.Value<uint8_t>(IFLA_BRPORT_MODE, 0) != 0;
  info.locked = port.Value<uint8_t>(IFLA_BRPORT_LOCKED, 0) != 0;
  info.learning = port.Value<uint8_t>(IFLA_BRPORT_LEARNING, 1) != 0;
  return info;
}

std::optional<IpAddress> ParseAddress(absl::string_view bytes, bool v6) {
  if (bytes.size() != (v6 ? 16u : 4u)) return std::nullopt;
  absl::StatusOr<IpAddress> address = IpAddress::FromBytes(bytes);
  if (!address.ok()) return std::nullopt;
  return *address;
}

// Nothing: not a tunnel of the bundled module, or of an ABI that is not known.
std::optional<ObservedTunnel> ParseTunnel(const nlattr* data, bool v6) {
  Attributes attributes(IFLA_EOIP_MAX);
  if (!attributes.ParseNested(data)) return std::nullopt;
  if (attributes.Value<uint32_t>(IFLA_EOIP_ABI, 0) != EOIP_ABI) {
    return std::nullopt;
  }
  const std::optional<IpAddress> remote =
      ParseAddress(attributes.Bytes(IFLA_EOIP_REMOTE), v6);
  if (!remote || attributes[IFLA_EOIP_IKEY] == nullptr) return std::nullopt;

  ObservedTunnel tunnel;
  TunnelConfig& config = tunnel.config;
  config.kind = v6 ? TunnelKind::kEoipV6 : TunnelKind::kEoip;
  config.local = ParseAddress(attributes.Bytes(IFLA_EOIP_LOCAL), v6);
  if (config.local && config.local->IsUnspecified()) config.local.reset();
  config.remote = *remote;
  config.tunnel_id = attributes.Value<uint32_t>(IFLA_EOIP_IKEY, 0);
  config.ttl = attributes.Value<uint8_t>(IFLA_EOIP_TTL, kDefaultTtl);
  const auto tos = attributes.Value<uint8_t>(IFLA_EOIP_TOS, kTosInherit);
  if (tos != kTosInherit) config.dscp = tos >> 2;
  // EOIP_DF_SET is nothing a tunnel can ask for; told as INHERIT, it is put
  // right where NO is wanted.
  config.inherit_df =
      attributes.Value<uint8_t>(IFLA_EOIP_DF, EOIP_DF_NO) != EOIP_DF_NO;
  config.keepalive_interval_s = attributes.Value<uint32_t>(
      IFLA_EOIP_KEEPALIVE_INTERVAL, kDefaultKeepaliveIntervalS);
  config.keepalive_retries = attributes.Value<uint8_t>(
      IFLA_EOIP_KEEPALIVE_RETRIES, kDefaultKeepaliveRetries);
  config.clamp_tcp_mss =
      attributes.Value<uint8_t>(IFLA_EOIP_CLAMP_TCP_MSS, 1) != 0;
  config.fwmark = attributes.Value<uint32_t>(IFLA_EOIP_FWMARK, 0);
  config.underlay_ifindex = attributes.Value<uint32_t>(IFLA_EOIP_LINK, 0);
  config.gso =
      attributes.Value<uint8_t>(IFLA_EOIP_GSO, EOIP_GSO_AUTO) != EOIP_GSO_SOFT;
  tunnel.datapath = DatapathType::kKernel;
  const auto heard =
      attributes.Value<uint64_t>(IFLA_EOIP_LAST_HEARD_MS, kNeverHeard);
  if (heard != kNeverHeard && heard <= INT64_MAX) {
    tunnel.last_heard = absl::Milliseconds(static_cast<int64_t>(heard));
  }
  return tunnel;
}

bool HasCarrier(const Attributes& attributes, bool fallback) {
  return attributes.Value<uint8_t>(IFLA_CARRIER, fallback ? 1 : 0) != 0;
}

void ParseInfo(const Attributes& attributes, Link& link) {
  Attributes info(IFLA_INFO_MAX);
  if (!info.ParseNested(attributes[IFLA_LINKINFO])) return;
  link.kind = info.String(IFLA_INFO_KIND);
  const nlattr* data = info[IFLA_INFO_DATA];
  if (link.kind == "bridge") link.bridge = ParseBridge(data);
  if (link.master != 0 && info.String(IFLA_INFO_SLAVE_KIND) == "bridge") {
    link.bridge_port = ParseBridgePort(info[IFLA_INFO_SLAVE_DATA]);
  }
  if (link.kind != "eoip" && link.kind != "eoipv6") return;
  link.tunnel = ParseTunnel(data, link.kind == "eoipv6");
  link.foreign_eoip = !link.tunnel.has_value();
  if (!link.tunnel) return;
  link.tunnel->config.name = link.name;
  link.tunnel->config.mtu = link.mtu;
  link.tunnel->config.mac = link.mac;
  link.tunnel->ifindex = link.ifindex;
  link.tunnel->peer_up = HasCarrier(attributes, link.carrier);
}

}  // namespace

absl::Status NetlinkReply::ToStatus(absl::string_view what) const {
  if (error == 0) return absl::OkStatus();
  if (error == EOPNOTSUPP && absl::StartsWith(extack, kUnknownKind)) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": ", kModuleNotLoaded, " (", extack, ")"));
  }
  const absl::Status status = eoip::ErrnoToStatus(error, what);
  if (extack.empty()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(status.message(), ": ", extack));
}

absl::StatusOr<NetlinkReply> ParseReply(const nlmsghdr* message) {
  if (message->nlmsg_len < NLMSG_LENGTH(sizeof(nlmsgerr))) {
    return Malformed("shorter than an acknowledgement");
  }
  const auto* error = static_cast<const nlmsgerr*>(NLMSG_DATA(message));
  // An errno of the kernel, negated; the least int has no negation.
  constexpr int kMaxErrno = 4095;
  if (error->error > 0 || error->error < -kMaxErrno) {
    return Malformed("error number");
  }
  NetlinkReply reply;
  reply.error = -error->error;
  if ((message->nlmsg_flags & NLM_F_ACK_TLVS) == 0) return reply;
  // Behind the request's copy, of which a capped reply has the header only.
  size_t offset = NLMSG_LENGTH(sizeof(nlmsgerr));
  if ((message->nlmsg_flags & NLM_F_CAPPED) == 0) {
    if (error->msg.nlmsg_len < NLMSG_HDRLEN ||
        error->msg.nlmsg_len > message->nlmsg_len) {
      return Malformed("length of the copied request");
    }
    offset += NLMSG_ALIGN(error->msg.nlmsg_len - NLMSG_HDRLEN);
  }
  if (offset >= message->nlmsg_len) return reply;
  Attributes attributes(NLMSGERR_ATTR_MAX);
  if (!attributes.Parse(reinterpret_cast<const char*>(message) + offset,
                        static_cast<int>(message->nlmsg_len - offset))) {
    return reply;
  }
  reply.extack = attributes.String(NLMSGERR_ATTR_MSG);
  reply.attribute = attributes.Value<uint32_t>(NLMSGERR_ATTR_OFFS, 0);
  return reply;
}

absl::StatusOr<KindProbe> ParseProbe(const NetlinkReply& reply) {
  if (reply.error == EOPNOTSUPP &&
      (reply.extack.empty() || absl::StartsWith(reply.extack, kUnknownKind))) {
    return KindProbe::kAbsent;
  }
  if (reply.error == EINVAL || reply.error == ERANGE ||
      reply.error == EADDRNOTAVAIL) {
    return absl::StartsWith(reply.extack, kBundledWords) ? KindProbe::kBundled
                                                         : KindProbe::kForeign;
  }
  if (reply.error == 0) return Malformed("a probe was taken for a request");
  return reply.ToStatus("ask for the kernel module");
}

absl::StatusOr<Link> ParseLink(const nlmsghdr* message) {
  Attributes attributes(IFLA_MAX);
  EOIP_ASSIGN_OR_RETURN(const ifinfomsg* header,
                        ParseHeader(message, attributes));
  Link link;
  link.name = attributes.String(IFLA_IFNAME);
  link.ifindex = static_cast<uint32_t>(header->ifi_index);
  if (link.name.empty() || header->ifi_index <= 0) {
    return Malformed("a link without name or index");
  }
  link.group = attributes.Value<uint32_t>(IFLA_GROUP, 0);
  link.up = (header->ifi_flags & IFF_UP) != 0;
  link.carrier = (header->ifi_flags & IFF_LOWER_UP) != 0;
  link.mtu = attributes.Value<uint32_t>(IFLA_MTU, 0);
  link.master = attributes.Value<uint32_t>(IFLA_MASTER, 0);
  const absl::string_view mac = attributes.Bytes(IFLA_ADDRESS);
  if (mac.size() == 6) {
    std::array<uint8_t, 6> bytes;
    std::memcpy(bytes.data(), mac.data(), bytes.size());
    link.mac = MacAddress(bytes);
  }
  ParseInfo(attributes, link);
  return link;
}

absl::StatusOr<LinkReading> ParseReading(const nlmsghdr* message) {
  Attributes attributes(IFLA_MAX);
  EOIP_ASSIGN_OR_RETURN(const ifinfomsg* header,
                        ParseHeader(message, attributes));
  LinkReading reading;
  reading.carrier =
      HasCarrier(attributes, (header->ifi_flags & IFF_LOWER_UP) != 0);
  // The kernel's struct grows at its end; only its oldest fields are used.
  struct {
    uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes;
  } stats;
  const absl::string_view bytes = attributes.Bytes(IFLA_STATS64);
  if (bytes.size() >= sizeof(stats)) {
    std::memcpy(&stats, bytes.data(), sizeof(stats));
    reading.counters.rx_packets = stats.rx_packets;
    reading.counters.tx_packets = stats.tx_packets;
    reading.counters.rx_bytes = stats.rx_bytes;
    reading.counters.tx_bytes = stats.tx_bytes;
  }
  return reading;
}

absl::StatusOr<LinkNews> ParseNews(const nlmsghdr* message) {
  Attributes attributes(IFLA_MAX);
  EOIP_ASSIGN_OR_RETURN(const ifinfomsg* header,
                        ParseHeader(message, attributes));
  LinkNews news;
  news.name = attributes.String(IFLA_IFNAME);
  news.ifindex = static_cast<uint32_t>(header->ifi_index);
  // Family AF_BRIDGE: a port left its bridge.
  news.deleted =
      message->nlmsg_type == RTM_DELLINK && header->ifi_family == AF_UNSPEC;
  if (news.name.empty()) return Malformed("a link without name");
  return news;
}

}  // namespace eoip
