// SPDX-License-Identifier: Apache-2.0
//
// Counters as protos, and back: a process goes on where another one stopped.
// Both ways stand side by side so that none forgets a field.
#ifndef EOIP_TAPD_COUNTERS_PROTO_H_
#define EOIP_TAPD_COUNTERS_PROTO_H_

#include <string>

#include "eoip/tapd/v1/tapd.pb.h"
#include "tapd/counters.h"

namespace eoip::tapd {

using DropsProto = google::protobuf::Map<std::string, google::protobuf::uint64>;

// Adds to what is in *out.
void AddDrops(const DropCounters& drops, DropsProto* out);
void AddCounters(const TunnelCounters& counters, v1::Counters* out);
void FillWorkerInfo(const BatchCounters& rx, const BatchCounters& tx,
                    v1::WorkerInfo* out);

// Add to what is in *out, as its writer. Causes not known here are left out.
void RestoreDrops(const DropsProto& drops, DropCounters* out);
void RestoreCounters(const v1::Counters& counters, TunnelCounters* out);
void RestoreWorkerInfo(const v1::WorkerInfo& info, BatchCounters* rx,
                       BatchCounters* tx);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_COUNTERS_PROTO_H_
