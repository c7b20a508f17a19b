// SPDX-License-Identifier: Apache-2.0
//
// For tests: netlink messages written byte by byte, without the code under
// test. Values are little endian.
#ifndef EOIP_NETLINK_TEST_BYTES_H_
#define EOIP_NETLINK_TEST_BYTES_H_

#include <linux/netlink.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"

namespace eoip {

// "28000000 1200…" as bytes.
inline std::string FromHex(absl::string_view hex) {
  return absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
}

inline std::string U8(uint8_t value) { return std::string(1, char(value)); }
inline std::string U32(uint32_t value) {
  std::string bytes;
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
  return bytes;
}
inline std::string U64(uint64_t value) {
  return U32(static_cast<uint32_t>(value)) +
         U32(static_cast<uint32_t>(value >> 32));
}

inline std::string Attribute(uint16_t type, const std::string& payload) {
  const size_t length = 4 + payload.size();
  std::string bytes = {static_cast<char>(length),
                       static_cast<char>(length >> 8), static_cast<char>(type),
                       static_cast<char>(type >> 8)};
  bytes += payload;
  bytes.resize((bytes.size() + 3) / 4 * 4);
  return bytes;
}

// A message about a link: header, ifinfomsg, attributes.
inline std::string LinkMessage(uint16_t type, uint8_t family, uint32_t ifindex,
                               uint32_t flags, const std::string& attributes) {
  std::string bytes = U32(static_cast<uint32_t>(32 + attributes.size()));
  bytes += {static_cast<char>(type), static_cast<char>(type >> 8), 0, 0};
  bytes += U32(7) + U32(0);
  bytes += {static_cast<char>(family), 0, 1, 0};
  return bytes + U32(ifindex) + U32(flags) + U32(0) + attributes;
}

// The bytes where a nlmsghdr may be read: aligned, and in a block of exactly
// their size, so that a sanitizer sees what is read behind them.
class Message {
 public:
  explicit Message(const std::string& bytes) : words_((bytes.size() + 3) / 4) {
    std::memcpy(words_.data(), bytes.data(), bytes.size());
  }
  const nlmsghdr* get() const {
    return reinterpret_cast<const nlmsghdr*>(words_.data());
  }

 private:
  std::vector<uint32_t> words_;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_TEST_BYTES_H_
