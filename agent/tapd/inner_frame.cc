// SPDX-License-Identifier: Apache-2.0
#include "tapd/inner_frame.h"

#include "tapd/bytes.h"

namespace eoip::tapd {
namespace {

constexpr int kMaxTags = 3;

bool IsVlanTag(uint16_t ethertype) {
  return ethertype == 0x8100 || ethertype == 0x88a8 || ethertype == 0x9100;
}

}  // namespace

std::optional<InnerIp> FindInnerIp(absl::Span<const uint8_t> frame) {
  size_t type_at = 12;
  for (int tags = 0; frame.size() >= type_at + 2; ++tags) {
    const uint16_t ethertype = LoadBe16(&frame[type_at]);
    if (IsVlanTag(ethertype) && tags < kMaxTags) {
      type_at += 4;
      continue;
    }
    const size_t offset = type_at + 2;
    if (ethertype == 0x0800 && frame.size() >= offset + 20 &&
        frame[offset] >> 4 == 4) {
      return InnerIp{false, offset, frame[offset + 1],
                     (frame[offset + 6] & 0x40) != 0};
    }
    if (ethertype == 0x86dd && frame.size() >= offset + 40 &&
        frame[offset] >> 4 == 6) {
      return InnerIp{
          true, offset,
          static_cast<uint8_t>(frame[offset] << 4 | frame[offset + 1] >> 4),
          false};
    }
    return std::nullopt;
  }
  return std::nullopt;
}

uint8_t OuterTos(std::optional<uint8_t> dscp,
                 const std::optional<InnerIp>& inner) {
  const uint8_t tos = inner.has_value() ? inner->tos : 0;
  if (!dscp.has_value()) return tos;
  return static_cast<uint8_t>(*dscp << 2 | (tos & kEcnMask));
}

void ApplyOuterEcn(uint8_t outer_tos, absl::Span<uint8_t> frame) {
  if ((outer_tos & kEcnMask) != kEcnCe) return;
  const std::optional<InnerIp> inner = FindInnerIp(frame);
  if (!inner.has_value()) return;
  const uint8_t ecn = inner->tos & kEcnMask;
  if (ecn == 0 || ecn == kEcnCe) return;
  uint8_t* ip = &frame[inner->offset];
  if (inner->ipv6) {
    ip[1] |= kEcnCe << 4;
    return;
  }
  const uint16_t before = LoadBe16(ip);
  ip[1] |= kEcnCe;
  StoreBe16(ip + 10, UpdateChecksum16(LoadBe16(ip + 10), before, LoadBe16(ip)));
}

}  // namespace eoip::tapd
