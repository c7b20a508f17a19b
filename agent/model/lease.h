// SPDX-License-Identifier: Apache-2.0
//
// DHCPv4 leases of pods; proto/eoip/v1/attachment.proto has the meaning. Pure.
#ifndef EOIP_MODEL_LEASE_H_
#define EOIP_MODEL_LEASE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/address.h"

namespace eoip {

// What an attachment asks of the DHCP server.
struct DhcpSpec {
  // Option 61, type byte included: 2 to 255 bytes.
  std::string client_id;
  // Option 12; empty: none. A DNS label or name, at most 63 bytes.
  std::string hostname;
  friend bool operator==(const DhcpSpec&, const DhcpSpec&) = default;
};

struct LeaseRoute {
  IpAddress destination;       // host bits cleared
  uint32_t prefix_length = 0;  // 0..32
  IpAddress gateway;           // 0.0.0.0: on the link
  friend bool operator==(const LeaseRoute&, const LeaseRoute&) = default;
};

struct Lease {
  IpAddress address;
  uint32_t prefix_length = 0;  // 1..32
  IpAddress server;            // option 54
  MacAddress server_mac;       // where its answer came from: it, or its relay
  // The first router; 0.0.0.0: none.
  IpAddress gateway;
  // Option 121, or a default route by the gateway.
  std::vector<LeaseRoute> routes;
  std::vector<IpAddress> nameservers;
  std::string domain;
  uint32_t mtu = 0;  // option 26; 0: none, else 68..65535
  absl::Time acquired_at;
  // Infinite: never.
  absl::Time renew_at;
  absl::Time rebind_at;
  absl::Time expires_at;
};

// Whether the pod's end needs the same addresses and routes for both.
inline bool SameInPod(const Lease& a, const Lease& b) {
  return a.address == b.address && a.prefix_length == b.prefix_length &&
         a.gateway == b.gateway && a.routes == b.routes;
}

enum class LeaseState {
  kAcquiring,  // no lease yet, or none any more
  kBound,
  kRenewing,   // asks the server that gave it
  kRebinding,  // asks any server
};
absl::string_view ToString(LeaseState state);

struct LeaseStatus {
  LeaseState state = LeaseState::kAcquiring;
  // Trouble, for people; empty: none.
  std::string reason;
  std::optional<Lease> lease;
};

}  // namespace eoip

#endif  // EOIP_MODEL_LEASE_H_
