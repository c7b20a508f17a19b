// SPDX-License-Identifier: Apache-2.0
//
// Frames to and from a network, as one of its pods would send and hear them,
// from the host's side: out through the bridge's own device, in by listening to
// what the bridge hands to the pod's host end. So nobody has to be in the pod's
// namespace, and a frame can still be sent after the pod is gone.
#ifndef EOIP_DHCP_PACKET_PORT_H_
#define EOIP_DHCP_PACKET_PORT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/unique_fd.h"

namespace eoip {

// Sends a whole frame into the bridge. NOT_FOUND: no such link. UNAVAILABLE: it
// is down.
absl::Status SendIntoBridge(const std::string& bridge, absl::string_view frame);

// A non-blocking socket that hears the UDP packets to port 68 that go to the
// pod through this link. NOT_FOUND: no such link.
absl::StatusOr<UniqueFd> ListenToPod(const std::string& host_link);

struct HeardFrame {
  std::string bytes;
  // The sender is on this machine and left the checksum to a NIC.
  bool trust_checksum = false;
};
// The next frame; absent: none now, or the link is gone.
std::optional<HeardFrame> Hear(int fd);

}  // namespace eoip

#endif  // EOIP_DHCP_PACKET_PORT_H_
