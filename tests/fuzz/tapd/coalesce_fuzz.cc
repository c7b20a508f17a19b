// SPDX-License-Identifier: Apache-2.0
//
// Trains of frames: each is a length (2 bytes, the top bit: make the checksums
// right, the next: flush after it), then its bytes.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <list>
#include <vector>

#include "tapd/checksum.h"
#include "tapd/coalesce.h"
#include "tapd/segment.h"

namespace eoip::tapd {
namespace {

using Bytes = std::vector<uint8_t>;

void Check(bool holds) {
  if (!holds) std::abort();
}

void MakeChecksumsRight(Bytes* frame) {
  FlowFrame shape;
  if (!ParseFlowFrame(*frame, true, &shape)) return;
  uint8_t* ip = frame->data() + shape.ip_at;
  uint8_t* l4 = frame->data() + shape.l4_at;
  if (!shape.ipv6) {
    StoreSum(ip + 10, 0);
    StoreSum(ip + 10, static_cast<uint16_t>(
                          ~FoldSum(SumBytes(absl::MakeConstSpan(ip, 20)))));
  }
  const size_t at = shape.tcp ? 16 : 6;
  const size_t size = shape.head_size - shape.l4_at + shape.payload_size;
  StoreSum(l4 + at, 0);
  uint16_t sum = static_cast<uint16_t>(
      ~FoldSum(SumPseudoHeader(ip, shape.ipv6, shape.tcp ? 6 : 17,
                               static_cast<uint32_t>(size)) +
               SumBytes(absl::MakeConstSpan(l4, size))));
  StoreSum(l4 + at, sum == 0 ? 0xffff : sum);
}

// Ids of packets with DF, and the header checksum over them, may change.
Bytes Comparable(Bytes frame) {
  FlowFrame shape;
  if (ParseFlowFrame(frame, true, &shape) && !shape.ipv6 &&
      (frame[shape.ip_at + 6] & 0x40) != 0) {
    for (size_t i : {4, 5, 10, 11}) frame[shape.ip_at + i] = 0;
  }
  return frame;
}

struct Output {
  size_t frames = 0;
  size_t bytes = 0;
  std::list<Bytes> split;

  void Take(absl::Span<iovec> pieces, size_t count, size_t size) {
    VnetHeader vnet;
    std::memcpy(&vnet, pieces[0].iov_base, sizeof(vnet));
    Bytes frame;
    for (const iovec& piece : pieces.subspan(1)) {
      const auto* p = static_cast<const uint8_t*>(piece.iov_base);
      frame.insert(frame.end(), p, p + piece.iov_len);
    }
    frames += count;
    bytes += size;
    if (count == 1) {
      Check(vnet.gso_type == 0 && vnet.flags == 0);
      split.push_back(Comparable(frame));
      return;
    }
    Check(frame.size() <= 65535 + 64);
    const auto segmenter = Segmenter::Make(vnet, frame);
    Check(segmenter.has_value() && segmenter->count() == count);
    for (size_t i = 0; i < count; ++i) {
      Bytes segment(segmenter->head_size());
      segmenter->WriteHead(i, segment.data());
      const auto payload = segmenter->Payload(i);
      segment.insert(segment.end(), payload.begin(), payload.end());
      split.push_back(Comparable(segment));
    }
  }
};

}  // namespace
}  // namespace eoip::tapd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eoip::tapd;
  Coalescer coalescer;
  Output out;
  auto sink = [&out](void*, absl::Span<iovec> pieces, size_t count,
                     size_t bytes) { out.Take(pieces, count, bytes); };
  std::list<Bytes> held;
  std::list<Bytes> in;
  size_t bytes = 0;
  char key = 0;
  while (size >= 2) {
    const bool repair = (data[0] & 0x80) != 0;
    const bool flush = (data[0] & 0x40) != 0;
    size_t n = (data[0] & 0x0fu) << 8 | data[1];
    data += 2;
    size -= 2;
    n = n < size ? n : size;
    Bytes frame(data, data + n);
    data += n;
    size -= n;
    if (repair) MakeChecksumsRight(&frame);
    in.push_back(Comparable(frame));
    bytes += frame.size();
    held.push_back(std::move(frame));
    coalescer.Add(&key, absl::MakeSpan(held.back()), true, sink);
    if (flush) coalescer.Flush(sink);
  }
  coalescer.Flush(sink);
  Check(out.frames == in.size() && out.bytes == bytes);
  // The same frames, whatever their order between flows.
  in.sort();
  out.split.sort();
  Check(in == out.split);
  return 0;
}
