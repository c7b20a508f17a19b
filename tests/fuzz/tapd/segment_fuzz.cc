// SPDX-License-Identifier: Apache-2.0
//
// What the kernel hands over: any vnet header before any frame.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "tapd/coalesce.h"
#include "tapd/segment.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eoip::tapd;
  VnetHeader vnet;
  if (size < sizeof(vnet)) return 0;
  std::memcpy(&vnet, data, sizeof(vnet));
  std::vector<uint8_t> frame(data + sizeof(vnet), data + size);
  const auto segmenter = Segmenter::Make(vnet, frame);
  if (segmenter.has_value()) {
    size_t total = 0;
    for (size_t i = 0; i < segmenter->count(); ++i) {
      // On the heap, so that one byte too many is seen.
      std::vector<uint8_t> segment(segmenter->head_size());
      segmenter->WriteHead(i, segment.data());
      const auto payload = segmenter->Payload(i);
      if (payload.empty() || payload.size() > vnet.gso_size) std::abort();
      segment.insert(segment.end(), payload.begin(), payload.end());
      total += payload.size();
      // Where the result is plain TCP or UDP its checksum is right.
      FlowFrame shape;
      if (ParseFlowFrame(segment, true, &shape) &&
          shape.l4_at == vnet.checksum_start &&
          !ChecksumIsRight(segment, shape)) {
        std::abort();
      }
    }
    if (total + segmenter->head_size() != frame.size()) std::abort();
  }
  FinishChecksum(vnet, absl::MakeSpan(frame));
  return 0;
}
