// SPDX-License-Identifier: Apache-2.0
//
// A running tunnel: its TAP, the state of its peer, and a slot per worker.
#ifndef EOIP_TAPD_TUNNEL_H_
#define EOIP_TAPD_TUNNEL_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "tapd/counters.h"
#include "tapd/keepalive_clock.h"
#include "tapd/link_path.h"
#include "tapd/outer_header.h"
#include "tapd/tap_link.h"
#include "tapd/tunnel_config.h"

namespace eoip::tapd {

// Nanoseconds of CLOCK_MONOTONIC.
int64_t NowNs();

class Tunnel;

// What one worker knows of the tunnel. Only its thread touches it, except for
// the counters, which anybody may read.
struct TunnelSlot {
  Tunnel* tunnel = nullptr;
  TunnelConfig config;
  OuterHeader outer;
  int tap_fd = -1;       // reads
  int writer_fd = -1;    // writes, may be the same
  bool watched = false;  // tap_fd is in the worker's epoll set
  TunnelCounters counters;
  // The way past the IP stack, see path_finder.h, as of path_generation.
  std::optional<LinkPath> path;
  uint64_t path_generation = 0;
  int64_t path_asked_ns = 0;
  // The question that has no answer yet, 0: none.
  uint64_t path_question = 0;
  // When a packet has to go through the IP stack again.
  int64_t stack_due_ns = 0;
  // The home worker's only: it sends the keepalives and finds the peer dead.
  bool home = false;
  KeepaliveClock clock;
  int64_t deadline_ns = KeepaliveClock::kNever;
};

class Tunnel {
 public:
  static constexpr int64_t kNotHeard = -1;

  // ResetPeer or RestorePeer must follow.
  Tunnel(TapLink tap, const TunnelConfig& config, int workers, int home);

  const TapLink& tap() const { return tap_; }
  TunnelSlot& slot(int worker) { return *slots_[worker]; }
  const std::vector<std::unique_ptr<TunnelSlot>>& slots() const {
    return slots_;
  }

  // The control thread's copy of the config; it alone reads and writes it.
  TunnelConfig& config() { return config_; }

  bool peer_up() const { return peer_up_.load(std::memory_order_relaxed); }
  int64_t last_heard_ns() const {
    return last_heard_ns_.load(std::memory_order_relaxed);
  }
  // A valid packet of the tunnel arrived. Any worker.
  void Heard(int64_t now_ns) {
    last_heard_ns_.store(now_ns, std::memory_order_relaxed);
    if (!peer_up()) BringUp();
  }
  // Takes the peer down if it has been silent for too long by the clock.
  void CheckSilence(const KeepaliveClock& clock, int64_t now_ns);
  // Forgets the peer: up unless the config watches it, or is disabled.
  void ResetPeer(const TunnelConfig& config);

  // Goes on with what another process knew; the carrier is right already.
  void RestorePeer(const TunnelConfig& config, bool up, int64_t last_heard_ns);

  bool link_gone() const { return link_gone_.load(std::memory_order_relaxed); }
  void MarkLinkGone() { link_gone_.store(true, std::memory_order_relaxed); }

  // errno of the last send, 0: it went well.
  int send_errno() const { return send_errno_.load(std::memory_order_relaxed); }
  void SetSendErrno(int error) {
    if (send_errno() != error) {
      send_errno_.store(error, std::memory_order_relaxed);
    }
  }

 private:
  void BringUp();
  // mu_ is held.
  void SetPeerLocked(bool up);

  const std::string name_;
  TapLink tap_;
  TunnelConfig config_;
  std::vector<std::unique_ptr<TunnelSlot>> slots_;
  std::atomic<bool> peer_up_{true};
  std::atomic<int64_t> last_heard_ns_{kNotHeard};
  std::atomic<bool> link_gone_{false};
  std::atomic<int> send_errno_{0};
  // Guards changes of peer_up_, with the carrier that follows it, and
  // disabled_.
  std::mutex mu_;
  bool disabled_ = false;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_TUNNEL_H_
