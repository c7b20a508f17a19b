// SPDX-License-Identifier: Apache-2.0
#include "tapd/segment.h"

#include <algorithm>
#include <cstring>

#include "tapd/bytes.h"
#include "tapd/checksum.h"
#include "tapd/inner_frame.h"

namespace eoip::tapd {
namespace {

constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;
constexpr uint8_t kFin = 0x01, kPsh = 0x08, kCwr = 0x80;
constexpr size_t kTcpChecksumAt = 16;
constexpr size_t kUdpChecksumAt = 6;

}  // namespace

bool FinishChecksum(const VnetHeader& vnet, absl::Span<uint8_t> frame) {
  if ((vnet.flags & VnetHeader::kNeedsChecksum) == 0) return true;
  const size_t start = vnet.checksum_start;
  const size_t at = start + vnet.checksum_offset;
  if (start > frame.size() || at + 2 > frame.size()) return false;
  // The kernel has put the sum of the pseudo header there.
  const uint16_t folded = FoldSum(SumBytes(frame.subspan(start)));
  uint16_t checksum = static_cast<uint16_t>(~folded);
  // Zero means "none" in UDP; in the others both zeros are the same.
  if (checksum == 0) checksum = 0xffff;
  StoreSum(&frame[at], checksum);
  return true;
}

std::optional<Segmenter> Segmenter::Make(const VnetHeader& vnet,
                                         absl::Span<const uint8_t> frame) {
  const uint8_t type =
      vnet.gso_type & static_cast<uint8_t>(~VnetHeader::kGsoEcn);
  const std::optional<InnerIp> ip = FindInnerIp(frame);
  if (!ip.has_value() || vnet.gso_size == 0 ||
      (vnet.flags & VnetHeader::kNeedsChecksum) == 0) {
    return std::nullopt;
  }
  Segmenter s;
  s.ipv6_ = ip->ipv6;
  s.tcp_ = type != VnetHeader::kGsoUdp;
  if ((type == VnetHeader::kGsoTcp4 && s.ipv6_) ||
      (type == VnetHeader::kGsoTcp6 && !s.ipv6_) ||
      (s.tcp_ && type != VnetHeader::kGsoTcp4 &&
       type != VnetHeader::kGsoTcp6)) {
    return std::nullopt;
  }
  s.ip_at_ = ip->offset;
  s.l4_at_ = vnet.checksum_start;
  const uint8_t* header = &frame[s.ip_at_];
  const size_t ip_size = s.ipv6_ ? 40 : (header[0] & 0xf) * 4u;
  // Behind an IPv6 header there may be extensions, which are copied.
  const bool place_fits =
      s.ipv6_ ? s.l4_at_ >= s.ip_at_ + ip_size : s.l4_at_ == s.ip_at_ + ip_size;
  // The last extension header would have to be found to check it there.
  const bool extended = s.ipv6_ && s.l4_at_ != s.ip_at_ + ip_size;
  const uint8_t protocol = header[s.ipv6_ ? 6 : 9];
  if (!extended && protocol != (s.tcp_ ? kTcp : kUdp)) return std::nullopt;
  const size_t least = s.tcp_ ? 20 : 8;
  if (!place_fits || ip_size < 20 || frame.size() < s.l4_at_ + least ||
      vnet.checksum_offset != (s.tcp_ ? kTcpChecksumAt : kUdpChecksumAt)) {
    return std::nullopt;
  }
  const size_t l4_size = s.tcp_ ? (frame[s.l4_at_ + 12] >> 4) * 4u : 8;
  const size_t head_size = s.l4_at_ + l4_size;
  if (l4_size < least || head_size > kMaxSegmentHead ||
      head_size >= frame.size()) {
    return std::nullopt;
  }
  s.head_ = frame.subspan(0, head_size);
  s.body_ = frame.subspan(head_size);
  s.segment_size_ = vnet.gso_size;
  s.count_ = (s.body_.size() + s.segment_size_ - 1) / s.segment_size_;
  // What one IP packet can say of its length.
  if (head_size - s.ip_at_ + std::min(s.segment_size_, s.body_.size()) >
      65535) {
    return std::nullopt;
  }
  return s;
}

absl::Span<const uint8_t> Segmenter::Payload(size_t i) const {
  return body_.subspan(i * segment_size_, segment_size_);
}

void Segmenter::WriteHead(size_t i, uint8_t* out) const {
  const absl::Span<const uint8_t> payload = Payload(i);
  std::memcpy(out, head_.data(), head_.size());
  uint8_t* ip = out + ip_at_;
  uint8_t* l4 = out + l4_at_;
  const size_t l4_size = head_.size() - l4_at_;
  const uint32_t l4_total = static_cast<uint32_t>(l4_size + payload.size());
  if (ipv6_) {
    StoreBe16(ip + 4, static_cast<uint32_t>(l4_at_ - ip_at_ - 40) + l4_total);
  } else {
    const size_t ip_size = l4_at_ - ip_at_;
    StoreBe16(ip + 2, static_cast<uint32_t>(ip_size) + l4_total);
    StoreBe16(ip + 4, LoadBe16(ip + 4) + static_cast<uint32_t>(i));
    StoreSum(ip + 10, 0);
    StoreSum(ip + 10, static_cast<uint16_t>(~FoldSum(
                          SumBytes(absl::MakeConstSpan(ip, ip_size)))));
  }
  const size_t checksum_at = tcp_ ? kTcpChecksumAt : kUdpChecksumAt;
  if (tcp_) {
    StoreBe32(l4 + 4,
              LoadBe32(l4 + 4) + static_cast<uint32_t>(i * segment_size_));
    if (i + 1 < count_) l4[13] &= static_cast<uint8_t>(~(kFin | kPsh));
    if (i > 0) l4[13] &= static_cast<uint8_t>(~kCwr);
  } else {
    StoreBe16(l4 + 4, l4_total);
  }
  StoreSum(l4 + checksum_at, 0);
  // The head's size is even: TCP counts in words of four bytes, UDP has eight.
  const uint64_t sum =
      SumPseudoHeader(ip, ipv6_, tcp_ ? kTcp : kUdp, l4_total) +
      SumBytes(absl::MakeConstSpan(l4, l4_size)) + SumBytes(payload);
  uint16_t checksum = static_cast<uint16_t>(~FoldSum(sum));
  if (checksum == 0 && !tcp_) checksum = 0xffff;
  StoreSum(l4 + checksum_at, checksum);
}

}  // namespace eoip::tapd
