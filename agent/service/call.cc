// SPDX-License-Identifier: Apache-2.0
#include "service/call.h"

#include <algorithm>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"

namespace eoip {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

void LogCall(const grpc::ServerContextBase& context, absl::string_view method,
             absl::string_view resource) {
  // "00-" 32 digits "-" 16 digits "-" 2 digits; other text is cut.
  constexpr size_t kTraceParentSize = 55;
  const auto& metadata = context.client_metadata();
  const auto it = metadata.find("traceparent");
  std::string trace;
  if (it != metadata.end()) {
    trace = absl::StrCat(
        " traceparent=",
        absl::CHexEscape(absl::string_view(
            it->second.data(), std::min(it->second.size(), kTraceParentSize))));
  }
  // The name may be anything that a client sent.
  constexpr size_t kShown = 100;
  Log(trace.empty() ? LogLevel::kDebug : LogLevel::kInfo,
      absl::StrCat(method, " ", absl::CHexEscape(resource.substr(0, kShown)),
                   trace));
}

absl::Time ApplyDeadline(const grpc::ServerContextBase& context) {
  constexpr absl::Duration kPatience = absl::Seconds(2);
  const absl::Time now = absl::Now();
  // gRPC's "no deadline" is far outside of what a conversion may see.
  if (context.deadline() > absl::ToChronoTime(now + kPatience)) {
    return now + kPatience;
  }
  return absl::FromChrono(context.deadline());
}

}  // namespace eoip
