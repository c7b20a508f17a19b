// SPDX-License-Identifier: Apache-2.0
#include "tapd/counters.h"

namespace eoip::tapd {

absl::string_view DropName(Drop drop) {
  switch (drop) {
    case Drop::kUnknownTunnel:
      return "unknown_tunnel";
    case Drop::kWrongSource:
      return "wrong_source";
    case Drop::kWrongLocal:
      return "wrong_local";
    case Drop::kBadLength:
      return "bad_length";
    case Drop::kShortFrame:
      return "short_frame";
    case Drop::kTruncated:
      return "truncated";
    case Drop::kForeign:
      return "foreign";
    case Drop::kRxOverrun:
      return "rx_overrun";
    case Drop::kDisabled:
      return "disabled";
    case Drop::kTapDown:
      return "tap_down";
    case Drop::kTapFull:
      return "tap_full";
    case Drop::kTapError:
      return "tap_error";
    case Drop::kBadOffload:
      return "bad_offload";
    case Drop::kTooBig:
      return "too_big";
    case Drop::kSendFull:
      return "send_full";
    case Drop::kSendError:
      return "send_error";
  }
  return "";
}

}  // namespace eoip::tapd
