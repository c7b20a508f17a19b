// SPDX-License-Identifier: Apache-2.0
//
// How long a worker looks again and again before it sleeps. Waking a sleeping
// thread costs its waker microseconds and the packet more, so that looking is
// cheaper where the next packet is near. The window opens by steps as long as
// sleeps turn out short, and closes with the first long one: who has nothing to
// do burns nothing. (KVM polls for halted guests by the same rule.) Pure; times
// are nanoseconds of a monotonic clock.
#ifndef EOIP_TAPD_POLL_WINDOW_H_
#define EOIP_TAPD_POLL_WINDOW_H_

#include <algorithm>
#include <cstdint>

namespace eoip::tapd {

class PollWindow {
 public:
  static constexpr int64_t kFirstNs = 10'000;
  // A turn of the processor that took this long was used by somebody else.
  static constexpr int64_t kLongYieldNs = 20'000;

  // most_ns: 0 never polls.
  explicit PollWindow(int64_t most_ns) : most_ns_(most_ns) {}

  bool enabled() const { return most_ns_ > 0; }

  // There was something to do.
  void Worked(int64_t now_ns) { last_work_ns_ = now_ns; }
  // Look again rather than sleep?
  bool Open(int64_t now_ns) const {
    return now_ns - last_work_ns_ < window_ns_;
  }

  // The thread gave the processor away between two looks. Where others want it,
  // sleeping serves both better: a waking thread is run sooner than a polling
  // one.
  void Yielded(int64_t from_ns, int64_t to_ns) {
    if (to_ns - from_ns > kLongYieldNs) window_ns_ = 0;
  }

  // The thread slept until there was something to do, or a timer fired.
  void Slept(int64_t from_ns, int64_t to_ns) {
    if (to_ns - from_ns > most_ns_) {
      window_ns_ = 0;
    } else {
      window_ns_ = std::min(most_ns_, std::max(kFirstNs, window_ns_ * 2));
    }
    last_work_ns_ = to_ns;
  }

  int64_t window_ns() const { return window_ns_; }

 private:
  const int64_t most_ns_;
  int64_t window_ns_ = 0;
  int64_t last_work_ns_ = 0;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_POLL_WINDOW_H_
