// SPDX-License-Identifier: Apache-2.0
//
// Tells the segment where an address lives: a gratuitous ARP (RFC 5227 section
// 2.3, an ARP announcement) or an unsolicited neighbour advertisement (RFC 4861
// section 7.2.6). Sent when the port forwards, so that it also crosses tunnels.
#ifndef EOIP_CNI_ANNOUNCE_H_
#define EOIP_CNI_ANNOUNCE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "links.h"
#include "model/address.h"
#include "rtnl.h"

namespace eoip::cni {

// The ICMPv6 message that announces address as being at mac; the kernel fills
// in its checksum. Pure.
std::string MakeAdvertisement(const IpAddress& address, const MacAddress& mac);

// Sends one announcement of each of these addresses, which the link has; when
// one of them is IPv4, of each IPv4 address of the link. link is what GetLink
// said of it. Call it in the link's network namespace, which is also pod's.
absl::Status Announce(RtnlSocket& pod, const LinkInfo& link,
                      const std::vector<IpAddress>& addresses);

}  // namespace eoip::cni

#endif  // EOIP_CNI_ANNOUNCE_H_
