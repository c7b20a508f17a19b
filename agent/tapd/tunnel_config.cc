// SPDX-License-Identifier: Apache-2.0
#include "tapd/tunnel_config.h"

#include <arpa/inet.h>
#include <net/if.h>

#include <algorithm>
#include <climits>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "eoip_wire.h"

namespace eoip::tapd {
namespace {

absl::Status Invalid(absl::string_view field, absl::string_view value,
                     absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat("config.", field, ": ", value, ": ", allowed));
}

absl::Status CheckRange(absl::string_view field, uint64_t value, uint64_t min,
                        uint64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Invalid(field, absl::StrCat(value),
                 absl::StrCat("must be ", min, "..", max));
}

// The kernel's rule for link names, without '%', which it would expand.
absl::Status CheckName(absl::string_view name) {
  const bool bad_char =
      std::any_of(name.begin(), name.end(), [](unsigned char c) {
        return !absl::ascii_isgraph(c) || c == '/' || c == ':' || c == '%';
      });
  if (name.empty() || name.size() >= IFNAMSIZ || bad_char || name == "." ||
      name == "..") {
    return Invalid("name", absl::StrCat("\"", absl::CHexEscape(name), "\""),
                   "must be a link name of 1..15 printable characters without "
                   "space, '/', ':' or '%'");
  }
  return absl::OkStatus();
}

bool IsUnicast(bool ipv6, const Address& a) {
  if (ipv6) {
    return a[0] != 0xff && a != Address{};
  }
  return a[0] != 0 && a[0] < 224;
}

absl::StatusOr<Address> ParseAddress(absl::string_view field, bool ipv6,
                                     const std::string& bytes) {
  const size_t want = ipv6 ? 16 : 4;
  if (bytes.size() != want) {
    return Invalid(field, absl::StrCat(bytes.size(), " bytes"),
                   absl::StrCat("must be ", want, " bytes, as ipv6 is ",
                                ipv6 ? "true" : "false"));
  }
  Address address{};
  std::copy(bytes.begin(), bytes.end(), address.begin());
  if (!IsUnicast(ipv6, address)) {
    return Invalid(field, AddressToString(ipv6, address),
                   "must be a unicast address");
  }
  return address;
}

absl::Status ParseMac(const std::string& bytes, TunnelConfig* config) {
  if (bytes.size() != 6) {
    return Invalid("mac", absl::StrCat(bytes.size(), " bytes"),
                   "must be 6 bytes");
  }
  std::copy(bytes.begin(), bytes.end(), config->mac.begin());
  const bool zero = config->mac == std::array<uint8_t, 6>{};
  if (zero || (config->mac[0] & 1) != 0) {
    return Invalid("mac", absl::BytesToHexString(bytes),
                   "must be a unicast address other than zero");
  }
  return absl::OkStatus();
}

absl::Status CheckRanges(const v1::TunnelConfig& proto) {
  EOIP_RETURN_IF_ERROR(CheckRange("tunnel_id", proto.tunnel_id(), 0,
                                  proto.ipv6() ? EOIP6_MAX_ID : EOIP4_MAX_ID));
  EOIP_RETURN_IF_ERROR(CheckRange("ttl", proto.ttl(), 1, 255));
  EOIP_RETURN_IF_ERROR(CheckRange("dscp", proto.dscp(), 0, 63));
  EOIP_RETURN_IF_ERROR(CheckRange("keepalive_interval_s",
                                  proto.keepalive_interval_s(), 0,
                                  kMaxKeepaliveInterval));
  EOIP_RETURN_IF_ERROR(CheckRange(
      "keepalive_retries", proto.keepalive_retries(), 0, kMaxKeepaliveRetries));
  EOIP_RETURN_IF_ERROR(CheckRange("mtu", proto.mtu(), kMinMtu, kMaxMtu));
  return CheckRange("underlay_ifindex", proto.underlay_ifindex(), 0, INT_MAX);
}

}  // namespace

absl::StatusOr<TunnelConfig> ParseTunnelConfig(const v1::TunnelConfig& proto) {
  TunnelConfig config;
  EOIP_RETURN_IF_ERROR(CheckName(proto.name()));
  EOIP_RETURN_IF_ERROR(CheckRanges(proto));
  EOIP_ASSIGN_OR_RETURN(config.remote,
                        ParseAddress("remote", proto.ipv6(), proto.remote()));
  if (!proto.local().empty()) {
    EOIP_ASSIGN_OR_RETURN(config.local,
                          ParseAddress("local", proto.ipv6(), proto.local()));
    config.has_local = true;
  }
  EOIP_RETURN_IF_ERROR(ParseMac(proto.mac(), &config));
  config.name = proto.name();
  config.ipv6 = proto.ipv6();
  config.tunnel_id = proto.tunnel_id();
  config.ttl = static_cast<uint8_t>(proto.ttl());
  if (proto.has_dscp()) config.dscp = static_cast<uint8_t>(proto.dscp());
  config.inherit_df = proto.inherit_df();
  config.keepalive_interval_s = proto.keepalive_interval_s();
  config.keepalive_retries = proto.keepalive_retries();
  config.clamp_tcp_mss = proto.clamp_tcp_mss();
  config.mtu = proto.mtu();
  config.fwmark = proto.fwmark();
  config.underlay_ifindex = proto.underlay_ifindex();
  config.no_offload = proto.no_offload();
  config.disabled = proto.disabled();
  return config;
}

v1::TunnelConfig MakeTunnelConfigProto(const TunnelConfig& config) {
  v1::TunnelConfig proto;
  const size_t size = config.ipv6 ? 16 : 4;
  proto.set_name(config.name);
  proto.set_ipv6(config.ipv6);
  proto.set_tunnel_id(config.tunnel_id);
  if (config.has_local) proto.set_local(config.local.data(), size);
  proto.set_remote(config.remote.data(), size);
  proto.set_mac(config.mac.data(), config.mac.size());
  proto.set_ttl(config.ttl);
  if (config.dscp.has_value()) proto.set_dscp(*config.dscp);
  proto.set_inherit_df(config.inherit_df);
  proto.set_keepalive_interval_s(config.keepalive_interval_s);
  proto.set_keepalive_retries(config.keepalive_retries);
  proto.set_clamp_tcp_mss(config.clamp_tcp_mss);
  proto.set_mtu(config.mtu);
  proto.set_fwmark(config.fwmark);
  proto.set_underlay_ifindex(config.underlay_ifindex);
  proto.set_no_offload(config.no_offload);
  proto.set_disabled(config.disabled);
  return proto;
}

bool SameKey(const TunnelConfig& a, const TunnelConfig& b) {
  return a.ipv6 == b.ipv6 && a.tunnel_id == b.tunnel_id &&
         a.remote == b.remote && a.has_local == b.has_local &&
         a.local == b.local;
}

std::string AddressToString(bool ipv6, const Address& address) {
  char text[INET6_ADDRSTRLEN];
  ::inet_ntop(ipv6 ? AF_INET6 : AF_INET, address.data(), text, sizeof(text));
  return text;
}

}  // namespace eoip::tapd
