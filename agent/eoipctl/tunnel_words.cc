// SPDX-License-Identifier: Apache-2.0
//
// Tunnels in RouterOS's words (/interface eoip).
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "eoip/v1/tunnel.pb.h"
#include "eoipctl/resource.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

const v1::Tunnel& AsTunnel(const Message& message) {
  return static_cast<const v1::Tunnel&>(message);
}

absl::StatusOr<std::string> FullName(absl::string_view typed) {
  absl::string_view id = typed;
  absl::ConsumePrefix(&id, "tunnels/");
  if (id.empty() || id.find('/') != absl::string_view::npos) {
    return BadValue("name", typed, "NAME or tunnels/NAME");
  }
  return absl::StrCat("tunnels/", id);
}

std::string ShortName(absl::string_view full) {
  return std::string(absl::StripPrefix(full, "tunnels/"));
}

// INTERVAL[,RETRIES]
absl::Status ParseKeepalive(absl::string_view value, Message* message) {
  v1::Keepalive* keepalive =
      static_cast<v1::Tunnel*>(message)->mutable_keepalive();
  if (value == "off" || value == "no") {
    keepalive->set_off(true);
    return absl::OkStatus();
  }
  const std::vector<absl::string_view> parts =
      absl::StrSplit(value, absl::MaxSplits(',', 1));
  EOIP_ASSIGN_OR_RETURN(const absl::Duration interval, ParseTime(parts[0]));
  const int64_t seconds = absl::ToInt64Seconds(interval);
  keepalive->mutable_interval()->set_seconds(seconds);
  keepalive->mutable_interval()->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(interval - absl::Seconds(seconds))));
  if (parts.size() == 2) {
    EOIP_ASSIGN_OR_RETURN(const uint32_t retries, ParseUint32(parts[1]));
    // 0 would be taken for the default.
    if (retries == 0) return absl::InvalidArgumentError("0 retries");
    keepalive->set_retries(retries);
  }
  return absl::OkStatus();
}

std::string FormatKeepalive(const Message& message) {
  if (!AsTunnel(message).has_keepalive()) return "";
  const v1::Keepalive& keepalive = AsTunnel(message).keepalive();
  if (keepalive.off()) return "off";
  const absl::Duration interval =
      keepalive.has_interval()
          ? absl::Seconds(keepalive.interval().seconds()) +
                absl::Nanoseconds(keepalive.interval().nanos())
          : absl::Seconds(10);
  return absl::StrCat(FormatTime(interval), ",",
                      keepalive.retries() == 0 ? 10 : keepalive.retries());
}

void KeepaliveOff(Message* message) {
  static_cast<v1::Tunnel*>(message)->mutable_keepalive()->set_off(true);
}

std::vector<Property> Properties() {
  return {
      {.word = "kind",
       .path = "kind",
       .values = "eoip, eoipv6, ipip or ipipv6",
       .help = "encapsulation, fixed for life"},
      {.word = "remote-address",
       .aliases = {"remote"},
       .path = "remote",
       .values = "an IPv4 or IPv6 address",
       .help = "the peer"},
      {.word = "local-address",
       .aliases = {"local"},
       .path = "local",
       .values = "an own address, or auto",
       .help = "auto: by routing, any own address receives",
       .default_word = "auto"},
      {.word = "tunnel-id",
       .aliases = {"id"},
       .path = "tunnel_id",
       .values = "0..65535 (eoip) or 0..4095 (eoipv6)",
       .help = "the same on both sides"},
      {.word = "mtu",
       .path = "mtu",
       .values = "68..65521, or auto",
       .help = "of the link; auto: 1500",
       .default_word = "auto"},
      {.word = "mac-address",
       .aliases = {"mac"},
       .path = "mac",
       .values = "02:00:00:00:00:01, or auto",
       .help = "of the link; auto: from node and name",
       .default_word = "auto"},
      {.word = "keepalive",
       .path = "keepalive",
       .values = "INTERVAL[,RETRIES] as 10s,10; or off, or default",
       .help = "default: 10s,10; !keepalive is off, as in RouterOS",
       .default_word = "default",
       .parse = ParseKeepalive,
       .format = FormatKeepalive,
       .negate = KeepaliveOff},
      {.word = "dscp",
       .path = "dscp",
       .values = "0..63, or inherit",
       .help = "of the outer header",
       .default_word = "inherit"},
      {.word = "dont-fragment",
       .path = "dont_fragment",
       .values = "no or inherit",
       .help = "outer DF: 0, or the inner packet's"},
      {.word = "clamp-tcp-mss",
       .path = "clamp_tcp_mss",
       .values = "yes or no",
       .help = "lower the MSS of received SYNs; default yes"},
      {.word = "ttl",
       .aliases = {"hop-limit"},
       .path = "ttl",
       .values = "1..255, or auto",
       .help = "of the outer header; auto: 255",
       .default_word = "auto"},
      {.word = "fwmark",
       .path = "fwmark",
       .values = "a number, also 0x10, or none",
       .help = "mark of the outer packets for policy routing",
       .default_word = "none"},
      {.word = "link",
       .aliases = {"dev", "interface"},
       .path = "link",
       .values = "a link's name, or none",
       .help = "underlay link that outer packets must use",
       .default_word = "none"},
      {.word = "vrf",
       .path = "vrf",
       .values = "a VRF's name, or none",
       .help = "VRF of the underlay",
       .default_word = "none"},
      {.word = "datapath",
       .path = "datapath",
       .values = "auto, kernel, bpf or tap",
       .help = "a named one is strict; default auto"},
      {.word = "disabled",
       .path = "disabled",
       .values = "yes or no",
       .help = "keep the link, but down"},
      {.word = "allow-fast-path",
       .path = "allow_fast_path",
       .values = "yes or no",
       .help = "segmentation offload into the tunnel; default yes"},
      {.word = "ipsec-secret",
       .path = "ipsec_secret",
       .values = "text",
       .help = "pre-shared key (not built yet)"},
      {.word = "arp",
       .path = "arp",
       .values = "enabled, disabled, proxy-arp, reply-only or local-proxy-arp",
       .help = "only enabled is built yet"},
      {.word = "arp-timeout",
       .path = "arp_timeout",
       .values = "a time, or auto",
       .help = "(not built yet)",
       .default_word = "auto"},
      {.word = "loop-protect",
       .path = "loop_protect.enabled",
       .values = "on, off or default",
       .help = "(not built yet)",
       .default_word = "default"},
      {.word = "loop-protect-send-interval",
       .path = "loop_protect.send_interval",
       .values = "a time",
       .help = "(not built yet)"},
      {.word = "loop-protect-disable-time",
       .path = "loop_protect.disable_time",
       .values = "a time",
       .help = "(not built yet)"},
      {.word = "comment",
       .path = "comment",
       .values = "text of 0..255 bytes",
       .help = "for people"},
  };
}

std::string Drops(const v1::Tunnel& tunnel) {
  uint64_t sum = 0;
  for (const auto& [cause, count] : tunnel.status().counters().drops()) {
    sum += count;
  }
  return absl::StrCat(sum);
}

std::vector<Column> Columns() {
  using T = const Message&;
  using N = absl::Time;
  return {
      {"NAME", false, [](T t, N) { return ShortName(NameOf(t)); }},
      {"STATE", false, [](T t, N) { return StateOf(t); }},
      {"KIND", false,
       [](T t, N) { return FormatProperty({.path = "kind"}, t); }},
      {"REMOTE", false, [](T t, N) { return AsTunnel(t).remote(); }},
      {"ID", false,
       [](T t, N) { return FormatProperty({.path = "tunnel_id"}, t); }},
      {"LOCAL", true, [](T t, N) { return AsTunnel(t).local(); }},
      {"DATAPATH", false,
       [](T t, N) { return FormatProperty({.path = "status.datapath"}, t); }},
      {"MTU", false,
       [](T t, N) {
         return FormatProperty({.path = "status.effective_mtu"}, t);
       }},
      {"HEARD", false,
       [](T t, N now) {
         const v1::TunnelStatus& status = AsTunnel(t).status();
         return AgeOf(status.has_last_heard(), status.last_heard(), now);
       }},
      {"NETWORK", false,
       [](T t, N) {
         return std::string(
             absl::StripPrefix(AsTunnel(t).status().network(), "networks/"));
       }},
      {"MAC", true, [](T t, N) { return AsTunnel(t).status().mac(); }},
      {"KEEPALIVE", true,
       [](T t, N) {
         return AsTunnel(t).has_keepalive() ? FormatKeepalive(t) : "10s,10";
       }},
      {"RX", true,
       [](T t, N) {
         return absl::StrCat(AsTunnel(t).status().counters().rx_packets());
       }},
      {"TX", true,
       [](T t, N) {
         return absl::StrCat(AsTunnel(t).status().counters().tx_packets());
       }},
      {"DROPS", true, [](T t, N) { return Drops(AsTunnel(t)); }},
      {"COMMENT", true, [](T t, N) { return AsTunnel(t).comment(); }},
      {"REASON", false, [](T t, N) { return ReasonOf(t); }},
  };
}

std::vector<Example> Examples() {
  return {
      {"create",
       "eoipctl tunnel create eoip7 kind=eoip remote-address=192.0.2.1 "
       "tunnel-id=7\n"
       "eoipctl tunnel create site kind=eoipv6 remote-address=2001:db8::1 "
       "tunnel-id=7 keepalive=10s,10 mtu=1444 --wait=30s"},
      {"get",
       "eoipctl tunnel get eoip7\n"
       "eoipctl tunnel get eoip7 --wait --for=peer-down"},
      {"list",
       "eoipctl tunnel list -o wide\n"
       "eoipctl tunnel list -o json"},
      {"update",
       "eoipctl tunnel update eoip7 remote-address=192.0.2.2 mtu=auto\n"
       "eoipctl tunnel update eoip7 '!keepalive' '!comment'"},
      {"delete", "eoipctl tunnel delete eoip7 eoip8 --if-exists"},
      {"watch",
       "eoipctl tunnel watch\n"
       "eoipctl tunnel watch eoip7 -o json"},
  };
}

}  // namespace

const Resource& Tunnels() {
  static const Resource& resource = *new Resource{
      .noun = "tunnel",
      .plural = "tunnels",
      .name_form = "NAME",
      .what = "tunnels to MikroTik peers",
      .properties = Properties(),
      .columns = Columns(),
      .examples = Examples(),
      .full_name = FullName,
      .short_name = ShortName,
      .make_client = client::MakeTunnelClient,
  };
  return resource;
}

}  // namespace eoip::ctl
