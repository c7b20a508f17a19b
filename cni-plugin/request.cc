// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "cni_error.h"

namespace eoip::cni {
namespace {

constexpr char kDefaultAgentSocket[] = "/run/eoip/agent.sock";
// Room for the name in the host link's alias (see pod_link.h).
constexpr size_t kMaxNameLength = 128;

// The specification's form of container ids and network names.
bool IsIdentifier(absl::string_view text) {
  return !text.empty() && absl::ascii_isalnum(text[0]) &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
         });
}

absl::Status CheckContainerId(absl::string_view id) {
  if (IsIdentifier(id)) return absl::OkStatus();
  return CniError(CniCode::kEnvironment, "invalid characters in containerID",
                  absl::StrCat("CNI_CONTAINERID: '", absl::CHexEscape(id),
                               "': must begin with a letter or digit and "
                               "have only letters, digits, '_', '.', '-'"));
}

absl::Status CheckIfname(absl::string_view name) {
  const char* problem = nullptr;
  if (name.size() > 15) {
    problem = "is longer than 15 bytes";
  } else if (name == "." || name == "..") {
    problem = "is '.' or '..'";
  } else if (std::any_of(name.begin(), name.end(), [](char c) {
               return c == '/' || c == ':' || absl::ascii_isspace(c) ||
                      !absl::ascii_isprint(c);
             })) {
    problem = "contains '/', ':', a space or a character that is not printable";
  }
  if (problem == nullptr) return absl::OkStatus();
  return CniError(CniCode::kEnvironment,
                  absl::StrCat("CNI_IFNAME: '", absl::CHexEscape(name),
                               "': interface name ", problem));
}

// KEY=VALUE pairs separated by ';'.
absl::StatusOr<std::map<std::string, std::string>> ParseArgs(
    absl::string_view text) {
  std::map<std::string, std::string> args;
  for (absl::string_view pair : absl::StrSplit(text, ';', absl::SkipEmpty())) {
    std::pair<absl::string_view, absl::string_view> kv =
        absl::StrSplit(pair, absl::MaxSplits('=', 1));
    if (pair.find('=') == absl::string_view::npos || kv.first.empty()) {
      return CniError(CniCode::kEnvironment,
                      absl::StrCat("CNI_ARGS: '", absl::CHexEscape(pair),
                                   "': must be KEY=VALUE"));
    }
    args[std::string(kv.first)] = std::string(kv.second);
  }
  return args;
}

absl::Status CheckName(const std::string& name) {
  if (name.empty()) {
    return CniError(CniCode::kConfig, "missing network name",
                    "name: must be a string that is not empty");
  }
  if (!IsIdentifier(name) || name.size() > kMaxNameLength) {
    return CniError(
        CniCode::kConfig, "invalid characters found in network name",
        absl::StrCat("name: '", absl::CHexEscape(name),
                     "': must begin with a letter or digit, have only letters, "
                     "digits, '_', '.', '-', and at most ",
                     kMaxNameLength, " bytes"));
  }
  return absl::OkStatus();
}

// The index of the version in kSupportedVersions, -1: not there.
int VersionIndex(absl::string_view version) {
  const auto it = std::find(std::begin(kSupportedVersions),
                            std::end(kSupportedVersions), version);
  return it == std::end(kSupportedVersions)
             ? -1
             : static_cast<int>(it - std::begin(kSupportedVersions));
}

absl::Status CheckVersion(const std::string& value, Command command) {
  // What the specification says of a configuration without the key.
  const std::string version = value.empty() ? "0.1.0" : value;
  if (VersionIndex(version) < 0) {
    return CniError(
        CniCode::kVersion, "incompatible CNI versions",
        absl::StrCat("config is \"", absl::CHexEscape(version),
                     "\", plugin supports [\"",
                     absl::StrJoin(kSupportedVersions, "\" \""), "\"]"));
  }
  const bool too_old =
      (command == Command::kCheck &&
       VersionIndex(version) < VersionIndex("0.4.0")) ||
      ((command == Command::kGc || command == Command::kStatus) &&
       VersionIndex(version) < VersionIndex("1.1.0"));
  if (!too_old) return absl::OkStatus();
  const char* verb = command == Command::kCheck ? "CHECK"
                     : command == Command::kGc  ? "GC"
                                                : "STATUS";
  return CniError(CniCode::kVersion,
                  absl::StrCat("config version does not allow ", verb),
                  absl::StrCat("config is \"", version, "\""));
}

// ADD, CHECK and STATUS want a network, DEL and GC take what there is.
absl::Status ReadNetwork(Request& request) {
  const Json& value = At(request.conf, {"network"});
  request.network = TextOf(value);
  if (value.is_object()) {
    request.network = std::string(
        absl::StripPrefix(TextOf(At(value, {"name"})), "networks/"));
  }
  if (!request.network.empty() || request.command == Command::kDel ||
      request.command == Command::kGc) {
    return absl::OkStatus();
  }
  if (value.is_object()) {
    return CniError(CniCode::kConfig,
                    "network.name: missing; an inline network has a name");
  }
  return CniError(CniCode::kConfig,
                  "network: missing; give the name of one of the agent's "
                  "networks, or an object with its tunnels");
}

absl::Status ReadIpam(Request& request) {
  const Json& ipam = At(request.conf, {"ipam"});
  if (ipam.is_null()) return absl::OkStatus();
  if (!ipam.is_object()) {
    return CniError(CniCode::kDecode, "ipam: must be an object");
  }
  // A delegate without a name would be left out in silence.
  if (ipam.empty()) return absl::OkStatus();
  if (!ipam.contains("type")) {
    return CniError(CniCode::kConfig, "ipam.type: missing");
  }
  const Json& type = At(ipam, {"type"});
  request.ipam_type = TextOf(type);
  if (!type.is_string() || request.ipam_type.find('/') != std::string::npos ||
      request.ipam_type == "." || request.ipam_type == "..") {
    return CniError(
        CniCode::kConfig,
        absl::StrCat("ipam.type: '", absl::CHexEscape(request.ipam_type),
                     "': must be a plugin's name without '/'"));
  }
  return absl::OkStatus();
}

absl::Status ReadAgentSocket(Request& request) {
  const std::string& value = TextOf(At(request.conf, {"agentSocket"}));
  request.agent_socket = value.empty() ? kDefaultAgentSocket : value;
  if (request.agent_socket[0] == '/' && request.agent_socket.size() <= 107) {
    return absl::OkStatus();
  }
  if (request.command == Command::kDel || request.command == Command::kGc) {
    request.agent_socket = kDefaultAgentSocket;
    return absl::OkStatus();
  }
  return CniError(
      CniCode::kConfig,
      absl::StrCat("agentSocket: '", absl::CHexEscape(request.agent_socket),
                   "': must be an absolute path of at most 107 bytes"));
}

}  // namespace

absl::string_view Request::Arg(const std::string& key) const {
  auto it = args.find(key);
  return it == args.end() ? absl::string_view() : it->second;
}

absl::StatusOr<Request> ParseEnvironment(const std::string& command,
                                         const GetEnv& get_env) {
  static const auto* const commands =
      new std::map<std::string, Command>{{"ADD", Command::kAdd},
                                         {"DEL", Command::kDel},
                                         {"CHECK", Command::kCheck},
                                         {"GC", Command::kGc},
                                         {"STATUS", Command::kStatus}};
  auto it = commands->find(command);
  if (it == commands->end()) {
    return CniError(
        CniCode::kEnvironment,
        absl::StrCat("unknown CNI_COMMAND: ", absl::CHexEscape(command)));
  }
  Request request;
  request.command = it->second;
  request.container_id = get_env("CNI_CONTAINERID");
  request.netns = get_env("CNI_NETNS");
  request.ifname = get_env("CNI_IFNAME");
  request.path = get_env("CNI_PATH");
  request.traceparent = get_env("TRACEPARENT");
  const std::string override_text =
      absl::AsciiStrToUpper(get_env("CNI_NETNS_OVERRIDE"));
  request.netns_override = override_text == "TRUE" || override_text == "1";

  const bool per_container =
      request.command != Command::kGc && request.command != Command::kStatus;
  std::vector<std::string> missing;
  if (per_container && request.container_id.empty()) {
    missing.push_back("CNI_CONTAINERID");
  }
  if (per_container && request.command != Command::kDel &&
      request.netns.empty()) {
    missing.push_back("CNI_NETNS");
  }
  if (per_container && request.ifname.empty()) missing.push_back("CNI_IFNAME");
  if (request.path.empty()) missing.push_back("CNI_PATH");
  if (!missing.empty()) {
    return CniError(CniCode::kEnvironment,
                    absl::StrCat("required env variables [",
                                 absl::StrJoin(missing, ","), "] missing"));
  }
  auto args = ParseArgs(get_env("CNI_ARGS"));
  // Only ADD reads them for itself; a DEL must not fail for their form.
  if (args.ok()) {
    request.args = *std::move(args);
  } else if (request.command == Command::kAdd) {
    return args.status();
  }
  return request;
}

absl::Status ParseInput(std::string stdin_data, Request& request) {
  request.stdin_data = std::move(stdin_data);
  EOIP_ASSIGN_OR_RETURN(request.conf,
                        ParseJson("network configuration", request.stdin_data));
  EOIP_RETURN_IF_ERROR(
      JsonReader(request.conf, "network configuration").status());
  const std::string& version = TextOf(At(request.conf, {"cniVersion"}));
  if (VersionIndex(version) >= 0) request.version = version;
  request.name = TextOf(At(request.conf, {"name"}));
  EOIP_RETURN_IF_ERROR(CheckName(request.name));
  if (request.command != Command::kGc && request.command != Command::kStatus) {
    EOIP_RETURN_IF_ERROR(CheckContainerId(request.container_id));
    EOIP_RETURN_IF_ERROR(CheckIfname(request.ifname));
  }
  EOIP_RETURN_IF_ERROR(CheckVersion(version, request.command));
  EOIP_RETURN_IF_ERROR(ReadNetwork(request));
  EOIP_RETURN_IF_ERROR(ReadIpam(request));
  return ReadAgentSocket(request);
}

absl::StatusOr<std::string> ReadAll(int fd) {
  std::string data;
  char buffer[65536];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n == 0) return data;
    if (n > 0) {
      data.append(buffer, n);
    } else if (errno != EINTR) {
      return CniError(CniCode::kIo, absl::StrCat("error reading from stdin: ",
                                                 strerror(errno)));
    }
  }
}

}  // namespace eoip::cni
