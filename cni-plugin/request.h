// SPDX-License-Identifier: Apache-2.0
//
// One call of the plugin: the CNI_* environment and standard input, checked in
// the order of the specification's reference code.
#ifndef EOIP_CNI_REQUEST_H_
#define EOIP_CNI_REQUEST_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "json.h"

namespace eoip::cni {

enum class Command { kAdd, kDel, kCheck, kGc, kStatus };

// Oldest first.
inline constexpr const char* kSupportedVersions[] = {"0.3.0", "0.3.1", "0.4.0",
                                                     "1.0.0", "1.1.0"};
inline constexpr char kNewestVersion[] = "1.1.0";

struct Request {
  Command command;
  std::string container_id;                 // empty: GC, STATUS
  std::string netns;                        // may be empty: DEL, GC, STATUS
  std::string ifname;                       // empty: GC, STATUS
  std::map<std::string, std::string> args;  // CNI_ARGS
  std::string path;                         // CNI_PATH
  bool netns_override = false;              // CNI_NETNS_OVERRIDE
  std::string traceparent;                  // TRACEPARENT, W3C trace context
  std::string stdin_data;    // byte for byte, for the IPAM plugin
  std::string version;       // cniVersion, a supported one
  std::string name;          // of the network configuration
  std::string network;       // of the agent, may be empty: DEL, GC
  std::string agent_socket;  // absolute path
  std::string ipam_type;     // empty: no IPAM
  Json conf;                 // stdin_data, an object

  absl::string_view Arg(const std::string& key) const;
};

using GetEnv = std::function<std::string(const std::string&)>;

// Checks what can be checked before standard input is read. `command` is
// CNI_COMMAND, not empty and not VERSION. Errors: code 4.
absl::StatusOr<Request> ParseEnvironment(const std::string& command,
                                         const GetEnv& get_env);
// Adds standard input's part. Errors: 1, 2, 4, 6, 7. On error
// request.version is set whenever the input has a supported one.
absl::Status ParseInput(std::string stdin_data, Request& request);

// Reads fd to its end. Errors: code 5.
absl::StatusOr<std::string> ReadAll(int fd);

}  // namespace eoip::cni

#endif  // EOIP_CNI_REQUEST_H_
