// SPDX-License-Identifier: Apache-2.0
//
// When a keepalive is due and when a silent peer counts as dead. Pure: the
// caller brings the time, nanoseconds of any clock that never goes back.
#ifndef EOIP_TAPD_KEEPALIVE_CLOCK_H_
#define EOIP_TAPD_KEEPALIVE_CLOCK_H_

#include <algorithm>
#include <cstdint>
#include <limits>

namespace eoip::tapd {

class KeepaliveClock {
 public:
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

  // interval_s 0: keepalives are off. retries 0: silence does not matter.
  // The first keepalive is due at once.
  KeepaliveClock(uint32_t interval_s, uint32_t retries, int64_t now_ns)
      : interval_ns_(int64_t{interval_s} * 1'000'000'000),
        // RouterOS's second is up to 1.04 s long.
        silence_ns_(interval_ns_ * retries / 10 * 11),
        next_send_ns_(interval_s == 0 ? kNever : now_ns) {}
  KeepaliveClock() : KeepaliveClock(0, 0, 0) {}

  // True: send a keepalive now. The next one is due an interval after this one
  // was due, or after now where the caller was late by an interval or more.
  bool TakeSend(int64_t now_ns) {
    if (now_ns < next_send_ns_) return false;
    const int64_t next = next_send_ns_ + interval_ns_;
    next_send_ns_ = next > now_ns ? next : now_ns + interval_ns_;
    return true;
  }

  // When the next keepalive is due, kNever: none. Setting it goes on where
  // another clock stopped; without keepalives it has no effect.
  int64_t next_send_ns() const { return next_send_ns_; }
  void set_next_send_ns(int64_t next_send_ns) {
    if (next_send_ns_ != kNever) next_send_ns_ = next_send_ns;
  }

  // The peer was last heard then and has been silent for too long.
  bool Dead(int64_t last_heard_ns, int64_t now_ns) const {
    return silence_ns_ > 0 && now_ns - last_heard_ns >= silence_ns_;
  }

  // When to look again. peer_up: last_heard_ns counts.
  int64_t NextDeadline(bool peer_up, int64_t last_heard_ns) const {
    if (!peer_up || silence_ns_ == 0) return next_send_ns_;
    return std::min(next_send_ns_, last_heard_ns + silence_ns_);
  }

 private:
  int64_t interval_ns_;
  int64_t silence_ns_;
  int64_t next_send_ns_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_KEEPALIVE_CLOCK_H_
