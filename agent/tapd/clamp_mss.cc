// SPDX-License-Identifier: Apache-2.0
#include "tapd/clamp_mss.h"

#include <algorithm>
#include <optional>

#include "tapd/bytes.h"
#include "tapd/inner_frame.h"

namespace eoip::tapd {
namespace {

constexpr uint8_t kTcp = 6;
// Extension headers, RFC 8200.
constexpr uint8_t kHopByHop = 0, kRouting = 43, kFragment = 44,
                  kDestinationOptions = 60;
constexpr uint8_t kSyn = 0x02;
constexpr uint8_t kOptionEnd = 0, kOptionNop = 1, kOptionMss = 2;

// Where TCP starts behind the IPv6 header at ip_at and its extension headers,
// of which a packet has a handful at most.
constexpr int kMaxExtensions = 8;
std::optional<size_t> FindTcpBehindIpv6(size_t ip_at,
                                        absl::Span<const uint8_t> frame) {
  uint8_t next = frame[ip_at + 6];
  size_t at = ip_at + 40;
  for (int i = 0; i <= kMaxExtensions; ++i) {
    if (next == kTcp) return at;
    if (frame.size() < at + 8) return std::nullopt;
    size_t size = 8;
    switch (next) {
      case kHopByHop:
      case kRouting:
      case kDestinationOptions:
        size = (frame[at + 1] + 1u) * 8;
        break;
      case kFragment:
        if ((LoadBe16(&frame[at + 2]) & 0xfff8) != 0) return std::nullopt;
        break;
      default:
        // Also behind an authentication header, whose checksum would no longer
        // be right.
        return std::nullopt;
    }
    next = frame[at];
    at += size;
  }
  return std::nullopt;
}

// The TCP header with its options, or nothing.
absl::Span<uint8_t> FindTcpHeader(const InnerIp& ip,
                                  absl::Span<uint8_t> frame) {
  const uint8_t* h = &frame[ip.offset];
  size_t at = ip.offset;
  if (ip.ipv6) {
    const std::optional<size_t> found = FindTcpBehindIpv6(at, frame);
    if (!found.has_value()) return {};
    at = *found;
  } else {
    const bool later_fragment = (LoadBe16(h + 6) & 0x1fff) != 0;
    const size_t header_size = (h[0] & 0xf) * 4u;
    if (h[9] != kTcp || later_fragment || header_size < 20) return {};
    at += header_size;
  }
  if (frame.size() < at + 20) return {};
  const size_t size = (frame[at + 12] >> 4) * 4u;
  if (size < 20 || frame.size() < at + size) return {};
  return frame.subspan(at, size);
}

uint16_t Swap(uint16_t v) { return static_cast<uint16_t>(v << 8 | v >> 8); }

}  // namespace

bool ClampTcpMss(uint32_t mtu, absl::Span<uint8_t> frame) {
  const std::optional<InnerIp> ip = FindInnerIp(frame);
  if (!ip.has_value()) return false;
  const absl::Span<uint8_t> tcp = FindTcpHeader(*ip, frame);
  if (tcp.empty() || (tcp[13] & kSyn) == 0) return false;
  const uint32_t headers = (ip->ipv6 ? 40 : 20) + 20;
  if (mtu <= headers) return false;
  const uint16_t most =
      static_cast<uint16_t>(std::min<uint32_t>(mtu - headers, 65535));
  for (size_t i = 20; i < tcp.size();) {
    if (tcp[i] == kOptionEnd) return false;
    if (tcp[i] == kOptionNop) {
      ++i;
      continue;
    }
    if (i + 1 >= tcp.size()) return false;
    const size_t size = tcp[i + 1];
    if (size < 2 || i + size > tcp.size()) return false;
    if (tcp[i] != kOptionMss || size != 4) {
      i += size;
      continue;
    }
    const uint16_t before = LoadBe16(&tcp[i + 2]);
    if (before <= most) return false;
    StoreBe16(&tcp[i + 2], most);
    // An option may start at an odd byte: then its bytes are in two words of
    // the sum, each in the other half.
    const bool odd = i % 2 != 0;
    StoreBe16(&tcp[16],
              UpdateChecksum16(LoadBe16(&tcp[16]), odd ? Swap(before) : before,
                               odd ? Swap(most) : most));
    return true;
  }
  return false;
}

}  // namespace eoip::tapd
