// SPDX-License-Identifier: Apache-2.0
#include "tapd/link_path.h"

#include <cstring>

#include "eoip_wire.h"
#include "tapd/bytes.h"
#include "tapd/checksum.h"

namespace eoip::tapd {

void WriteLinkHeader(const TunnelConfig& config, const LinkPath& path,
                     uint8_t tos, uint16_t ip_id, size_t payload,
                     uint8_t* out) {
  std::memcpy(out, path.neighbour_mac.data(), 6);
  std::memcpy(out + 6, path.source_mac.data(), 6);
  uint8_t* ip = out + 14;
  if (config.ipv6) {
    StoreBe16(out + 12, 0x86dd);
    StoreBe32(ip, 6u << 28 | uint32_t{tos} << 20);
    StoreBe16(ip + 4, static_cast<uint32_t>(payload));
    ip[6] = EOIP6_IPPROTO;
    ip[7] = config.ttl;
    std::memcpy(ip + 8, path.source.data(), 16);
    std::memcpy(ip + 24, config.remote.data(), 16);
    return;
  }
  StoreBe16(out + 12, 0x0800);
  ip[0] = 0x45;
  ip[1] = tos;
  StoreBe16(ip + 2, static_cast<uint32_t>(20 + payload));
  StoreBe16(ip + 4, ip_id);
  StoreBe16(ip + 6, 0);
  ip[8] = config.ttl;
  ip[9] = EOIP4_IPPROTO;
  StoreBe16(ip + 10, 0);
  std::memcpy(ip + 12, path.source.data(), 4);
  std::memcpy(ip + 16, config.remote.data(), 4);
  StoreSum(ip + 10, static_cast<uint16_t>(
                        ~FoldSum(SumBytes(absl::MakeConstSpan(ip, 20)))));
}

}  // namespace eoip::tapd
