// SPDX-License-Identifier: Apache-2.0
#include "net_conf.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "cni_error.h"
#include "inline_conf.h"
#include "ip_prefix.h"

namespace eoip::cni {
namespace {

constexpr size_t kMaxClientId = 255;

struct VlanTrunk {
  uint32_t id = 0;
  uint32_t min_id = 0;
  uint32_t max_id = 0;
};

// What has a type; the rest is read where it is used.
struct NetConf {
  uint32_t mtu = 0;
  std::string mac;
  bool isolated = false;
  bool hairpin = false;
  bool promisc = false;
  uint32_t vlan = 0;
  std::vector<VlanTrunk> vlan_trunk;
  bool macspoofchk = false;
  std::string activation;
  Dns dns;
};

absl::StatusOr<NetConf> ReadNetConf(const Json& json) {
  NetConf conf;
  JsonReader reader(json);
  reader.Read("mtu", &conf.mtu);
  reader.Read("mac", &conf.mac);
  reader.Read("isolated", &conf.isolated);
  reader.Read("hairpin", &conf.hairpin);
  reader.Read("promisc", &conf.promisc);
  reader.Read("vlan", &conf.vlan);
  reader.Read("vlanTrunk", &conf.vlan_trunk,
              [](JsonReader& item, VlanTrunk* trunk) {
                item.Read("id", &trunk->id);
                item.Read("minID", &trunk->min_id);
                item.Read("maxID", &trunk->max_id);
              });
  reader.Read("macspoofchk", &conf.macspoofchk);
  reader.Read("activation", &conf.activation);
  reader.Read("dns", &conf.dns, ReadDns);
  EOIP_RETURN_IF_ERROR(reader.status());
  return conf;
}

// FNV-1a over both parts and a separator that neither can have, then mixed so
// that close inputs end far apart. Not a defence: runtimes choose the ids.
uint64_t Hash(uint64_t seed, absl::string_view container_id,
              absl::string_view ifname) {
  uint64_t hash = 0xcbf29ce484222325u ^ seed;
  for (char c : absl::StrCat(container_id, "/", ifname)) {
    hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  }
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
  return hash ^ (hash >> 31);
}

absl::Status BadField(absl::string_view field, absl::string_view value,
                      absl::string_view allowed) {
  return CniError(
      CniCode::kConfig,
      absl::StrCat(field, ": '", absl::CHexEscape(value), "': ", allowed));
}

absl::StatusOr<MacAddress> ParseMac(absl::string_view field,
                                    absl::string_view text) {
  auto mac = MacAddress::Parse(text);
  if (mac.ok() && mac->IsUnicast()) return mac;
  return BadField(field, text,
                  "must be a unicast MAC, for example 02:00:5e:10:00:01");
}

// The last of these that is set wins: mac, CNI_ARGS MAC, args.cni.mac,
// runtimeConfig.mac.
absl::StatusOr<MacAddress> ReadMac(const Request& request,
                                   const NetConf& conf) {
  const struct {
    const char* field;
    absl::string_view text;
  } sources[] = {
      {"runtimeConfig.mac", TextOf(At(request.conf, {"runtimeConfig", "mac"}))},
      {"args.cni.mac", TextOf(At(request.conf, {"args", "cni", "mac"}))},
      {"CNI_ARGS MAC", request.Arg("MAC")},
      {"mac", conf.mac}};
  for (const auto& source : sources) {
    if (!source.text.empty()) return ParseMac(source.field, source.text);
  }
  return DerivedMac(request.container_id, request.ifname);
}

absl::Status ReadIps(const Request& request, Config& config) {
  std::vector<std::string> texts;
  const char* field = "runtimeConfig.ips";
  const Json* list = &At(request.conf, {"runtimeConfig", "ips"});
  if (list->empty()) {
    field = "args.cni.ips";
    list = &At(request.conf, {"args", "cni", "ips"});
  }
  if (list->is_array()) {
    for (const Json& value : *list) texts.push_back(TextOf(value));
  }
  if (texts.empty()) {
    field = "CNI_ARGS IP";
    texts = absl::StrSplit(request.Arg("IP"), ',', absl::SkipEmpty());
  }
  // An IPAM plugin reads them itself, also in forms that we would refuse.
  if (!request.ipam_type.empty()) return absl::OkStatus();
  for (const std::string& text : texts) {
    if (!ParsePrefix(text).ok() || text.find('/') == std::string::npos) {
      return BadField(field, text,
                      "must be an address with its prefix length, for example "
                      "192.0.2.7/24, when there is no ipam");
    }
    config.ips.push_back(text);
  }
  return absl::OkStatus();
}

// "01:02:00:5e:10:00:01", bytes as RouterOS shows them; anything else is text,
// which has the type 0 (RFC 2132, section 9.14). Empty: neither.
std::string ParseClientId(absl::string_view text) {
  std::string bytes;
  for (absl::string_view byte : absl::StrSplit(text, ':')) {
    if (byte.size() != 2 || !absl::ascii_isxdigit(byte[0]) ||
        !absl::ascii_isxdigit(byte[1])) {
      bytes = absl::StrCat(absl::string_view("\0", 1), text);
      break;
    }
    bytes += absl::HexStringToBytes(byte);
  }
  return bytes.size() >= 2 && bytes.size() <= kMaxClientId ? bytes : "";
}

// The same for each container of a pod that keeps its name.
std::string DefaultClientId(const Request& request) {
  const absl::string_view pod = request.Arg("K8S_POD_NAME");
  std::string text =
      pod.empty()
          ? absl::StrCat(request.name, "/", request.container_id, "/",
                         request.ifname)
          : absl::StrCat(request.name, "/", request.Arg("K8S_POD_NAMESPACE"),
                         "/", pod, "/", request.ifname);
  constexpr size_t kMaxText = kMaxClientId - 1;
  if (text.size() > kMaxText) {
    const std::string rest = absl::StrCat(
        "~", absl::Hex(Hash(0x646863, text, request.ifname), absl::kZeroPad16));
    text = text.substr(0, kMaxText - rest.size()) + rest;
  }
  return std::string(1, '\0') + text;
}

// What servers take as a host's name (option 12).
bool IsHostname(absl::string_view text) {
  return text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
         });
}

absl::Status ReadDhcpKeys(const Json& value, DhcpConfig& dhcp) {
  if (!value.is_object()) return absl::OkStatus();
  for (const auto& [key, field] : value.items()) {
    if (key != "clientId" && key != "hostname") {
      return BadField("dhcp", key,
                      "must have no other keys than clientId and "
                      "hostname");
    }
    if (!field.is_string()) {
      return BadField(absl::StrCat("dhcp.", key), PrintJson(field),
                      "must be a string");
    }
  }
  if (value.contains("clientId")) {
    const std::string& id = TextOf(At(value, {"clientId"}));
    dhcp.client_id = ParseClientId(id);
    if (dhcp.client_id.empty()) {
      return BadField("dhcp.clientId", id,
                      "must be 1 to 254 bytes of text, or 2 to 255 bytes as "
                      "hexadecimal digits, for example 01:02:00:5e:10:00:01");
    }
  }
  if (value.contains("hostname")) {
    dhcp.hostname = TextOf(At(value, {"hostname"}));
    if (!IsHostname(dhcp.hostname)) {
      return BadField("dhcp.hostname", dhcp.hostname,
                      "must be at most 63 of [A-Za-z0-9._-]");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadDhcp(const Request& request, Config& config) {
  const Json& value = At(request.conf, {"dhcp"});
  if (value.is_null() || value == false) return absl::OkStatus();
  if (!value.is_boolean() && !value.is_object()) {
    return BadField("dhcp", PrintJson(value),
                    "must be true, false or an object");
  }
  if (!request.ipam_type.empty()) {
    return BadField("dhcp", "true", "not together with ipam");
  }
  if (config.silent) {
    return BadField("dhcp", "true",
                    "not together with activation silent: the guest has a "
                    "client of its own");
  }
  if (!config.ips.empty()) {
    return BadField("dhcp", "true",
                    absl::StrCat("not together with the address ",
                                 config.ips[0], " that the runtime asks for"));
  }
  DhcpConfig dhcp{DefaultClientId(request), ""};
  const absl::string_view pod = request.Arg("K8S_POD_NAME");
  if (IsHostname(pod)) dhcp.hostname = std::string(pod);
  EOIP_RETURN_IF_ERROR(ReadDhcpKeys(value, dhcp));
  config.dhcp = std::move(dhcp);
  return absl::OkStatus();
}

absl::Status ReadVlans(const NetConf& conf, Config& config) {
  if (conf.vlan > 4094) {
    return BadField("vlan", absl::StrCat(conf.vlan), "must be 0 to 4094");
  }
  config.vlan = conf.vlan;
  for (size_t i = 0; i < conf.vlan_trunk.size(); ++i) {
    const VlanTrunk& entry = conf.vlan_trunk[i];
    VlanRange range{entry.id ? entry.id : entry.min_id,
                    entry.id ? entry.id : entry.max_id};
    const bool mixed = entry.id && (entry.min_id || entry.max_id);
    if (mixed || range.first < 1 || range.last > 4094 ||
        range.last < range.first) {
      return BadField(absl::StrCat("vlanTrunk[", i, "]"),
                      absl::StrCat("id ", entry.id, ", minID ", entry.min_id,
                                   ", maxID ", entry.max_id),
                      "must be either id, or minID and maxID, 1 to 4094");
    }
    config.trunk.push_back(range);
  }
  return absl::OkStatus();
}

absl::Status ReadActivation(const NetConf& conf, Config& config) {
  config.silent = conf.activation == "silent";
  if (config.silent || conf.activation.empty() ||
      conf.activation == "immediate") {
    return absl::OkStatus();
  }
  return BadField("activation", conf.activation, "must be immediate or silent");
}

absl::Status RefuseMisplaced(const Json& conf) {
  if (!At(conf, {"tunnels"}).empty()) {
    return CniError(CniCode::kConfig,
                    "tunnels: belong into an object: \"network\": {\"name\": "
                    "..., \"tunnels\": [...]}");
  }
  return absl::OkStatus();
}

void WarnOfIgnored(const Json& conf, Config& config) {
  for (const char* key : {"bandwidth", "deviceID", "infinibandGUID"}) {
    if (!At(conf, {"runtimeConfig", key}).is_null()) {
      config.warnings.push_back(absl::StrCat("runtimeConfig.", key,
                                             ": has no effect in this plugin"));
    }
  }
}

}  // namespace

absl::StatusOr<Config> ParseConfig(const Request& request) {
  EOIP_ASSIGN_OR_RETURN(NetConf conf, ReadNetConf(request.conf));
  EOIP_RETURN_IF_ERROR(RefuseMisplaced(request.conf));
  Config config;
  if (conf.mtu != 0 && (conf.mtu < 68 || conf.mtu > 65521)) {
    return BadField("mtu", absl::StrCat(conf.mtu),
                    "must be 0 (the network's) or 68 to 65521");
  }
  config.mtu = conf.mtu;
  EOIP_ASSIGN_OR_RETURN(config.mac, ReadMac(request, conf));
  EOIP_RETURN_IF_ERROR(ReadIps(request, config));
  EOIP_RETURN_IF_ERROR(ReadVlans(conf, config));
  const Json& network = At(request.conf, {"network"});
  if (network.is_object()) {
    EOIP_ASSIGN_OR_RETURN(config.inline_network, ParseInlineNetwork(network));
  }
  EOIP_RETURN_IF_ERROR(ReadActivation(conf, config));
  EOIP_RETURN_IF_ERROR(ReadDhcp(request, config));
  config.macspoofchk = conf.macspoofchk;
  config.isolated = conf.isolated;
  config.hairpin = conf.hairpin;
  config.promisc = conf.promisc;
  config.dns = std::move(conf.dns);
  WarnOfIgnored(request.conf, config);
  return config;
}

std::string HostLinkName(absl::string_view container_id,
                         absl::string_view ifname) {
  constexpr char kDigits[] = "0123456789abcdefghijklmnopqrstuv";
  uint64_t hash = Hash(0, container_id, ifname);
  std::string name = "eo";
  for (int i = 0; i < 13; ++i, hash >>= 5) name += kDigits[hash & 31];
  return name;
}

MacAddress DerivedMac(absl::string_view container_id,
                      absl::string_view ifname) {
  const uint64_t hash = Hash(0x6d6163, container_id, ifname);
  std::array<uint8_t, 6> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(hash >> (8 * i));
  }
  bytes[0] = (bytes[0] & 0xfc) | 0x02;  // locally administered, unicast
  return MacAddress(bytes);
}

}  // namespace eoip::cni
