// SPDX-License-Identifier: Apache-2.0
//
// The Internet checksum (RFC 1071) over larger pieces. Sums are of 16-bit words
// as they lie in memory, so they can be stored with StoreChecksum on machines
// of either byte order. Pure.
#ifndef EOIP_TAPD_CHECKSUM_H_
#define EOIP_TAPD_CHECKSUM_H_

#include <cstdint>
#include <cstring>

#include "absl/types/span.h"

namespace eoip::tapd {

// The sum of bytes, an odd last one padded with zero. Pieces that follow each
// other may be added if all but the last have an even size. Not folded; at most
// 2^32 such sums may be added.
uint64_t SumBytes(absl::Span<const uint8_t> bytes);

// Folded to 16 bits, not complemented.
inline uint16_t FoldSum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

inline void StoreSum(uint8_t* at, uint16_t folded) {
  std::memcpy(at, &folded, sizeof(folded));
}

// A number as two bytes in network order, for a sum.
inline uint64_t SumOfBe16(uint16_t value) {
  const uint8_t bytes[2] = {static_cast<uint8_t>(value >> 8),
                            static_cast<uint8_t>(value)};
  uint16_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// The pseudo header of TCP or UDP (RFC 9293, RFC 8200) of the IP header at ip,
// for length bytes of segment. Both addresses must be readable.
uint64_t SumPseudoHeader(const uint8_t* ip, bool ipv6, uint8_t protocol,
                         uint32_t length);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_CHECKSUM_H_
