// SPDX-License-Identifier: Apache-2.0
//
// The state of a hot restart: the number of workers, of descriptors, then the
// message.
#include <cstdint>
#include <cstdlib>
#include <map>

#include "tapd/handover_state.h"

namespace eoip::tapd {
namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

void CheckState(const HandoverState& state, size_t descriptors, int workers) {
  const v1::Handover& message = state.message;
  Check(message.workers_size() == workers);
  Check(static_cast<size_t>(message.tunnels_size()) == state.configs.size());
  std::map<uint32_t, int> uses;
  ++uses[message.lock()];
  for (const v1::WorkerHandover& worker : message.workers()) {
    if (worker.has_v4()) ++uses[worker.v4()];
    if (worker.has_v4_df()) ++uses[worker.v4_df()];
    if (worker.has_v6()) ++uses[worker.v6()];
  }
  for (const v1::TunnelHandover& tunnel : message.tunnels()) {
    Check(tunnel.queues_size() == workers);
    for (uint32_t queue : tunnel.queues()) ++uses[queue];
    for (uint32_t writer : tunnel.writers()) ++uses[writer];
  }
  // Whatever is taken by number is there, and taken once.
  Check(uses.size() == descriptors);
  for (const auto& [number, count] : uses) {
    Check(number < descriptors && count == 1);
  }
  for (size_t i = 0; i < state.configs.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      Check(!SameKey(state.configs[i], state.configs[j]));
    }
  }
}

}  // namespace
}  // namespace eoip::tapd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eoip::tapd;
  if (size < 2) return 0;
  const int workers = 1 + data[0] % 4;
  const size_t descriptors = data[1];
  const auto state =
      ParseHandover({reinterpret_cast<const char*>(data + 2), size - 2},
                    descriptors, workers);
  if (state.ok()) CheckState(*state, descriptors, workers);
  return 0;
}
