// SPDX-License-Identifier: Apache-2.0
#include "result.h"

#include <google/protobuf/util/json_util.h>

#include "cni_error.h"
#include "request.h"

namespace eoip::cni {
namespace {

// protobuf writes valid UTF-8 only; anything else would end in no output.
std::string Print(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  if (status.ok()) return json;
  return R"({"cniVersion":"1.1.0","code":100,"msg":"cannot print the result"})";
}

}  // namespace

std::string PrintResult(Result result) {
  const std::string& version = result.cni_version();
  if (version != kNewestVersion) {
    for (Interface& interface : *result.mutable_interfaces()) {
      interface.clear_mtu();
      interface.clear_socket_path();
      interface.clear_pci_id();
    }
    for (Route& route : *result.mutable_routes()) {
      route.clear_mtu();
      route.clear_advmss();
      route.clear_priority();
      route.clear_table();
      route.clear_scope();
    }
  }
  for (Ip& ip : *result.mutable_ips()) {
    ip.clear_version();
    if (version[0] == '0') {
      ip.set_version(ip.address().find(':') == std::string::npos ? "4" : "6");
    }
  }
  // The key is there even when it is empty, as in the reference code.
  result.mutable_dns();
  return Print(result);
}

std::string PrintError(const absl::Status& error, absl::string_view version) {
  Error message;
  message.set_cni_version(
      std::string(version.empty() ? kNewestVersion : version));
  message.set_code(CniCodeOf(error));
  message.set_msg(std::string(error.message()));
  message.set_details(CniDetailsOf(error));
  return Print(message);
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

absl::StatusOr<Result> ParsePrevResult(const google::protobuf::Value& value) {
  Result result;
  if (value.kind_case() == google::protobuf::Value::KIND_NOT_SET ||
      value.has_null_value()) {
    return result;
  }
  if (!value.has_struct_value()) {
    return CniError(CniCode::kDecode, "prevResult: must be an object");
  }
  absl::Status status = ParseJson("prevResult", Print(value), &result);
  if (!status.ok()) return status;
  return result;
}

}  // namespace eoip::cni
