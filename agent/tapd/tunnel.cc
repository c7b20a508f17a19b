// SPDX-License-Identifier: Apache-2.0
#include "tapd/tunnel.h"

#include <time.h>

#include "base/log.h"

namespace eoip::tapd {

int64_t NowNs() {
  timespec ts;
  ::clock_gettime(CLOCK_MONOTONIC, &ts);
  return int64_t{ts.tv_sec} * 1'000'000'000 + ts.tv_nsec;
}

Tunnel::Tunnel(TapLink tap, const TunnelConfig& config, int workers, int home)
    : name_(config.name), tap_(std::move(tap)), config_(config) {
  for (int i = 0; i < workers; ++i) {
    auto slot = std::make_unique<TunnelSlot>();
    slot->tunnel = this;
    slot->tap_fd = i < tap_.queues() ? tap_.queue_fd(i) : -1;
    slot->writer_fd = i < tap_.queues() ? tap_.writer_fd(i) : -1;
    slot->home = i == home;
    slots_.push_back(std::move(slot));
  }
}

void Tunnel::BringUp() {
  std::lock_guard lock(mu_);
  if (!disabled_) SetPeerLocked(true);
}

void Tunnel::CheckSilence(const KeepaliveClock& clock, int64_t now_ns) {
  if (!peer_up()) return;
  std::lock_guard lock(mu_);
  // Under the lock, as another worker may just have heard the peer.
  if (clock.Dead(last_heard_ns(), now_ns)) SetPeerLocked(false);
}

void Tunnel::ResetPeer(const TunnelConfig& config) {
  std::lock_guard lock(mu_);
  disabled_ = config.disabled;
  last_heard_ns_.store(kNotHeard, std::memory_order_relaxed);
  const bool up = !config.disabled && !config.WatchesPeer();
  peer_up_.store(!up, std::memory_order_relaxed);
  SetPeerLocked(up);
}

void Tunnel::RestorePeer(const TunnelConfig& config, bool up,
                         int64_t last_heard_ns) {
  std::lock_guard lock(mu_);
  disabled_ = config.disabled;
  last_heard_ns_.store(last_heard_ns, std::memory_order_relaxed);
  peer_up_.store(up, std::memory_order_relaxed);
}

void Tunnel::SetPeerLocked(bool up) {
  if (peer_up() == up) return;
  peer_up_.store(up, std::memory_order_relaxed);
  const absl::Status status = tap_.SetCarrier(up);
  if (absl::IsNotFound(status)) {
    MarkLinkGone();
  } else if (!status.ok()) {
    LogError("tunnel ", name_, ": ", status.message());
  }
}

}  // namespace eoip::tapd
