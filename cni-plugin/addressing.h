// SPDX-License-Identifier: Apache-2.0
//
// Addresses and routes of the pod's end. Everything happens in the namespace
// of the given socket; errors carry the kernel's errno and text.
#ifndef EOIP_CNI_ADDRESSING_H_
#define EOIP_CNI_ADDRESSING_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "ip_prefix.h"
#include "model/address.h"
#include "result.h"
#include "rtnl.h"

namespace eoip::cni {

struct PodRoute {
  IpPrefix dst;  // host bits cleared
  std::optional<IpAddress> gateway;
  uint32_t mtu = 0;  // 0: unset, also below
  uint32_t advmss = 0;
  uint32_t priority = 0;
  uint32_t table = 254;          // main
  std::optional<uint8_t> scope;  // RT_SCOPE_*

  std::string ToString() const;  // "192.0.2.0/24 via 192.0.2.1"
};

// The route of a result. Where it has neither gateway nor scope it takes the
// gateway of the first address of its family that has one, as other plugins
// do. INVALID_ARGUMENT: some text is malformed.
absl::StatusOr<PodRoute> ParseRoute(const Route& route,
                                    const std::vector<Ip>& ips);

// Without duplicate address detection, which would take seconds: the address
// is announced instead. ALREADY_EXISTS: the link has it.
absl::Status AddAddress(RtnlSocket& socket, uint32_t ifindex,
                        const IpPrefix& prefix);
// ALREADY_EXISTS: the table has a route of the same destination and priority.
absl::Status AddRoute(RtnlSocket& socket, uint32_t ifindex,
                      const PodRoute& route);

// NOT_FOUND: the link does not have it.
absl::Status DeleteAddress(RtnlSocket& socket, uint32_t ifindex,
                           const IpPrefix& prefix);
// Of this link only. NOT_FOUND: it has none.
absl::Status DeleteRoute(RtnlSocket& socket, uint32_t ifindex,
                         const PodRoute& route);

absl::StatusOr<std::vector<IpPrefix>> ListAddresses(RtnlSocket& socket,
                                                    uint32_t ifindex);
// Whether some link has the route: destination, gateway and table. Of any link,
// because a result does not say which one a route belongs to.
absl::StatusOr<bool> HasRoute(RtnlSocket& socket, const PodRoute& route);

// fe80::/64 with the interface identifier of the MAC (RFC 4291, appendix A).
IpPrefix LinkLocalOf(const MacAddress& mac);

}  // namespace eoip::cni

#endif  // EOIP_CNI_ADDRESSING_H_
