// SPDX-License-Identifier: Apache-2.0
//
// Big-endian loads and stores, and the incremental Internet checksum.
#ifndef EOIP_TAPD_BYTES_H_
#define EOIP_TAPD_BYTES_H_

#include <cstdint>

namespace eoip::tapd {

inline uint16_t LoadBe16(const uint8_t* p) {
  return static_cast<uint16_t>(p[0] << 8 | p[1]);
}

inline uint32_t LoadBe32(const uint8_t* p) {
  return uint32_t{LoadBe16(p)} << 16 | LoadBe16(p + 2);
}

inline void StoreBe16(uint8_t* p, uint32_t value) {
  p[0] = static_cast<uint8_t>(value >> 8);
  p[1] = static_cast<uint8_t>(value);
}

inline void StoreBe32(uint8_t* p, uint32_t value) {
  StoreBe16(p, value >> 16);
  StoreBe16(p + 2, value);
}

// The checksum of a header after one of its 16-bit words changed (RFC 1624,
// equation 3). All values in host order.
inline uint16_t UpdateChecksum16(uint16_t checksum, uint16_t before,
                                 uint16_t after) {
  uint32_t sum = static_cast<uint16_t>(~checksum);
  sum += static_cast<uint16_t>(~before);
  sum += after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_BYTES_H_
