// SPDX-License-Identifier: Apache-2.0
//
// Splits what the kernel hands over unfinished (checksum not filled in, TCP and
// UDP super-frames) into right frames. Pure; any bytes are safe.
#ifndef EOIP_TAPD_SEGMENT_H_
#define EOIP_TAPD_SEGMENT_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"

namespace eoip::tapd {

// struct virtio_net_hdr, in the byte order of the machine (linux/virtio_net.h).
struct VnetHeader {
  static constexpr uint8_t kNeedsChecksum = 1;
  static constexpr uint8_t kGsoNone = 0;
  static constexpr uint8_t kGsoTcp4 = 1;
  static constexpr uint8_t kGsoTcp6 = 4;
  static constexpr uint8_t kGsoUdp = 5;
  static constexpr uint8_t kGsoEcn = 0x80;

  uint8_t flags = 0;
  uint8_t gso_type = 0;
  uint16_t header_size = 0;
  uint16_t gso_size = 0;
  uint16_t checksum_start = 0;
  uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);

// Fills in the checksum that the header asks for. False: it lies outside.
bool FinishChecksum(const VnetHeader& vnet, absl::Span<uint8_t> frame);

// Longest head, Ethernet to TCP options, of a super-frame.
inline constexpr size_t kMaxSegmentHead = 256;

// How a super-frame is cut. It stays valid while the frame does.
class Segmenter {
 public:
  // Nothing where header and frame do not fit together.
  static std::optional<Segmenter> Make(const VnetHeader& vnet,
                                       absl::Span<const uint8_t> frame);

  size_t count() const { return count_; }
  size_t head_size() const { return head_.size(); }

  // The payload of segment i < count(), a part of the super-frame.
  absl::Span<const uint8_t> Payload(size_t i) const;
  // Writes the head of segment i to out, head_size() bytes.
  void WriteHead(size_t i, uint8_t* out) const;

 private:
  Segmenter() = default;

  absl::Span<const uint8_t> head_;
  absl::Span<const uint8_t> body_;
  size_t ip_at_ = 0;
  size_t l4_at_ = 0;
  size_t segment_size_ = 0;
  size_t count_ = 0;
  bool ipv6_ = false;
  bool tcp_ = false;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_SEGMENT_H_
