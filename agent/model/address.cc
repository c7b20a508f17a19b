// SPDX-License-Identifier: Apache-2.0
#include "model/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "model/names.h"

namespace eoip {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = absl::ascii_tolower(c);
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// FNV-1a, 64 bits: kept for ever, since derived MACs must survive upgrades.
uint64_t Fnv1a(absl::string_view bytes, uint64_t hash) {
  for (unsigned char c : bytes) {
    hash ^= c;
    hash *= 0x100000001b3;
  }
  return hash;
}

}  // namespace

absl::StatusOr<IpAddress> IpAddress::Parse(absl::string_view text) {
  IpAddress address;
  // inet_pton wants a terminated string, and a NUL inside must not end it.
  char buffer[INET6_ADDRSTRLEN];
  if (text.size() < sizeof(buffer) && !text.empty() &&
      text.find('\0') == absl::string_view::npos) {
    std::memcpy(buffer, text.data(), text.size());
    buffer[text.size()] = '\0';
    if (inet_pton(AF_INET, buffer, address.bytes_.data()) == 1) return address;
    address.v6_ = true;
    if (inet_pton(AF_INET6, buffer, address.bytes_.data()) == 1) return address;
  }
  return FieldError("address", text, "an IPv4 or IPv6 address");
}

absl::StatusOr<IpAddress> IpAddress::FromBytes(absl::string_view bytes) {
  if (bytes.size() != 4 && bytes.size() != 16) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "address: %d bytes: 4 or 16 are allowed", bytes.size()));
  }
  IpAddress address;
  address.v6_ = bytes.size() == 16;
  std::memcpy(address.bytes_.data(), bytes.data(), bytes.size());
  return address;
}

std::string IpAddress::ToString() const {
  char buffer[INET6_ADDRSTRLEN];
  return inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), buffer,
                   sizeof(buffer));
}

bool IpAddress::IsUnspecified() const {
  return std::all_of(bytes_.begin(), bytes_.end(),
                     [](uint8_t b) { return b == 0; });
}

bool IpAddress::IsMulticast() const {
  return v6_ ? bytes_[0] == 0xff : (bytes_[0] & 0xf0) == 0xe0;
}

bool IpAddress::IsLoopback() const {
  if (!v6_) return bytes_[0] == 127;
  return bytes_[15] == 1 && std::all_of(bytes_.begin(), bytes_.end() - 1,
                                        [](uint8_t b) { return b == 0; });
}

bool IpAddress::IsLinkLocal() const {
  return v6_ ? bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80
             : bytes_[0] == 169 && bytes_[1] == 254;
}

bool IpAddress::IsUsableUnicast() const {
  if (IsUnspecified() || IsMulticast() || IsLoopback()) return false;
  if (!v6_) return bytes() != absl::string_view("\xff\xff\xff\xff", 4);
  static constexpr char kMapped[] = "\0\0\0\0\0\0\0\0\0\0\xff\xff";
  return bytes().substr(0, 12) != absl::string_view(kMapped, 12);
}

absl::StatusOr<MacAddress> MacAddress::Parse(absl::string_view text) {
  std::array<uint8_t, 6> bytes;
  bool good = text.size() == 17 && (text[2] == ':' || text[2] == '-');
  for (size_t i = 0; good && i < bytes.size(); ++i) {
    const int high = HexDigit(text[3 * i]);
    const int low = HexDigit(text[3 * i + 1]);
    good = high >= 0 && low >= 0 && (i == 5 || text[3 * i + 2] == text[2]);
    bytes[i] = static_cast<uint8_t>(high << 4 | low);
  }
  if (!good) {
    return FieldError("mac", text, "a MAC address as 02:00:00:00:00:01");
  }
  return MacAddress(bytes);
}

MacAddress MacAddress::Derive(absl::string_view node, absl::string_view name) {
  uint64_t hash = Fnv1a(node, 0xcbf29ce484222325);
  hash = Fnv1a(absl::string_view("\0", 1), hash);
  hash = Fnv1a(name, hash);
  // FNV's low bytes mix best; folding keeps what the high ones know.
  hash ^= hash >> 40;
  std::array<uint8_t, 6> bytes{0xfe};
  for (size_t i = 1; i < bytes.size(); ++i) {
    bytes[i] = static_cast<uint8_t>(hash >> (8 * (i - 1)));
  }
  return MacAddress(bytes);
}

std::string MacAddress::ToString() const {
  return absl::StrFormat("%02x:%02x:%02x:%02x:%02x:%02x", bytes_[0], bytes_[1],
                         bytes_[2], bytes_[3], bytes_[4], bytes_[5]);
}

}  // namespace eoip
