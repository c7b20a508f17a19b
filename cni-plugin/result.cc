// SPDX-License-Identifier: Apache-2.0
#include "result.h"

#include "cni_error.h"
#include "request.h"

namespace eoip::cni {
namespace {

void ReadInterface(JsonReader& reader, Interface* interface) {
  reader.Read("name", &interface->name);
  reader.Read("mac", &interface->mac);
  reader.Read("mtu", &interface->mtu);
  reader.Read("sandbox", &interface->sandbox);
  reader.Read("socketPath", &interface->socket_path);
  reader.Read("pciID", &interface->pci_id);
}

void ReadIp(JsonReader& reader, Ip* ip) {
  reader.Read("interface", &ip->interface);
  reader.Read("address", &ip->address);
  reader.Read("gateway", &ip->gateway);
}

void ReadRoute(JsonReader& reader, Route* route) {
  reader.Read("dst", &route->dst);
  reader.Read("gw", &route->gw);
  reader.Read("mtu", &route->mtu);
  reader.Read("advmss", &route->advmss);
  reader.Read("priority", &route->priority);
  reader.Read("table", &route->table);
  reader.Read("scope", &route->scope);
}

// Sets a key unless the value is empty, 0 or absent.
void Put(Json& json, const char* key, const std::string& value) {
  if (!value.empty()) json[key] = value;
}
void Put(Json& json, const char* key, uint32_t value) {
  if (value != 0) json[key] = value;
}
void Put(Json& json, const char* key, const std::optional<uint32_t>& value) {
  if (value) json[key] = *value;
}
void Put(Json& json, const char* key, const std::vector<std::string>& values) {
  if (!values.empty()) json[key] = values;
}
void Put(Json& json, const char* key, Json list) {
  if (!list.empty()) json[key] = std::move(list);
}

Json ToJson(const Interface& interface, bool newest) {
  Json json = Json::object();
  Put(json, "name", interface.name);
  Put(json, "mac", interface.mac);
  if (newest) Put(json, "mtu", interface.mtu);
  Put(json, "sandbox", interface.sandbox);
  if (newest) {
    Put(json, "socketPath", interface.socket_path);
    Put(json, "pciID", interface.pci_id);
  }
  return json;
}

Json ToJson(const Ip& ip, bool with_version) {
  Json json = Json::object();
  if (with_version) {
    json["version"] = ip.address.find(':') == std::string::npos ? "4" : "6";
  }
  Put(json, "interface", ip.interface);
  Put(json, "address", ip.address);
  Put(json, "gateway", ip.gateway);
  return json;
}

Json ToJson(const Route& route, bool newest) {
  Json json = Json::object();
  Put(json, "dst", route.dst);
  Put(json, "gw", route.gw);
  if (newest) {
    Put(json, "mtu", route.mtu);
    Put(json, "advmss", route.advmss);
    Put(json, "priority", route.priority);
    Put(json, "table", route.table);
    Put(json, "scope", route.scope);
  }
  return json;
}

Json ToJson(const Dns& dns) {
  Json json = Json::object();
  Put(json, "nameservers", dns.nameservers);
  Put(json, "domain", dns.domain);
  Put(json, "search", dns.search);
  Put(json, "options", dns.options);
  return json;
}

template <typename Item>
Json ListOf(const std::vector<Item>& items, bool flag) {
  Json list = Json::array();
  for (const Item& item : items) list.push_back(ToJson(item, flag));
  return list;
}

}  // namespace

std::string PrintResult(const Result& result, absl::string_view version) {
  const bool newest = version == kNewestVersion;
  Json json = Json::object();
  json["cniVersion"] = std::string(version);
  Put(json, "interfaces", ListOf(result.interfaces, newest));
  Put(json, "ips", ListOf(result.ips, version[0] == '0'));
  Put(json, "routes", ListOf(result.routes, newest));
  // The key is there even when it is empty, as in the reference code.
  json["dns"] = ToJson(result.dns);
  return PrintJson(json);
}

std::string PrintError(const absl::Status& error, absl::string_view version) {
  Json json = Json::object();
  json["cniVersion"] = std::string(version.empty() ? kNewestVersion : version);
  json["code"] = CniCodeOf(error);
  json["msg"] = std::string(error.message());
  Put(json, "details", CniDetailsOf(error));
  return PrintJson(json);
}

std::string PrintVersion() {
  std::string json = "{\"cniVersion\":\"";
  json += kNewestVersion;
  json += "\",\"supportedVersions\":[";
  const char* separator = "\"";
  for (const char* version : kSupportedVersions) {
    json += separator;
    json += version;
    separator = "\",\"";
  }
  return json + "\"]}\n";
}

absl::StatusOr<Result> ParseResult(absl::string_view what, const Json& json) {
  Result result;
  JsonReader reader(json);
  reader.Read("interfaces", &result.interfaces, ReadInterface);
  reader.Read("ips", &result.ips, ReadIp);
  reader.Read("routes", &result.routes, ReadRoute);
  reader.Read("dns", &result.dns, ReadDns);
  if (!reader.status().ok()) return WithContext(reader.status(), what);
  return result;
}

absl::StatusOr<Result> ParsePrevResult(const Json& value) {
  if (value.is_null()) return Result();
  return ParseResult("prevResult", value);
}

void ReadDns(JsonReader& reader, Dns* dns) {
  reader.Read("nameservers", &dns->nameservers);
  reader.Read("domain", &dns->domain);
  reader.Read("search", &dns->search);
  reader.Read("options", &dns->options);
}

}  // namespace eoip::cni
