// SPDX-License-Identifier: Apache-2.0
//
// What the forwarding threads of a datapath in user space have done. The
// meaning of the fields is that of Worker in proto/eoip/v1/agent.proto.
#ifndef EOIP_MODEL_WORKER_H_
#define EOIP_MODEL_WORKER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace eoip {

struct WorkerTraffic {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t batches = 0;
  // Batches of 2^i to 2^(i+1) - 1 packets; the last one takes all larger ones.
  std::vector<uint64_t> batch_sizes;
};

struct WorkerCounters {
  WorkerTraffic rx, tx;
  uint64_t waits = 0;
  uint64_t idle_polls = 0;
  std::map<std::string, uint64_t> drops;
};

struct WorkersReading {
  absl::Time since;  // when they began to count
  std::vector<WorkerCounters> workers;
};

}  // namespace eoip

#endif  // EOIP_MODEL_WORKER_H_
