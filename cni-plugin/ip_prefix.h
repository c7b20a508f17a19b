// SPDX-License-Identifier: Apache-2.0
//
// An address with a prefix length. Pure.
#ifndef EOIP_CNI_IP_PREFIX_H_
#define EOIP_CNI_IP_PREFIX_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/address.h"

namespace eoip::cni {

struct IpPrefix {
  IpAddress address;
  uint8_t length = 0;  // 0..32, 0..128
  friend bool operator==(const IpPrefix&, const IpPrefix&) = default;
};

// "192.0.2.7/24"; without a length: the address's full length.
// INVALID_ARGUMENT names the text.
absl::StatusOr<IpPrefix> ParsePrefix(absl::string_view text);
// The prefix with all host bits cleared.
IpPrefix NetworkOf(const IpPrefix& prefix);

}  // namespace eoip::cni

#endif  // EOIP_CNI_IP_PREFIX_H_
