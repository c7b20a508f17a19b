// SPDX-License-Identifier: Apache-2.0
//
// Results of the specification: reading, converting between versions, and the
// JSON that goes to standard output. Pure.
#ifndef EOIP_CNI_RESULT_H_
#define EOIP_CNI_RESULT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "conf.pb.h"

namespace eoip::cni {

// The JSON of a result in the form of its cni_version: keys that this version
// does not have are dropped, ips.version is filled in up to 0.4.0.
std::string PrintResult(Result result);
// version: of the configuration; empty: the newest one.
std::string PrintError(const absl::Status& error, absl::string_view version);
// With its newline. Uses nothing that needs a constructor: see main.cc.
std::string PrintVersion();

// prevResult; an empty result when there is none. Errors: code 6.
absl::StatusOr<Result> ParsePrevResult(const google::protobuf::Value& value);

}  // namespace eoip::cni

#endif  // EOIP_CNI_RESULT_H_
