// SPDX-License-Identifier: Apache-2.0
//
// The forwarder's part in a hot restart.
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "tapd/counters_proto.h"
#include "tapd/forwarder.h"

namespace eoip::tapd {
namespace {

void FillTunnel(Tunnel* tunnel, v1::TunnelHandover* out,
                std::vector<int>* descriptors) {
  for (int i = 0; i < tunnel->tap().queues(); ++i) {
    out->add_queues(static_cast<uint32_t>(descriptors->size()));
    descriptors->push_back(tunnel->tap().queue_fd(i));
  }
  for (int i = 0; i < tunnel->tap().writers(); ++i) {
    out->add_writers(static_cast<uint32_t>(descriptors->size()));
    descriptors->push_back(tunnel->tap().writer_fd(i));
  }
  out->set_udp_super_frames(tunnel->tap().takes_udp_super_frames());
  out->set_last_heard_ns(tunnel->last_heard_ns());
  out->set_send_errno(tunnel->send_errno());
  for (size_t i = 0; i < tunnel->slots().size(); ++i) {
    const TunnelSlot& slot = *tunnel->slots()[i];
    if (!slot.home) continue;
    out->set_home(static_cast<uint32_t>(i));
    const int64_t next_ns = slot.clock.next_send_ns();
    out->set_next_keepalive_ns(next_ns == KeepaliveClock::kNever ? 0 : next_ns);
  }
}

}  // namespace

void Forwarder::Pause(v1::Handover* out, std::vector<int>* descriptors) {
  std::lock_guard lock(mu_);
  phase_ = Phase::kPaused;
  out->set_stopped_at_ns(NowNs());
  for (auto& worker : workers_) worker->Pause();
  for (auto& worker : workers_) {
    worker->FillHandover(out->add_workers(), descriptors);
  }
  for (const auto& [name, tunnel] : tunnels_) {
    v1::TunnelHandover* to = out->add_tunnels();
    *to->mutable_tunnel() = Describe(tunnel.get());
    FillTunnel(tunnel.get(), to, descriptors);
  }
}

void Forwarder::Resume() {
  std::lock_guard lock(mu_);
  for (auto& worker : workers_) worker->Resume();
  phase_ = Phase::kForwarding;
  phase_changed_.notify_all();
}

void Forwarder::HandedOver() {
  std::lock_guard lock(mu_);
  phase_ = Phase::kHandedOver;
  phase_changed_.notify_all();
}

void Forwarder::CloseShared() {
  std::lock_guard lock(mu_);
  for (auto& worker : workers_) worker->CloseShared();
  // The workers are paused for good and will not look for them.
  tunnels_.clear();
}

absl::StatusOr<std::vector<Forwarder::Running>> Forwarder::Prepare(
    const HandoverState& state, std::vector<UniqueFd>* descriptors) {
  std::vector<Running> prepared;
  const int workers = state.message.workers_size();
  for (size_t i = 0; i < state.configs.size(); ++i) {
    const TunnelConfig& config = state.configs[i];
    const v1::TunnelHandover& from = state.message.tunnels(static_cast<int>(i));
    std::vector<UniqueFd> queues, writers;
    for (uint32_t queue : from.queues()) {
      queues.push_back(std::move((*descriptors)[queue]));
    }
    for (uint32_t writer : from.writers()) {
      writers.push_back(std::move((*descriptors)[writer]));
    }
    absl::StatusOr<TapLink> tap =
        TapLink::Adopt(std::move(queues), std::move(writers),
                       from.tunnel().ifindex(), from.udp_super_frames());
    if (!tap.ok()) {
      return Annotate(tap.status(), absl::StrCat("tunnel ", config.name));
    }
    const int home = static_cast<int>(from.home());
    Running running;
    running.tunnel =
        std::make_unique<Tunnel>(*std::move(tap), config, workers, home);
    running.tunnel->RestorePeer(config, from.tunnel().peer_up(),
                                from.last_heard_ns());
    if (from.tunnel().link_gone()) running.tunnel->MarkLinkGone();
    running.tunnel->SetSendErrno(from.send_errno());
    RestoreCounters(from.tunnel().counters(),
                    &running.tunnel->slot(home).counters);
    running.next_keepalive_ns = from.next_keepalive_ns();
    prepared.push_back(std::move(running));
  }
  return prepared;
}

void Forwarder::Adopt(const HandoverState& state,
                      std::vector<UniqueFd>* descriptors,
                      std::vector<Running> tunnels) {
  std::lock_guard lock(mu_);
  const auto take = [&](bool open, uint32_t number) {
    return open ? std::move((*descriptors)[number]) : UniqueFd();
  };
  for (size_t i = 0; i < workers_.size(); ++i) {
    const v1::WorkerHandover& from = state.message.workers(static_cast<int>(i));
    RawSockets sockets;
    sockets.v4 = take(from.has_v4(), from.v4());
    sockets.v4_df = take(from.has_v4_df(), from.v4_df());
    sockets.v6 = take(from.has_v6(), from.v6());
    absl::Status status;
    workers_[i]->Call([&] {
      for (const Running& running : tunnels) {
        TunnelSlot* slot = &running.tunnel->slot(static_cast<int>(i));
        slot->config = running.tunnel->config();
        workers_[i]->AddRunning(slot, running.next_keepalive_ns);
      }
      // Last, so that no packet comes before its tunnel.
      status = workers_[i]->Adopt(from, std::move(sockets));
    });
    // Out of memory: what the kernel refused here it will refuse to others.
    if (!status.ok()) LogError("worker ", i, ": ", status.message());
  }
  for (Running& running : tunnels) {
    const std::string name = running.tunnel->config().name;
    tunnels_[name] = std::move(running.tunnel);
    ++next_home_;
  }
}

}  // namespace eoip::tapd
