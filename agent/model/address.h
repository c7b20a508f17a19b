// SPDX-License-Identifier: Apache-2.0
//
// IP and MAC addresses as values. Pure.
#ifndef EOIP_MODEL_ADDRESS_H_
#define EOIP_MODEL_ADDRESS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace eoip {

class IpAddress {
 public:
  // 0.0.0.0
  IpAddress() = default;
  // "192.0.2.1" or "2001:db8::1", no prefix length, no zone.
  // INVALID_ARGUMENT: neither; the message holds the value.
  static absl::StatusOr<IpAddress> Parse(absl::string_view text);
  // 4 or 16 bytes in network order. INVALID_ARGUMENT: another length.
  static absl::StatusOr<IpAddress> FromBytes(absl::string_view bytes);

  bool is_v6() const { return v6_; }
  // 4 or 16 bytes, network order; valid as long as this object.
  absl::string_view bytes() const {
    return {reinterpret_cast<const char*>(bytes_.data()), v6_ ? 16u : 4u};
  }
  // Canonical text (RFC 5952).
  std::string ToString() const;
  // Not unspecified, multicast, broadcast (255.255.255.255) or loopback, and
  // no IPv4 address in IPv6 clothes (::ffff:0:0/96).
  bool IsUsableUnicast() const;
  bool IsUnspecified() const;
  bool IsMulticast() const;
  bool IsLoopback() const;
  bool IsLinkLocal() const;

  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  bool v6_ = false;
  std::array<uint8_t, 16> bytes_{};
};

class MacAddress {
 public:
  // 00:00:00:00:00:00
  MacAddress() = default;
  explicit MacAddress(const std::array<uint8_t, 6>& bytes) : bytes_(bytes) {}
  // "02:00:5e:10:00:01", any case, ':' or '-'. INVALID_ARGUMENT otherwise.
  static absl::StatusOr<MacAddress> Parse(absl::string_view text);
  // Locally administered and unicast, the same for the same node and name.
  // The first byte is 0xFE, as RouterOS derives its own, so that a bridge
  // (which takes the lowest MAC of its ports) never takes it.
  static MacAddress Derive(absl::string_view node, absl::string_view name);

  const std::array<uint8_t, 6>& bytes() const { return bytes_; }
  std::string ToString() const;  // lower case, ':'
  bool IsUnicast() const { return (bytes_[0] & 1) == 0 && !IsZero(); }
  bool IsZero() const { return bytes_ == std::array<uint8_t, 6>{}; }

  friend auto operator<=>(const MacAddress&, const MacAddress&) = default;

 private:
  std::array<uint8_t, 6> bytes_{};
};

}  // namespace eoip

#endif  // EOIP_MODEL_ADDRESS_H_
