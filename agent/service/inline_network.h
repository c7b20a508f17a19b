// SPDX-License-Identifier: Apache-2.0
//
// Networks that come with the attachments that use them; attachment.proto says
// how they live. Pure.
#ifndef EOIP_SERVICE_INLINE_NETWORK_H_
#define EOIP_SERVICE_INLINE_NETWORK_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "eoip/v1/attachment.pb.h"
#include "service/checks.h"

namespace eoip {

// Valid on its own: each tunnel is a port of the network. source is set.
struct InlineNetwork {
  NetworkSpec network;
  std::vector<TunnelSpec> tunnels;
};

// Paths begin with "inline_network.network" or "inline_network.tunnels[0]".
absl::StatusOr<InlineNetwork> ReadInlineNetwork(const v1::InlineNetwork& proto);

// Adds what is not in the state yet, so that an attachment can be checked
// against it. INVALID_ARGUMENT: something of the name is there with another
// content. Others as CheckTunnel and CheckNetwork.
absl::Status AddInlineNetwork(const InlineNetwork& wanted, State* state);

}  // namespace eoip

#endif  // EOIP_SERVICE_INLINE_NETWORK_H_
