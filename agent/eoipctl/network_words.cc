// SPDX-License-Identifier: Apache-2.0
//
// Networks in words close to RouterOS's /interface bridge and iproute2.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "eoip/v1/network.pb.h"
#include "eoipctl/resource.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

const v1::Network& AsNetwork(const Message& message) {
  return static_cast<const v1::Network&>(message);
}

absl::StatusOr<std::string> FullName(absl::string_view typed) {
  absl::string_view id = typed;
  absl::ConsumePrefix(&id, "networks/");
  if (id.empty() || id.find('/') != absl::string_view::npos) {
    return BadValue("name", typed, "NAME or networks/NAME");
  }
  return absl::StrCat("networks/", id);
}

std::string ShortName(absl::string_view full) {
  return std::string(absl::StripPrefix(full, "networks/"));
}

absl::Status ParsePortOption(absl::string_view option, v1::NetworkPort* port) {
  const std::vector<absl::string_view> parts =
      absl::StrSplit(option, absl::MaxSplits('=', 1));
  const absl::string_view value = parts.size() == 2 ? parts[1] : "yes";
  if (parts[0] == "isolated") {
    EOIP_ASSIGN_OR_RETURN(const bool isolated, ParseBool(value));
    port->set_isolated(isolated);
    return absl::OkStatus();
  }
  if (parts[0] == "tagged") {
    return ParseVlans(value, '+', port->mutable_tagged());
  }
  if (parts[0] != "pvid" && parts[0] != "storm-limit-pps") {
    return absl::InvalidArgumentError("unknown option of a port");
  }
  EOIP_ASSIGN_OR_RETURN(const uint32_t number, ParseUint32(value));
  if (parts[0] == "pvid") {
    port->set_pvid(number);
  } else {
    port->set_storm_limit_pps(number);
  }
  return absl::OkStatus();
}

// PORT[:OPTION]...[,PORT...]
absl::Status ParsePorts(absl::string_view value, Message* message) {
  for (absl::string_view text : absl::StrSplit(value, ',')) {
    v1::NetworkPort* port = static_cast<v1::Network*>(message)->add_ports();
    const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
    const absl::string_view name = parts[0];
    if (name.empty()) return absl::InvalidArgumentError("no name");
    if (absl::StartsWith(name, "tunnels/")) {
      port->set_tunnel(std::string(name));
    } else {
      port->set_link(std::string(name));
    }
    for (size_t i = 1; i < parts.size(); ++i) {
      EOIP_RETURN_IF_ERROR(ParsePortOption(parts[i], port));
    }
  }
  return absl::OkStatus();
}

std::string FormatPort(const v1::NetworkPort& port) {
  std::string text = port.has_tunnel() ? port.tunnel() : port.link();
  if (port.pvid() != 0) absl::StrAppend(&text, ":pvid=", port.pvid());
  if (port.tagged_size() > 0) {
    absl::StrAppend(&text, ":tagged=", FormatVlans(port.tagged(), "+"));
  }
  if (port.isolated()) absl::StrAppend(&text, ":isolated");
  if (port.storm_limit_pps() != 0) {
    absl::StrAppend(&text, ":storm-limit-pps=", port.storm_limit_pps());
  }
  return text;
}

std::string FormatPorts(const Message& message) {
  return absl::StrJoin(AsNetwork(message).ports(), ",",
                       [](std::string* out, const v1::NetworkPort& port) {
                         out->append(FormatPort(port));
                       });
}

std::string ShortPorts(const v1::Network& network) {
  return absl::StrJoin(network.ports(), ",",
                       [](std::string* out, const v1::NetworkPort& port) {
                         absl::string_view name =
                             port.has_tunnel() ? port.tunnel() : port.link();
                         absl::ConsumePrefix(&name, "tunnels/");
                         absl::StrAppend(out, name);
                       });
}

std::vector<Property> Properties() {
  return {
      {.word = "ports",
       .aliases = {"port"},
       .path = "ports",
       .values = "PORT[,PORT...] or none; PORT is a tunnel's or link's NAME, "
                 "or tunnels/NAME for a tunnel that is yet to come, then "
                 ":isolated, :pvid=N, :tagged=N+N-N",
       .help = "tunnels and links of the host in the bridge",
       .default_word = "none",
       .parse = ParsePorts,
       .format = FormatPorts},
      {.word = "mtu",
       .path = "mtu",
       .values = "68..65521, or auto",
       .help = "of bridge and pods; auto: the smallest of the tunnels'",
       .default_word = "auto"},
      {.word = "stp",
       .path = "stp",
       .values = "yes or no",
       .help = "spanning tree; default no"},
      {.word = "multicast-snooping",
       .aliases = {"igmp-snooping"},
       .path = "multicast_snooping",
       .values = "yes or no",
       .help = "default no: all multicast is flooded"},
      {.word = "vlan-filtering",
       .path = "vlan_filtering",
       .values = "yes or no",
       .help = "default no; with it a port is untagged in its pvid (default 1) "
               "and the bridge itself in VLAN 1"},
      {.word = "mac-address",
       .aliases = {"admin-mac", "mac"},
       .path = "mac",
       .values = "02:00:00:00:00:01, or auto",
       .help = "of the bridge; auto: from node and name",
       .default_word = "auto"},
      {.word = "comment",
       .path = "comment",
       .values = "text of 0..255 bytes",
       .help = "for people"},
  };
}

std::vector<Column> Columns() {
  using M = const Message&;
  using N = absl::Time;
  return {
      {"NAME", false, [](M n, N) { return ShortName(NameOf(n)); }},
      {"STATE", false, [](M n, N) { return StateOf(n); }},
      {"MTU", false,
       [](M n, N) {
         return FormatProperty({.path = "status.effective_mtu"}, n);
       }},
      {"PORTS", false, [](M n, N) { return ShortPorts(AsNetwork(n)); }},
      {"TUNNELS", false,
       [](M n, N) {
         const v1::NetworkStatus& status = AsNetwork(n).status();
         return absl::StrCat(status.tunnels_active(), "/", status.tunnels());
       }},
      {"PODS", false,
       [](M n, N) {
         return absl::StrCat(AsNetwork(n).status().attachments());
       }},
      {"STP", true,
       [](M n, N) -> std::string { return AsNetwork(n).stp() ? "yes" : "no"; }},
      {"SNOOPING", true,
       [](M n, N) -> std::string {
         return AsNetwork(n).multicast_snooping() ? "yes" : "no";
       }},
      {"VLANS", true,
       [](M n, N) -> std::string {
         return AsNetwork(n).vlan_filtering() ? "yes" : "no";
       }},
      {"MAC", true, [](M n, N) { return AsNetwork(n).mac(); }},
      {"COMMENT", true, [](M n, N) { return AsNetwork(n).comment(); }},
      {"REASON", false, [](M n, N) { return ReasonOf(n); }},
  };
}

std::vector<Example> Examples() {
  return {
      {"create",
       "eoipctl network create lan ports=eoip7,eth1 mtu=1500\n"
       "eoipctl network create sites "
       "ports=tunnels/a:isolated,tunnels/b:isolated"
       " --wait\n"
       "eoipctl network create vlans vlan-filtering=yes "
       "ports=eoip7:tagged=10+20-29"},
      {"get",
       "eoipctl network get lan\n"
       "eoipctl network get lan --wait=1m"},
      {"list", "eoipctl network list"},
      {"update",
       "eoipctl network update lan ports=eoip7,eoip8 stp=yes\n"
       "eoipctl network update lan '!mtu'"},
      {"delete", "eoipctl network delete lan --wait"},
      {"watch", "eoipctl network watch lan"},
  };
}

}  // namespace

absl::Status ResolvePorts(
    const std::function<absl::StatusOr<bool>(const std::string&)>& is_tunnel,
    Message* network) {
  for (v1::NetworkPort& port :
       *static_cast<v1::Network*>(network)->mutable_ports()) {
    if (port.has_tunnel()) continue;
    EOIP_ASSIGN_OR_RETURN(const bool tunnel, is_tunnel(port.link()));
    if (tunnel) port.set_tunnel(absl::StrCat("tunnels/", port.link()));
  }
  return absl::OkStatus();
}

const Resource& Networks() {
  static const Resource& resource = *new Resource{
      .noun = "network",
      .plural = "networks",
      .name_form = "NAME",
      .what = "Layer-2 segments: bridges of tunnels, NICs and pods",
      .properties = Properties(),
      .columns = Columns(),
      .examples = Examples(),
      .full_name = FullName,
      .short_name = ShortName,
      .make_client = client::MakeNetworkClient,
  };
  return resource;
}

}  // namespace eoip::ctl
