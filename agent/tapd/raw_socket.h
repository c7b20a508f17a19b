// SPDX-License-Identifier: Apache-2.0
//
// Raw sockets of a worker, opened in the network namespace of the process. The
// kernel adds and removes the outer IP header, fragments and reassembles. While
// a raw socket on a protocol exists the kernel answers no packet of it with
// ICMP, also when the socket's buffer is full; other users of the protocol get
// their copy as before.
#ifndef EOIP_TAPD_RAW_SOCKET_H_
#define EOIP_TAPD_RAW_SOCKET_H_

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace eoip::tapd {

// Receives the worker's share of EoIP of all senders, sends with DF 0.
// FAILED_PRECONDITION: the family is not there, or CAP_NET_RAW is missing.
absl::StatusOr<UniqueFd> OpenRawV4(int worker, int workers);
// Sends EoIP with DF 1, receives nothing.
absl::StatusOr<UniqueFd> OpenRawV4Df();
// Receives the worker's share of EoIPv6 of all senders, with the destination
// address as control message, and sends, fragmenting unless told otherwise per
// packet.
absl::StatusOr<UniqueFd> OpenRawV6(int worker, int workers);

// A packet socket that sends Ethernet frames and receives nothing.
absl::StatusOr<UniqueFd> OpenPacketSocket();

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_RAW_SOCKET_H_
