// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_TAPD_CLAMP_MSS_H_
#define EOIP_TAPD_CLAMP_MSS_H_

#include <cstdint>

#include "absl/types/span.h"

namespace eoip::tapd {

// Lowers the MSS option of a TCP SYN (IPv4, or IPv6 with extension headers or
// without, behind VLAN tags or not) to mtu less the IP header and the TCP
// header, 40 or 60 bytes, and corrects the checksum. Everything else stays as
// it is; any bytes are safe. True: changed. Pure.
bool ClampTcpMss(uint32_t mtu, absl::Span<uint8_t> frame);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_CLAMP_MSS_H_
