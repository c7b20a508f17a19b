// SPDX-License-Identifier: Apache-2.0
#include "inline_conf.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "cni_error.h"
#include "eoipctl/values.h"
#include "model/address.h"

namespace eoip::cni {
namespace {

absl::Status Bad(absl::string_view path, absl::string_view what) {
  return CniError(CniCode::kConfig, absl::StrCat(path, ": ", what));
}

// As somebody would type it.
absl::StatusOr<std::string> TypedText(const std::string& path,
                                      const Json& value) {
  if (value.is_string()) return TextOf(value);
  if (value.is_boolean()) return std::string(value == true ? "yes" : "no");
  if (value.is_number()) {
    const auto number = value.get<double>();
    if (std::floor(number) == number && std::abs(number) < 1e15) {
      return absl::StrCat(static_cast<int64_t>(number));
    }
    return Bad(path, "must be a whole number");
  }
  if (!value.is_array()) {
    return Bad(path, "must be text, a number, true, false or a list of them");
  }
  std::vector<std::string> parts;
  for (const Json& part : value) {
    EOIP_ASSIGN_OR_RETURN(std::string text, TypedText(path, part));
    parts.push_back(std::move(text));
  }
  return absl::StrJoin(parts, ",");
}

// Sets one field from text; an error says what is allowed.
template <typename Message>
using Set = absl::Status (*)(const std::string& text, Message& message);
template <typename Message>
using Words = std::map<std::string, Set<Message>>;

absl::Status Allowed(absl::string_view what) {
  return absl::InvalidArgumentError(what);
}

template <typename Message, void (Message::*kSet)(uint32_t)>
absl::Status Number(const std::string& text, Message& message) {
  const auto number = ctl::ParseUint32(text);
  if (!number.ok()) return Allowed("a number");
  (message.*kSet)(*number);
  return absl::OkStatus();
}

template <typename Message, void (Message::*kSet)(bool)>
absl::Status Truth(const std::string& text, Message& message) {
  const auto truth = ctl::ParseBool(text);
  if (!truth.ok()) return Allowed("yes or no");
  (message.*kSet)(*truth);
  return absl::OkStatus();
}

absl::Status Keepalive(const std::string& text, v1::Tunnel& tunnel) {
  v1::Keepalive& keepalive = *tunnel.mutable_keepalive();
  if (text == "off" || text == "no") {
    keepalive.set_off(true);
    return absl::OkStatus();
  }
  const std::vector<std::string> parts =
      absl::StrSplit(text, absl::MaxSplits(',', 1));
  const auto interval = ctl::ParseTime(parts[0]);
  const auto retries = ctl::ParseUint32(parts.size() == 2 ? parts[1] : "10");
  if (!interval.ok() || !retries.ok() || *retries == 0 ||
      *interval != absl::Floor(*interval, absl::Seconds(1))) {
    return Allowed("INTERVAL[,RETRIES] as 10s,10, or off");
  }
  keepalive.mutable_interval()->set_seconds(absl::ToInt64Seconds(*interval));
  if (parts.size() == 2) keepalive.set_retries(*retries);
  return absl::OkStatus();
}

template <typename Enum, typename Message, void (Message::*kSet)(Enum)>
absl::Status OneOf(const std::map<std::string, Enum>& values,
                   const std::string& text, Message& message) {
  const auto it = values.find(text);
  if (it == values.end()) {
    std::vector<std::string> words;
    for (const auto& [word, value] : values) words.push_back(word);
    return Allowed(absl::StrJoin(words, ", "));
  }
  (message.*kSet)(it->second);
  return absl::OkStatus();
}

absl::Status Kind(const std::string& text, v1::Tunnel& tunnel) {
  return OneOf<v1::TunnelKind, v1::Tunnel, &v1::Tunnel::set_kind>(
      {{"eoip", v1::EOIP}, {"eoipv6", v1::EOIPV6}}, text, tunnel);
}

absl::Status Datapath(const std::string& text, v1::Tunnel& tunnel) {
  return OneOf<v1::Datapath, v1::Tunnel, &v1::Tunnel::set_datapath>(
      {{"auto", v1::AUTO}, {"kernel", v1::KERNEL}, {"tap", v1::TAP}}, text,
      tunnel);
}

absl::Status DontFragment(const std::string& text, v1::Tunnel& tunnel) {
  return OneOf<v1::DontFragment, v1::Tunnel, &v1::Tunnel::set_dont_fragment>(
      {{"no", v1::DONT_FRAGMENT_NO}, {"inherit", v1::DONT_FRAGMENT_INHERIT}},
      text, tunnel);
}

absl::Status Dscp(const std::string& text, v1::Tunnel& tunnel) {
  if (text == "inherit") return absl::OkStatus();
  const auto number = ctl::ParseUint32(text);
  if (!number.ok()) return Allowed("0..63, or inherit");
  tunnel.set_dscp(*number);
  return absl::OkStatus();
}

// A setter of a string field is a template, so it has no one address.
#define EOIP_TEXT(field)                       \
  [](const std::string& text, auto& message) { \
    message.set_##field(text);                 \
    return absl::OkStatus();                   \
  }

const Words<v1::Tunnel>& TunnelWords() {
  using T = v1::Tunnel;
  static const auto& words =
      *new Words<T>{{"kind", Kind},
                    {"remote-address", EOIP_TEXT(remote)},
                    {"local-address", EOIP_TEXT(local)},
                    {"tunnel-id", Number<T, &T::set_tunnel_id>},
                    {"mtu", Number<T, &T::set_mtu>},
                    {"mac-address", EOIP_TEXT(mac)},
                    {"keepalive", Keepalive},
                    {"dscp", Dscp},
                    {"dont-fragment", DontFragment},
                    {"clamp-tcp-mss", Truth<T, &T::set_clamp_tcp_mss>},
                    {"ttl", Number<T, &T::set_ttl>},
                    {"fwmark", Number<T, &T::set_fwmark>},
                    {"link", EOIP_TEXT(link)},
                    {"vrf", EOIP_TEXT(vrf)},
                    {"datapath", Datapath},
                    {"disabled", Truth<T, &T::set_disabled>},
                    {"allow-fast-path", Truth<T, &T::set_allow_fast_path>},
                    {"comment", EOIP_TEXT(comment)}};
  return words;
}

const Words<v1::Network>& NetworkWords() {
  using N = v1::Network;
  static const auto& words = *new Words<N>{
      {"mtu", Number<N, &N::set_mtu>},
      {"stp", Truth<N, &N::set_stp>},
      {"multicast-snooping", Truth<N, &N::set_multicast_snooping>},
      {"vlan-filtering", Truth<N, &N::set_vlan_filtering>},
      {"mac-address", EOIP_TEXT(mac)},
      {"comment", EOIP_TEXT(comment)},
      {"ports", [](const std::string& text, N& network) {
         for (absl::string_view link : absl::StrSplit(text, ',')) {
           network.add_ports()->set_link(std::string(link));
         }
         return absl::OkStatus();
       }}};
  return words;
}
#undef EOIP_TEXT

absl::Status Tagged(const std::string& text, v1::NetworkPort& port) {
  for (absl::string_view item : absl::StrSplit(text, ',')) {
    const std::vector<absl::string_view> ends =
        absl::StrSplit(item, absl::MaxSplits('-', 1));
    const auto first = ctl::ParseUint32(ends.front());
    const auto last = ctl::ParseUint32(ends.back());
    if (!first.ok() || !last.ok()) {
      return Allowed("VLANs and ranges of them, as 10 or \"20-29\"");
    }
    v1::VlanRange* range = port.add_tagged();
    range->set_first(*first);
    range->set_last(*last);
  }
  return absl::OkStatus();
}

const Words<v1::NetworkPort>& PortWords() {
  using P = v1::NetworkPort;
  static const auto& words =
      *new Words<P>{{"pvid", Number<P, &P::set_pvid>},
                    {"tagged", Tagged},
                    {"isolated", Truth<P, &P::set_isolated>}};
  return words;
}

template <typename Message>
absl::Status ReadWord(const std::string& path, const std::string& key,
                      const Json& value, const Words<Message>& words,
                      Message& message) {
  const std::string field = absl::StrCat(path, ".", key);
  EOIP_ASSIGN_OR_RETURN(std::string text, TypedText(field, value));
  const absl::Status set = words.at(key)(text, message);
  if (set.ok()) return absl::OkStatus();
  return Bad(field, absl::StrCat("'", text, "': must be ", set.message()));
}

template <typename... Tables>
absl::Status UnknownWord(const std::string& path, const std::string& key,
                         const Tables&... tables) {
  std::vector<std::string> words = {"name"};
  const auto add = [&words](const auto& table) {
    for (const auto& [word, set] : table) words.push_back(word);
  };
  (add(tables), ...);
  return Bad(path, absl::StrCat("unknown word '", key, "'",
                                ctl::Suggestion(key, words)));
}

absl::StatusOr<std::string> NameOf(const std::string& path, const Json& object,
                                   absl::string_view prefix) {
  const std::string& name = TextOf(At(object, {"name"}));
  const absl::string_view id = absl::StripPrefix(name, prefix);
  if (id.empty() || id.find('/') != absl::string_view::npos) {
    return Bad(absl::StrCat(path, ".name"),
               absl::StrCat("'", name, "': must be a NAME without '/'"));
  }
  return absl::StrCat(prefix, id);
}

absl::Status ReadTunnel(const std::string& path, const Json& object,
                        v1::InlineNetwork& result) {
  v1::Tunnel& tunnel = *result.add_tunnels();
  v1::NetworkPort& port = *result.mutable_network()->add_ports();
  EOIP_ASSIGN_OR_RETURN(std::string name, NameOf(path, object, "tunnels/"));
  tunnel.set_name(name);
  port.set_tunnel(name);
  for (const auto& [key, value] : object.items()) {
    if (key == "name") continue;
    if (TunnelWords().count(key) > 0) {
      EOIP_RETURN_IF_ERROR(ReadWord(path, key, value, TunnelWords(), tunnel));
    } else if (PortWords().count(key) > 0) {
      EOIP_RETURN_IF_ERROR(ReadWord(path, key, value, PortWords(), port));
    } else {
      return UnknownWord(path, key, TunnelWords(), PortWords());
    }
  }
  if (tunnel.kind() == v1::TUNNEL_KIND_UNSPECIFIED) {
    const auto remote = IpAddress::Parse(tunnel.remote());
    tunnel.set_kind(remote.ok() && remote->is_v6() ? v1::EOIPV6 : v1::EOIP);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::InlineNetwork> ParseInlineNetwork(const Json& object) {
  v1::InlineNetwork result;
  EOIP_ASSIGN_OR_RETURN(std::string name,
                        NameOf("network", object, "networks/"));
  result.mutable_network()->set_name(name);
  for (const auto& [key, value] : object.items()) {
    if (key == "name" || key == "tunnels") continue;
    if (NetworkWords().count(key) == 0) {
      return UnknownWord("network", key, NetworkWords());
    }
    EOIP_RETURN_IF_ERROR(ReadWord("network", key, value, NetworkWords(),
                                  *result.mutable_network()));
  }
  if (!object.contains("tunnels")) return result;
  const Json& tunnels = At(object, {"tunnels"});
  if (!tunnels.is_array()) {
    return Bad("network.tunnels", "must be a list of objects");
  }
  int i = 0;
  for (const Json& value : tunnels) {
    const std::string path = absl::StrCat("network.tunnels[", i++, "]");
    if (!value.is_object()) return Bad(path, "must be an object");
    EOIP_RETURN_IF_ERROR(ReadTunnel(path, value, result));
  }
  return result;
}

}  // namespace eoip::cni
