// SPDX-License-Identifier: Apache-2.0
//
// A DHCP server's frames for tests, written out by hand.
#ifndef EOIP_DHCP_TEST_FRAMES_H_
#define EOIP_DHCP_TEST_FRAMES_H_

#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "model/address.h"

namespace eoip::testing_dhcp {

inline const MacAddress kMac(std::array<uint8_t, 6>{2, 0, 0x5e, 0x10, 0, 1});

inline std::string Option(uint8_t code, absl::string_view hex) {
  const std::string value = absl::HexStringToBytes(hex);
  return std::string(1, static_cast<char>(code)) +
         static_cast<char>(value.size()) + value;
}

inline uint16_t SumOf(absl::string_view bytes) {
  uint32_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    sum += static_cast<uint32_t>(static_cast<uint8_t>(bytes[i]))
           << (i % 2 ? 0 : 8);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

inline void Put16(std::string& frame, size_t at, size_t value) {
  frame[at] = static_cast<char>(value >> 8);
  frame[at + 1] = static_cast<char>(value);
}

// Sets lengths and checksums right. The frame has at least 42 bytes.
inline std::string FixUp(std::string frame) {
  const size_t udp = frame.size() - 34;
  Put16(frame, 16, frame.size() - 14);
  Put16(frame, 24, 0);
  Put16(frame, 24, SumOf(frame.substr(14, 20)));
  Put16(frame, 38, udp);
  Put16(frame, 40, 0);
  std::string pseudo = frame.substr(26, 8) + std::string("\0\x11", 2) +
                       frame.substr(38, 2) + frame.substr(34);
  Put16(frame, 40, SumOf(pseudo));
  return frame;
}

// From 192.0.2.1, 02:00:00:00:00:01, to kMac. mask: an option 1, or none.
inline std::string MakeReply(uint8_t type, const std::string& address,
                             const std::string& options,
                             const std::string& mask = Option(1, "ffffff00"),
                             uint32_t xid = 0x01020304) {
  std::string frame = absl::HexStringToBytes(
      "ffffffffffff"
      "020000000001"
      "0800"
      "45000000000000004011"
      "0000c0000201ffffffff"
      "0043004400000000"
      "02010600");
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame += static_cast<char>(xid >> shift);
  }
  frame += std::string(8, '\0');  // secs, flags, ciaddr
  frame += std::string(IpAddress::Parse(address)->bytes());
  frame += std::string(8, '\0');
  frame.append(reinterpret_cast<const char*>(kMac.bytes().data()), 6);
  frame += std::string(10 + 64 + 128, '\0');
  frame += absl::HexStringToBytes("63825363");
  frame += Option(53, absl::BytesToHexString(std::string(1, type)));
  frame += Option(54, "c0000201") + mask + options + '\xff';
  return FixUp(frame);
}

}  // namespace eoip::testing_dhcp

#endif  // EOIP_DHCP_TEST_FRAMES_H_
