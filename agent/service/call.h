// SPDX-License-Identifier: Apache-2.0
//
// What every method does around its work. Thread-safe.
#ifndef EOIP_SERVICE_CALL_H_
#define EOIP_SERVICE_CALL_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace eoip {

// The one converter; codes have the same numbers in both.
grpc::Status ToGrpc(const absl::Status& status);

// One line: method, resource and the caller's traceparent (W3C Trace Context).
// At level info where it sent one, else debug.
void LogCall(const grpc::ServerContextBase& context, absl::string_view method,
             absl::string_view resource);

// How long a call may wait for its change to be applied: 2 s, or the caller's
// deadline when that is sooner.
absl::Time ApplyDeadline(const grpc::ServerContextBase& context);

}  // namespace eoip

#endif  // EOIP_SERVICE_CALL_H_
