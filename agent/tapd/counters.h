// SPDX-License-Identifier: Apache-2.0
//
// Counters with one writing thread each and any number of readers.
#ifndef EOIP_TAPD_COUNTERS_H_
#define EOIP_TAPD_COUNTERS_H_

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace eoip::tapd {

class Counter {
 public:
  // Writer only: no locked instruction is needed.
  void Add(uint64_t n) {
    value_.store(value_.load(std::memory_order_relaxed) + n,
                 std::memory_order_relaxed);
  }
  uint64_t Get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Why something was not forwarded. The names are API: README.md.
enum class Drop {
  kUnknownTunnel,
  kWrongSource,
  kWrongLocal,
  kBadLength,
  kShortFrame,
  kTruncated,
  kForeign,
  kRxOverrun,
  kDisabled,
  kTapDown,
  kTapFull,
  kTapError,
  kBadOffload,
  kTooBig,
  kSendFull,
  kSendError,
};
inline constexpr int kDropCauses = static_cast<int>(Drop::kSendError) + 1;

absl::string_view DropName(Drop drop);

class DropCounters {
 public:
  void Add(Drop drop, uint64_t n = 1) {
    counters_[static_cast<int>(drop)].Add(n);
  }
  uint64_t Get(Drop drop) const {
    return counters_[static_cast<int>(drop)].Get();
  }

 private:
  std::array<Counter, kDropCauses> counters_;
};

// Of one tunnel on one worker.
struct TunnelCounters {
  Counter rx_packets;
  Counter rx_bytes;
  Counter tx_packets;
  Counter tx_bytes;
  Counter rx_keepalives;
  Counter tx_keepalives;
  Counter tx_super_frames;
  Counter rx_super_frames;
  Counter rx_clamped;
  Counter tx_fast_packets;
  DropCounters drops;
};

// Of one direction of one worker: packets per system call.
struct BatchCounters {
  static constexpr int kSizes = 8;

  // A system call with n > 0 packets, of `size` bytes behind the outer IP
  // headers.
  void Add(uint64_t n, uint64_t size) {
    batches.Add(1);
    packets.Add(n);
    bytes.Add(size);
    sizes[std::min(static_cast<int>(std::bit_width(n)) - 1, kSizes - 1)].Add(1);
  }

  Counter batches;
  Counter packets;
  Counter bytes;
  // Batches of 2^i to 2^(i+1) - 1 packets; the last one takes all larger ones.
  std::array<Counter, kSizes> sizes;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_COUNTERS_H_
