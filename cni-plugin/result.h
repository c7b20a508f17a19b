// SPDX-License-Identifier: Apache-2.0
//
// Results of the specification: reading, converting between versions, and the
// JSON that goes to standard output. Pure.
#ifndef EOIP_CNI_RESULT_H_
#define EOIP_CNI_RESULT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "json.h"

namespace eoip::cni {

// Empty, 0 and absent are the same, except where they are optional.
struct Interface {
  std::string name;
  std::string mac;
  uint32_t mtu = 0;
  std::string sandbox;
  std::string socket_path;
  std::string pci_id;
};

struct Ip {
  std::optional<uint32_t> interface;  // index in Result.interfaces
  std::string address;                // with prefix length
  std::string gateway;
};

struct Route {
  std::string dst;
  std::string gw;
  uint32_t mtu = 0;
  uint32_t advmss = 0;
  uint32_t priority = 0;
  std::optional<uint32_t> table;
  std::optional<uint32_t> scope;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search;
  std::vector<std::string> options;

  bool empty() const {
    return nameservers.empty() && domain.empty() && search.empty() &&
           options.empty();
  }
};

struct Result {
  std::vector<Interface> interfaces;
  std::vector<Ip> ips;
  std::vector<Route> routes;
  Dns dns;
};

// The JSON of a result in the form of a supported version: keys that it does
// not have are dropped, ips.version is there up to 0.4.0.
std::string PrintResult(const Result& result, absl::string_view version);
// version: of the configuration; empty: the newest one.
std::string PrintError(const absl::Status& error, absl::string_view version);
// With its newline. Uses nothing that needs a constructor: see main.cc.
std::string PrintVersion();

// Errors of both: code 6. what: names the JSON in them.
absl::StatusOr<Result> ParseResult(absl::string_view what, const Json& json);
// prevResult; an empty result when it is null.
absl::StatusOr<Result> ParsePrevResult(const Json& value);

void ReadDns(JsonReader& reader, Dns* dns);

}  // namespace eoip::cni

#endif  // EOIP_CNI_RESULT_H_
