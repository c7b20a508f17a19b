// SPDX-License-Identifier: Apache-2.0
//
// DHCPv4 messages as whole Ethernet frames (RFC 2131, 2132, 3396, 3442). Pure:
// no sockets, no clock. Parsing takes any bytes and touches nothing outside.
#ifndef EOIP_DHCP_MESSAGE_H_
#define EOIP_DHCP_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "model/address.h"
#include "model/lease.h"

namespace eoip {

// Option 53.
enum class DhcpType : uint8_t {
  kDiscover = 1,
  kOffer = 2,
  kRequest = 3,
  kAck = 5,
  kNak = 6,
  kRelease = 7,
};

// What a client sends. Addresses that are 0.0.0.0 are left out.
struct DhcpQuery {
  DhcpType type;
  uint32_t xid = 0;
  uint16_t secs = 0;  // since it began
  MacAddress mac;     // of the pod: source of the frame and chaddr
  DhcpSpec spec;
  IpAddress ciaddr;     // the address that the pod has
  IpAddress requested;  // option 50
  IpAddress server;     // option 54
  // Where to; zero: to everybody, and the answer is wanted there too.
  MacAddress to_mac;
  IpAddress to;
};

std::string MakeFrame(const DhcpQuery& query);

// What a server says. times are absent where the server gave none.
struct DhcpReply {
  DhcpType type;
  uint32_t xid = 0;
  Lease lease;                               // without its points in time
  std::optional<absl::Duration> lease_time;  // infinite: never ends
  std::optional<absl::Duration> renewal_time;
  std::optional<absl::Duration> rebinding_time;
  std::string text;  // option 56, printable
};

// INVALID_ARGUMENT: no DHCP answer to this MAC, or a damaged one; the message
// says why. With trust_checksum the UDP checksum is taken as right: the sender
// is on this machine and left it to a NIC. Options that make no sense
// are left out, except those that a lease cannot be without.
absl::StatusOr<DhcpReply> ParseFrame(absl::string_view frame,
                                     const MacAddress& mac,
                                     bool trust_checksum);

}  // namespace eoip

#endif  // EOIP_DHCP_MESSAGE_H_
