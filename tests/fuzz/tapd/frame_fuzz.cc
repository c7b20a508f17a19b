// SPDX-License-Identifier: Apache-2.0
//
// Received packets: the receive rule, ECN, the MSS clamp.
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "eoip_wire.h"
#include "tapd/clamp_mss.h"
#include "tapd/coalesce.h"
#include "tapd/inner_frame.h"

namespace eoip::tapd {
namespace {

void Check(bool holds) {
  if (!holds) std::abort();
}

void OneFrame(std::vector<uint8_t> frame) {
  const auto span = absl::MakeSpan(frame);
  FlowFrame shape;
  const bool flow = ParseFlowFrame(span, true, &shape);
  const bool right = flow && ChecksumIsRight(span, shape);
  ApplyOuterEcn(3, span);
  const bool clamped = ClampTcpMss(1400, span);
  // Neither of both breaks a checksum that was right, nor repairs one.
  FlowFrame after;
  Check(ParseFlowFrame(span, true, &after) == flow);
  if (flow) Check(ChecksumIsRight(span, after) == right);
  if (clamped) Check(!ClampTcpMss(1400, span));
}

}  // namespace
}  // namespace eoip::tapd

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  eoip_rx rx{};
  if (eoip4_parse(data, size, &rx) == EOIP_RX_FRAME) {
    eoip::tapd::Check(rx.frame_len >= 14 && rx.frame_len + 8 <= size);
    eoip::tapd::OneFrame({data + 8, data + 8 + rx.frame_len});
  }
  if (eoip6_parse(data, size, &rx) == EOIP_RX_FRAME) {
    eoip::tapd::Check(rx.frame_len == size - 2);
    eoip::tapd::OneFrame({data + 2, data + size});
  }
  eoip::tapd::OneFrame({data, data + size});
  return 0;
}
