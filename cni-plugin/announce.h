// SPDX-License-Identifier: Apache-2.0
//
// Tells the segment where an address lives: a gratuitous ARP (RFC 5227 section
// 2.3, an ARP announcement) or an unsolicited neighbour advertisement (RFC 4861
// section 7.2.6). Sent when the port forwards, so that it also crosses tunnels.
#ifndef EOIP_CNI_ANNOUNCE_H_
#define EOIP_CNI_ANNOUNCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "model/address.h"

namespace eoip::cni {

// The Ethernet frame that announces address as being at mac. Pure.
std::string MakeAnnouncement(const IpAddress& address, const MacAddress& mac);

// Sends one announcement of each address from the link, in the calling
// thread's network namespace.
absl::Status Announce(uint32_t ifindex, const MacAddress& mac,
                      const std::vector<IpAddress>& addresses);

}  // namespace eoip::cni

#endif  // EOIP_CNI_ANNOUNCE_H_
