// SPDX-License-Identifier: Apache-2.0
#include "service/convert.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/unknown_field_set.h>

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "model/names.h"

namespace eoip {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

// Letters, digits, '-' and dots, the last label not a number: what somebody
// who means a DNS name would write (RFC 1123 and RFC 3696 section 2).
bool LooksLikeHostName(absl::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  const std::vector<absl::string_view> labels =
      absl::StrSplit(absl::StripSuffix(text, "."), '.');
  for (const absl::string_view label : labels) {
    if (label.empty() || label.size() > 63 || label.front() == '-' ||
        label.back() == '-') {
      return false;
    }
    for (const char c : label) {
      if (!absl::ascii_isalnum(c) && c != '-' && c != '_') return false;
    }
  }
  return labels.back().find_first_not_of("0123456789") !=
         absl::string_view::npos;
}

absl::StatusOr<TunnelKind> FromProto(v1::TunnelKind kind) {
  switch (kind) {
    case v1::EOIP:
      return TunnelKind::kEoip;
    case v1::EOIPV6:
      return TunnelKind::kEoipV6;
    case v1::IPIP:
      return TunnelKind::kIpip;
    case v1::IPIPV6:
      return TunnelKind::kIpipV6;
    case v1::TUNNEL_KIND_UNSPECIFIED:
      return FieldError("tunnel.kind", "", "EOIP or EOIPV6 is required");
    default:
      return FieldError("tunnel.kind", absl::StrCat(static_cast<int>(kind)),
                        "EOIP or EOIPV6");
  }
}

v1::TunnelKind ToProto(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::kEoip:
      return v1::EOIP;
    case TunnelKind::kEoipV6:
      return v1::EOIPV6;
    case TunnelKind::kIpip:
      return v1::IPIP;
    case TunnelKind::kIpipV6:
      return v1::IPIPV6;
  }
  return v1::TUNNEL_KIND_UNSPECIFIED;
}

absl::StatusOr<DatapathType> FromProto(v1::Datapath datapath) {
  switch (datapath) {
    case v1::DATAPATH_UNSPECIFIED:
    case v1::AUTO:
      return DatapathType::kAuto;
    case v1::KERNEL:
      return DatapathType::kKernel;
    case v1::BPF:
      return DatapathType::kBpf;
    case v1::TAP:
      return DatapathType::kTap;
    default:
      return FieldError("tunnel.datapath",
                        absl::StrCat(static_cast<int>(datapath)),
                        "AUTO, KERNEL or TAP");
  }
}

absl::StatusOr<std::optional<MacAddress>> ReadMac(absl::string_view field,
                                                  const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto mac = MacAddress::Parse(text);
  if (!mac.ok()) {
    return FieldError(field, text,
                      "a unicast MAC address as 02:00:00:00:00:01, or empty");
  }
  return *mac;
}

absl::Status ReadAddresses(const v1::Tunnel& proto, TunnelSpec* spec) {
  const std::string wanted =
      absl::StrCat("a unicast ", IsV6(spec->kind) ? "IPv6" : "IPv4",
                   " address, as ", ToString(spec->kind), " needs");
  if (!proto.local().empty()) {
    const auto local = IpAddress::Parse(proto.local());
    if (!local.ok()) {
      return FieldError("tunnel.local", proto.local(),
                        absl::StrCat(wanted, ", or empty"));
    }
    spec->local = *local;
  }
  const auto remote = IpAddress::Parse(proto.remote());
  if (!remote.ok()) {
    return LooksLikeHostName(proto.remote())
               ? NotBuiltError("tunnel.remote", proto.remote(), wanted)
               : FieldError("tunnel.remote", proto.remote(), wanted);
  }
  spec->remote = *remote;
  return absl::OkStatus();
}

absl::StatusOr<KeepaliveSpec> ReadKeepalive(const v1::Keepalive& proto) {
  KeepaliveSpec spec;
  spec.off = proto.off();
  if (proto.has_interval()) {
    const int64_t seconds = proto.interval().seconds();
    // The range is the model's to check; what it cannot hold is not.
    if (proto.interval().nanos() != 0 ||
        seconds < std::numeric_limits<int>::min() ||
        seconds > std::numeric_limits<int>::max()) {
      const int millis = proto.interval().nanos() / 1000000;
      return FieldError("tunnel.keepalive.interval",
                        absl::StrCat(seconds, "s", millis, "ms"),
                        "whole seconds, 1s..3600s");
    }
    spec.interval_s = static_cast<int>(seconds);
  }
  constexpr uint32_t kMaxRetries = 255;
  if (proto.retries() > kMaxRetries) {
    return FieldError("tunnel.keepalive.retries", absl::StrCat(proto.retries()),
                      "1..255, or 0 for the default (10)");
  }
  spec.retries = static_cast<int>(proto.retries());
  return spec;
}

absl::Status RefuseNotBuilt(const v1::Tunnel& proto) {
  if (!proto.ipsec_secret().empty()) {
    // The value is a secret: not into messages and logs.
    return NotBuiltError("tunnel.ipsec_secret", "(hidden)", "empty");
  }
  if (!v1::Arp_IsValid(proto.arp())) {
    return FieldError("tunnel.arp", absl::StrCat(static_cast<int>(proto.arp())),
                      "ARP_ENABLED");
  }
  if (proto.arp() != v1::ARP_UNSPECIFIED && proto.arp() != v1::ARP_ENABLED) {
    return NotBuiltError("tunnel.arp", v1::Arp_Name(proto.arp()),
                         "ARP_ENABLED");
  }
  if (proto.has_arp_timeout()) {
    return NotBuiltError("tunnel.arp_timeout",
                         absl::StrCat(proto.arp_timeout().seconds(), "s"),
                         "absent");
  }
  if (proto.has_loop_protect()) {
    return NotBuiltError("tunnel.loop_protect", "set", "absent");
  }
  return absl::OkStatus();
}

absl::Status ReadDontFragment(const v1::Tunnel& proto, TunnelSpec* spec) {
  switch (proto.dont_fragment()) {
    case v1::DONT_FRAGMENT_UNSPECIFIED:
    case v1::DONT_FRAGMENT_NO:
      spec->inherit_df = false;
      return absl::OkStatus();
    case v1::DONT_FRAGMENT_INHERIT:
      spec->inherit_df = true;
      return absl::OkStatus();
    default:
      return FieldError("tunnel.dont_fragment",
                        absl::StrCat(static_cast<int>(proto.dont_fragment())),
                        "DONT_FRAGMENT_NO or DONT_FRAGMENT_INHERIT");
  }
}

template <typename Ranges>
std::vector<VlanRange> ReadRanges(const Ranges& protos) {
  std::vector<VlanRange> ranges;
  for (const v1::VlanRange& proto : protos) {
    ranges.push_back(
        {proto.first(), proto.last() == 0 ? proto.first() : proto.last()});
  }
  return ranges;
}

void WriteRange(const VlanRange& range, v1::VlanRange* proto) {
  proto->set_first(range.first);
  proto->set_last(range.last);
}

absl::StatusOr<PortSpec> ReadPort(const std::string& path,
                                  const v1::NetworkPort& proto) {
  PortSpec port;
  switch (proto.port_case()) {
    case v1::NetworkPort::kTunnel: {
      EOIP_ASSIGN_OR_RETURN(port.tunnel,
                            ParseTunnelName(path + ".tunnel", proto.tunnel()));
      break;
    }
    case v1::NetworkPort::kLink:
      EOIP_RETURN_IF_ERROR(ValidateLinkName(path + ".link", proto.link()));
      port.link = proto.link();
      break;
    case v1::NetworkPort::PORT_NOT_SET:
      return FieldError(path, "", "exactly one of tunnel and link is required");
  }
  port.pvid = proto.pvid();
  port.tagged = ReadRanges(proto.tagged());
  port.isolated = proto.isolated();
  if (proto.storm_limit_pps() != 0) {
    return NotBuiltError(path + ".storm_limit_pps",
                         absl::StrCat(proto.storm_limit_pps()), "0");
  }
  return port;
}

}  // namespace

absl::Status RefuseUnknownFields(const std::string& path,
                                 const Message& message) {
  const Reflection& reflection = *message.GetReflection();
  const auto& unknown = reflection.GetUnknownFields(message);
  if (!unknown.empty()) {
    return absl::UnimplementedError(
        absl::StrCat(path, ": field number ", unknown.field(0).number(),
                     ": not known to this version"));
  }
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE ||
        field->is_map() || field->name() == "status") {
      continue;
    }
    const std::string field_path = absl::StrCat(path, ".", field->name());
    if (!field->is_repeated()) {
      EOIP_RETURN_IF_ERROR(RefuseUnknownFields(
          field_path, reflection.GetMessage(message, field)));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      EOIP_RETURN_IF_ERROR(RefuseUnknownFields(
          absl::StrCat(field_path, "[", i, "]"),
          reflection.GetRepeatedMessage(message, field, i)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<TunnelSpec> FromProto(const v1::Tunnel& proto) {
  EOIP_RETURN_IF_ERROR(RefuseUnknownFields("tunnel", proto));
  TunnelSpec spec;
  EOIP_ASSIGN_OR_RETURN(spec.id, ParseTunnelName("tunnel.name", proto.name()));
  EOIP_ASSIGN_OR_RETURN(spec.kind, FromProto(proto.kind()));
  EOIP_RETURN_IF_ERROR(ReadAddresses(proto, &spec));
  if (proto.has_tunnel_id()) spec.tunnel_id = proto.tunnel_id();
  spec.mtu = proto.mtu();
  spec.ttl = proto.ttl();
  if (proto.has_dscp()) spec.dscp = proto.dscp();
  EOIP_RETURN_IF_ERROR(ReadDontFragment(proto, &spec));
  if (proto.has_keepalive()) {
    EOIP_ASSIGN_OR_RETURN(spec.keepalive, ReadKeepalive(proto.keepalive()));
  }
  if (proto.has_clamp_tcp_mss()) spec.clamp_tcp_mss = proto.clamp_tcp_mss();
  spec.fwmark = proto.fwmark();
  spec.link = proto.link();
  spec.vrf = proto.vrf();
  EOIP_ASSIGN_OR_RETURN(spec.mac, ReadMac("tunnel.mac", proto.mac()));
  spec.disabled = proto.disabled();
  EOIP_ASSIGN_OR_RETURN(spec.datapath, FromProto(proto.datapath()));
  if (proto.has_allow_fast_path()) {
    spec.allow_fast_path = proto.allow_fast_path();
  }
  EOIP_RETURN_IF_ERROR(RefuseNotBuilt(proto));
  spec.comment = proto.comment();
  return spec;
}

absl::StatusOr<NetworkSpec> FromProto(const v1::Network& proto) {
  EOIP_RETURN_IF_ERROR(RefuseUnknownFields("network", proto));
  NetworkSpec spec;
  EOIP_ASSIGN_OR_RETURN(spec.id,
                        ParseNetworkName("network.name", proto.name()));
  for (int i = 0; i < proto.ports_size(); ++i) {
    EOIP_ASSIGN_OR_RETURN(
        PortSpec port,
        ReadPort(absl::StrCat("network.ports[", i, "]"), proto.ports(i)));
    spec.ports.push_back(std::move(port));
  }
  spec.mtu = proto.mtu();
  spec.stp = proto.stp();
  spec.multicast_snooping = proto.multicast_snooping();
  spec.vlan_filtering = proto.vlan_filtering();
  EOIP_ASSIGN_OR_RETURN(spec.mac, ReadMac("network.mac", proto.mac()));
  spec.comment = proto.comment();
  return spec;
}

absl::StatusOr<AttachmentSpec> FromProto(const v1::Attachment& proto) {
  EOIP_RETURN_IF_ERROR(RefuseUnknownFields("attachment", proto));
  AttachmentSpec spec;
  EOIP_ASSIGN_OR_RETURN(AttachmentKey key,
                        ParseAttachmentName("attachment.name", proto.name()));
  spec.network = std::move(key.network);
  spec.id = std::move(key.attachment);
  spec.host_link = proto.host_link();
  spec.container_id = proto.container_id();
  spec.ifname = proto.ifname();
  spec.netns = proto.netns();
  EOIP_ASSIGN_OR_RETURN(spec.mac, ReadMac("attachment.mac", proto.mac()));
  spec.addresses.assign(proto.addresses().begin(), proto.addresses().end());
  spec.vlan = proto.vlan();
  spec.trunk = ReadRanges(proto.trunk());
  spec.isolated = proto.isolated();
  spec.locked = proto.locked();
  spec.hairpin = proto.hairpin();
  spec.pod_namespace = proto.pod_namespace();
  spec.pod_name = proto.pod_name();
  if (proto.has_dhcp()) {
    spec.dhcp = {proto.dhcp().client_id(), proto.dhcp().hostname()};
  }
  return spec;
}

v1::Tunnel ToProto(const TunnelSpec& spec) {
  v1::Tunnel proto;
  proto.set_name(TunnelName(spec.id));
  proto.set_kind(ToProto(spec.kind));
  if (spec.local) proto.set_local(spec.local->ToString());
  proto.set_remote(spec.remote.ToString());
  if (spec.tunnel_id) proto.set_tunnel_id(*spec.tunnel_id);
  proto.set_mtu(spec.mtu);
  proto.set_ttl(spec.ttl);
  if (spec.dscp) proto.set_dscp(*spec.dscp);
  proto.set_dont_fragment(spec.inherit_df ? v1::DONT_FRAGMENT_INHERIT
                                          : v1::DONT_FRAGMENT_NO);
  if (spec.keepalive) {
    v1::Keepalive* keepalive = proto.mutable_keepalive();
    keepalive->set_off(spec.keepalive->off);
    if (spec.keepalive->interval_s) {
      keepalive->mutable_interval()->set_seconds(*spec.keepalive->interval_s);
    }
    keepalive->set_retries(static_cast<uint32_t>(spec.keepalive->retries));
  }
  if (spec.clamp_tcp_mss) proto.set_clamp_tcp_mss(*spec.clamp_tcp_mss);
  proto.set_fwmark(spec.fwmark);
  proto.set_link(spec.link);
  proto.set_vrf(spec.vrf);
  if (spec.mac) proto.set_mac(spec.mac->ToString());
  proto.set_disabled(spec.disabled);
  proto.set_datapath(ToProto(spec.datapath));
  if (spec.allow_fast_path) proto.set_allow_fast_path(*spec.allow_fast_path);
  proto.set_arp(v1::ARP_ENABLED);
  proto.set_comment(spec.comment);
  proto.set_source(spec.source);
  return proto;
}

v1::Network ToProto(const NetworkSpec& spec) {
  v1::Network proto;
  proto.set_name(NetworkName(spec.id));
  for (const PortSpec& port : spec.ports) {
    v1::NetworkPort* out = proto.add_ports();
    if (port.tunnel.empty()) {
      out->set_link(port.link);
    } else {
      out->set_tunnel(TunnelName(port.tunnel));
    }
    out->set_pvid(port.pvid);
    for (const VlanRange& range : port.tagged) {
      WriteRange(range, out->add_tagged());
    }
    out->set_isolated(port.isolated);
  }
  proto.set_mtu(spec.mtu);
  proto.set_stp(spec.stp);
  proto.set_multicast_snooping(spec.multicast_snooping);
  proto.set_vlan_filtering(spec.vlan_filtering);
  if (spec.mac) proto.set_mac(spec.mac->ToString());
  proto.set_comment(spec.comment);
  proto.set_source(spec.source);
  for (const std::string& link : spec.released_links) {
    proto.add_released_links(link);
  }
  return proto;
}

v1::Attachment ToProto(const AttachmentSpec& spec) {
  v1::Attachment proto;
  proto.set_name(AttachmentName({spec.network, spec.id}));
  proto.set_host_link(spec.host_link);
  proto.set_container_id(spec.container_id);
  proto.set_ifname(spec.ifname);
  proto.set_netns(spec.netns);
  if (spec.mac) proto.set_mac(spec.mac->ToString());
  for (const std::string& address : spec.addresses) {
    proto.add_addresses(address);
  }
  proto.set_vlan(spec.vlan);
  for (const VlanRange& range : spec.trunk) {
    WriteRange(range, proto.add_trunk());
  }
  proto.set_isolated(spec.isolated);
  proto.set_locked(spec.locked);
  proto.set_hairpin(spec.hairpin);
  proto.set_pod_namespace(spec.pod_namespace);
  proto.set_pod_name(spec.pod_name);
  if (spec.dhcp) {
    proto.mutable_dhcp()->set_client_id(spec.dhcp->client_id);
    proto.mutable_dhcp()->set_hostname(spec.dhcp->hostname);
  }
  return proto;
}

}  // namespace eoip
