// SPDX-License-Identifier: Apache-2.0
//
// The counters that a link's driver has beside the common ones (`ethtool -S`).
#ifndef EOIP_NETLINK_DRIVER_COUNTERS_H_
#define EOIP_NETLINK_DRIVER_COUNTERS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "model/tunnel.h"

namespace eoip {

// By the driver's names; empty where it has none. fd: any socket of the link's
// namespace. NOT_FOUND: no such link.
absl::StatusOr<std::map<std::string, uint64_t>> ReadDriverCounters(
    int fd, const std::string& link);

// Turns the module's counters into a tunnel's: keepalives, details, and drops,
// which is also what one of an unknown name is taken for. Pure.
void AddDriverCounters(const std::map<std::string, uint64_t>& from,
                       TunnelCounters& to);

}  // namespace eoip

#endif  // EOIP_NETLINK_DRIVER_COUNTERS_H_
