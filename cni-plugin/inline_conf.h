// SPDX-License-Identifier: Apache-2.0
//
// An inline network of a configuration, in eoipctl's words, as the agent takes
// it. Pure.
#ifndef EOIP_CNI_INLINE_CONF_H_
#define EOIP_CNI_INLINE_CONF_H_

#include "absl/status/statusor.h"
#include "eoip/v1/attachment.pb.h"
#include "json.h"

namespace eoip::cni {

// network: an object with "name", the words of `eoipctl network`, and
// "tunnels", a list of objects with "name", the words of `eoipctl tunnel`, and
// those of a port ("pvid", "tagged", "isolated"). Values are text, numbers,
// truth values, or lists of them. A tunnel without "kind" is EOIP or, by its
// remote-address, EOIPV6. Errors: 7, naming the path as
// "network.tunnels[0].mtu".
absl::StatusOr<v1::InlineNetwork> ParseInlineNetwork(const Json& network);

}  // namespace eoip::cni

#endif  // EOIP_CNI_INLINE_CONF_H_
