// SPDX-License-Identifier: Apache-2.0
#include "model/tunnel.h"

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/names.h"

namespace eoip {
namespace {

constexpr uint32_t kMaxTunnelIdV4 = 65535;
constexpr uint32_t kMaxTunnelIdV6 = 4095;
constexpr uint32_t kMaxTtl = 255;
constexpr uint32_t kMaxDscp = 63;
constexpr int kMaxKeepaliveIntervalS = 3600;
constexpr int kMaxKeepaliveRetries = 255;
constexpr size_t kMaxComment = 255;

absl::Status ValidateAddresses(const TunnelSpec& spec) {
  const bool v6 = IsV6(spec.kind);
  const std::string wanted =
      absl::StrCat("a unicast ", v6 ? "IPv6" : "IPv4", " address, as ",
                   ToString(spec.kind), " needs");
  if (spec.local &&
      (spec.local->is_v6() != v6 || !spec.local->IsUsableUnicast())) {
    return FieldError("tunnel.local", spec.local->ToString(),
                      absl::StrCat(wanted, ", or empty"));
  }
  if (spec.remote.is_v6() != v6 || !spec.remote.IsUsableUnicast()) {
    return FieldError("tunnel.remote", spec.remote.ToString(), wanted);
  }
  if (spec.local && *spec.local == spec.remote) {
    return FieldError("tunnel.remote", spec.remote.ToString(),
                      "another address than local");
  }
  if (v6 && spec.remote.IsLinkLocal() && spec.link.empty()) {
    return FieldError("tunnel.link", "",
                      "the name of the underlay link is required with a "
                      "link-local remote");
  }
  return absl::OkStatus();
}

absl::Status ValidateTunnelId(const TunnelSpec& spec) {
  const uint32_t max = IsV6(spec.kind) ? kMaxTunnelIdV6 : kMaxTunnelIdV4;
  if (spec.tunnel_id && *spec.tunnel_id <= max) return absl::OkStatus();
  return FieldError(
      "tunnel.tunnel_id", spec.tunnel_id ? absl::StrCat(*spec.tunnel_id) : "",
      absl::StrCat("0..", max, " is required for ", ToString(spec.kind)));
}

absl::Status ValidateKeepalive(const KeepaliveSpec& keepalive) {
  if (keepalive.interval_s &&
      (*keepalive.interval_s < 1 ||
       *keepalive.interval_s > kMaxKeepaliveIntervalS)) {
    return FieldError("tunnel.keepalive.interval",
                      absl::StrCat(*keepalive.interval_s, "s"),
                      "whole seconds, 1s..3600s");
  }
  if (keepalive.retries < 0 || keepalive.retries > kMaxKeepaliveRetries) {
    return FieldError("tunnel.keepalive.retries",
                      absl::StrCat(keepalive.retries),
                      "1..255, or 0 for the default (10)");
  }
  if (keepalive.off && keepalive.interval_s) {
    return FieldError("tunnel.keepalive.interval",
                      absl::StrCat(*keepalive.interval_s, "s"),
                      "must be unset with tunnel.keepalive.off");
  }
  if (keepalive.off && keepalive.retries != 0) {
    return FieldError("tunnel.keepalive.retries",
                      absl::StrCat(keepalive.retries),
                      "must be unset with tunnel.keepalive.off");
  }
  return absl::OkStatus();
}

absl::Status ValidateUnderlay(const TunnelSpec& spec) {
  if (!spec.link.empty()) {
    EOIP_RETURN_IF_ERROR(ValidateLinkName("tunnel.link", spec.link));
    if (spec.link == spec.id) {
      return FieldError("tunnel.link", spec.link,
                        "another link than the tunnel itself");
    }
  }
  if (!spec.vrf.empty()) {
    EOIP_RETURN_IF_ERROR(ValidateLinkName("tunnel.vrf", spec.vrf));
    if (!spec.link.empty()) {
      return FieldError("tunnel.vrf", spec.vrf,
                        "must be empty where tunnel.link is set");
    }
    if (spec.vrf == spec.id) {
      return FieldError("tunnel.vrf", spec.vrf,
                        "another link than the tunnel itself");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateNumbers(const TunnelSpec& spec) {
  if (spec.mtu != 0 && (spec.mtu < kMinMtu || spec.mtu > kMaxMtu)) {
    return FieldError("tunnel.mtu", absl::StrCat(spec.mtu),
                      "68..65521, or 0 for the default (1500)");
  }
  if (spec.ttl > kMaxTtl) {
    return FieldError("tunnel.ttl", absl::StrCat(spec.ttl),
                      "1..255, or 0 for the default (255)");
  }
  if (spec.dscp && *spec.dscp > kMaxDscp) {
    return FieldError("tunnel.dscp", absl::StrCat(*spec.dscp),
                      "0..63, or absent to inherit");
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view ToString(TunnelKind kind) {
  switch (kind) {
    case TunnelKind::kEoip:
      return "EOIP";
    case TunnelKind::kEoipV6:
      return "EOIPV6";
    case TunnelKind::kIpip:
      return "IPIP";
    case TunnelKind::kIpipV6:
      return "IPIPV6";
  }
  return "?";
}

absl::string_view ToString(DatapathType type) {
  switch (type) {
    case DatapathType::kAuto:
      return "AUTO";
    case DatapathType::kKernel:
      return "KERNEL";
    case DatapathType::kBpf:
      return "BPF";
    case DatapathType::kTap:
      return "TAP";
  }
  return "?";
}

absl::string_view ToString(TunnelState state) {
  switch (state) {
    case TunnelState::kPending:
      return "PENDING";
    case TunnelState::kActive:
      return "ACTIVE";
    case TunnelState::kPeerDown:
      return "PEER_DOWN";
    case TunnelState::kFailed:
      return "FAILED";
    case TunnelState::kDeleting:
      return "DELETING";
    case TunnelState::kDisabled:
      return "DISABLED";
  }
  return "?";
}

TunnelConfig ResolveTunnel(const TunnelSpec& spec, absl::string_view node,
                           uint32_t underlay_ifindex) {
  TunnelConfig config;
  config.name = spec.id;
  config.kind = spec.kind;
  config.local = spec.local;
  config.remote = spec.remote;
  config.tunnel_id = spec.tunnel_id.value_or(0);
  if (spec.mtu != 0) config.mtu = spec.mtu;
  if (spec.ttl != 0) config.ttl = spec.ttl;
  config.dscp = spec.dscp;
  config.inherit_df = spec.inherit_df;
  if (spec.keepalive) {
    const KeepaliveSpec& keepalive = *spec.keepalive;
    if (keepalive.off) {
      config.keepalive_interval_s = 0;
    } else if (keepalive.interval_s) {
      config.keepalive_interval_s = *keepalive.interval_s;
    }
    if (keepalive.retries != 0) config.keepalive_retries = keepalive.retries;
  }
  config.clamp_tcp_mss = spec.clamp_tcp_mss.value_or(true);
  config.fwmark = spec.fwmark;
  config.underlay_ifindex = underlay_ifindex;
  config.mac = spec.mac.value_or(MacAddress::Derive(node, spec.id));
  config.gso = spec.allow_fast_path.value_or(true);
  config.disabled = spec.disabled;
  return config;
}

absl::Status ValidateTunnel(const TunnelSpec& spec) {
  EOIP_RETURN_IF_ERROR(ValidateLinkName("tunnel.name", spec.id));
  if (!IsLayer2(spec.kind)) {
    return NotBuiltError("tunnel.kind", ToString(spec.kind), "EOIP, EOIPV6");
  }
  EOIP_RETURN_IF_ERROR(ValidateAddresses(spec));
  EOIP_RETURN_IF_ERROR(ValidateTunnelId(spec));
  EOIP_RETURN_IF_ERROR(ValidateNumbers(spec));
  if (spec.keepalive) {
    EOIP_RETURN_IF_ERROR(ValidateKeepalive(*spec.keepalive));
  }
  EOIP_RETURN_IF_ERROR(ValidateUnderlay(spec));
  if (spec.mac && !spec.mac->IsUnicast()) {
    return FieldError("tunnel.mac", spec.mac->ToString(),
                      "a unicast MAC address, or empty");
  }
  if (spec.datapath == DatapathType::kBpf) {
    return NotBuiltError("tunnel.datapath", "BPF", "AUTO, KERNEL, TAP");
  }
  return ValidateText("tunnel.comment", spec.comment, kMaxComment);
}

absl::Status ValidateTunnelUpdate(const TunnelSpec& from,
                                  const TunnelSpec& to) {
  if (to.id != from.id) {
    return FieldError("tunnel.name", TunnelName(to.id),
                      absl::StrCat("immutable, it is ", TunnelName(from.id)));
  }
  if (to.kind != from.kind) {
    return FieldError("tunnel.kind", ToString(to.kind),
                      absl::StrCat("immutable, it is ", ToString(from.kind)));
  }
  return absl::OkStatus();
}

}  // namespace eoip
