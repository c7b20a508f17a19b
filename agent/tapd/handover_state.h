// SPDX-License-Identifier: Apache-2.0
//
// Reads the state that a predecessor hands over (handover.proto), and trusts
// none of it. Pure: descriptors are numbers.
#ifndef EOIP_TAPD_HANDOVER_STATE_H_
#define EOIP_TAPD_HANDOVER_STATE_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eoip/tapd/v1/handover.pb.h"
#include "tapd/tunnel_config.h"

namespace eoip::tapd {

inline constexpr uint32_t kHandoverFormat = 1;

struct HandoverState {
  v1::Handover message;
  // Of message.tunnels(), in their order.
  std::vector<TunnelConfig> configs;
};

// workers: how many this process has; they must be as many in the state.
// INVALID_ARGUMENT: not a state, or one that contradicts itself: every
// descriptor has exactly one use, tunnels have names and keys of their own and
// a queue per worker · FAILED_PRECONDITION: a newer format, or other workers.
absl::StatusOr<HandoverState> ParseHandover(absl::string_view bytes,
                                            size_t descriptors, int workers);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_HANDOVER_STATE_H_
