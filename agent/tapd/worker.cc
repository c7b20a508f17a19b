// SPDX-License-Identifier: Apache-2.0
#include "tapd/worker.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/log.h"
#include "base/status.h"
#include "tapd/counters_proto.h"
#include "tapd/raw_socket.h"

namespace eoip::tapd {
namespace {

// What an event is about; anything else is the address of a slot.
constexpr uint64_t kWakeEvent = 0;
constexpr uint64_t kV4Event = 1;
constexpr uint64_t kV6Event = 2;
constexpr uint64_t kPathEvent = 3;

// Batches of one socket before the TAPs have their turn.
constexpr int kReceiveRounds = 4;
constexpr int kMaxEvents = 64;

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Start(
    int index, const WorkerOptions& options) {
  std::unique_ptr<Worker> worker(new Worker(index, options));
  EOIP_RETURN_IF_ERROR(worker->Init());
  return worker;
}

absl::Status Worker::Init() {
  epoll_.reset(::epoll_create1(EPOLL_CLOEXEC));
  wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll_.valid() || !wake_.valid()) {
    return ErrnoToStatus(errno, "start a worker");
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeEvent;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event) != 0) {
    return ErrnoToStatus(errno, "start a worker");
  }
  if (paths_ != nullptr) {
    // The tunnels run without, just slower.
    const absl::Status status = OpenPaths();
    if (!status.ok()) LogWarning("no fast send path: ", status.message());
  }
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::Status Worker::OpenPaths() {
  EOIP_ASSIGN_OR_RETURN(UniqueFd packet, OpenPacketSocket());
  EOIP_ASSIGN_OR_RETURN(std::unique_ptr<PathMonitor> monitor,
                        PathMonitor::Open());
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kPathEvent;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, monitor->fd(), &event) != 0) {
    return ErrnoToStatus(errno, "watch the routes");
  }
  sockets_.packet = std::move(packet);
  path_monitor_ = std::move(monitor);
  transmitter_.UsePaths(path_monitor_.get(),
                        [this](TunnelSlot* slot) { AskPath(slot); });
  return absl::OkStatus();
}

void Worker::AskPath(TunnelSlot* slot) {
  slot->path_question = ++last_path_question_;
  path_questions_[slot->path_question] = slot;
  paths_->Ask(slot->config, [this, question = slot->path_question,
                             generation = slot->path_generation](
                                std::optional<LinkPath> path) {
    std::lock_guard lock(mu_);
    path_answers_.push_back({question, generation, path});
    const uint64_t one = 1;
    [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof(one));
  });
}

void Worker::TakePath(const PathAnswer& answer) {
  const auto it = path_questions_.find(answer.question);
  if (it == path_questions_.end()) return;
  TunnelSlot* slot = it->second;
  ForgetPath(slot);
  // What changed while the kernel was asked may have changed the answer.
  path_monitor_->Drain();
  if (answer.generation == slot->path_generation &&
      answer.generation == path_monitor_->generation()) {
    slot->path = answer.path;
  } else {
    slot->path_generation = 0;
  }
}

void Worker::ForgetPath(TunnelSlot* slot) {
  path_questions_.erase(slot->path_question);
  slot->path_question = 0;
}

Worker::~Worker() {
  if (!thread_.joinable()) return;
  Call([this] { stop_ = true; });
  thread_.join();
}

void Worker::Call(absl::FunctionRef<void()> fn) {
  PendingCall call{fn};
  std::unique_lock lock(mu_);
  calls_.push_back(&call);
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof(one));
  changed_.wait(lock, [&call] { return call.done; });
}

void Worker::Run() {
  // Signals are the main thread's.
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
  ::pthread_setname_np(::pthread_self(), "tapd-worker");
  std::array<epoll_event, kMaxEvents> events;
  while (!stop_) {
    const int n = WaitForEvents(absl::MakeSpan(events));
    bool woken = false;
    for (int i = 0; i < n; ++i) {
      if (events[i].data.u64 == kWakeEvent) {
        woken = true;
      } else {
        HandleEvent(events[i].data.u64);
      }
    }
    RunTimers();
    transmitter_.Flush();
    // Last, as calls may remove slots that events of this round name.
    if (woken) RunCalls();
  }
}

int Worker::WaitForEvents(absl::Span<epoll_event> events) {
  const int size = static_cast<int>(events.size());
  if (!poll_window_.enabled()) {
    waits_.Add(1);
    return ::epoll_wait(epoll_.get(), events.data(), size, TimeoutMs());
  }
  while (true) {
    const int n = ::epoll_wait(epoll_.get(), events.data(), size, 0);
    const int64_t now_ns = NowNs();
    if (n != 0) {
      poll_window_.Worked(now_ns);
      return n;
    }
    idle_polls_.Add(1);
    if (!poll_window_.Open(now_ns)) break;
    ::sched_yield();
    poll_window_.Yielded(now_ns, NowNs());
  }
  waits_.Add(1);
  const int64_t from_ns = NowNs();
  const int n = ::epoll_wait(epoll_.get(), events.data(), size, TimeoutMs());
  poll_window_.Slept(from_ns, NowNs());
  return n;
}

int Worker::TimeoutMs() const {
  if (deadlines_.empty()) return -1;
  const int64_t left_ns = deadlines_.begin()->first - NowNs();
  if (left_ns <= 0) return 0;
  return static_cast<int>(
      std::min<int64_t>((left_ns + 999'999) / 1'000'000, 60'000));
}

void Worker::HandleEvent(uint64_t data) {
  if (data == kV4Event) {
    ReceiveAll(sockets_.v4.get(), false);
  } else if (data == kV6Event) {
    ReceiveAll(sockets_.v6.get(), true);
  } else if (data == kPathEvent) {
    path_monitor_->Drain();
  } else {
    auto* slot = reinterpret_cast<TunnelSlot*>(data);
    if (!transmitter_.ReadTap(slot)) Unwatch(slot);
  }
}

void Worker::ReceiveAll(int fd, bool ipv6) {
  for (int i = 0; i < kReceiveRounds; ++i) {
    if (receiver_.Receive(fd, ipv6) < Receiver::kBatch) return;
  }
}

void Worker::RunTimers() {
  if (deadlines_.empty()) return;
  const int64_t now_ns = NowNs();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_ns) {
    TunnelSlot* slot = deadlines_.begin()->second;
    if (slot->clock.TakeSend(now_ns)) transmitter_.SendKeepalive(slot);
    slot->tunnel->CheckSilence(slot->clock, now_ns);
    SetDeadline(slot, slot->clock.NextDeadline(slot->tunnel->peer_up(),
                                               slot->tunnel->last_heard_ns()));
  }
}

void Worker::RunCalls() {
  uint64_t count;
  [[maybe_unused]] ssize_t n = ::read(wake_.get(), &count, sizeof(count));
  std::vector<PendingCall*> calls;
  std::vector<PathAnswer> answers;
  {
    std::lock_guard lock(mu_);
    calls.swap(calls_);
    answers.swap(path_answers_);
  }
  for (const PathAnswer& answer : answers) TakePath(answer);
  for (PendingCall* call : calls) {
    call->fn();
    // What a call has queued (the first keepalive) leaves before it returns.
    transmitter_.Flush();
    std::lock_guard lock(mu_);
    call->done = true;
    changed_.notify_all();
  }
  std::unique_lock lock(mu_);
  changed_.wait(lock, [this] { return !paused_; });
}

void Worker::Pause() {
  Call([this] {
    std::lock_guard lock(mu_);
    paused_ = true;
  });
}

void Worker::Resume() {
  std::lock_guard lock(mu_);
  paused_ = false;
  changed_.notify_all();
}

absl::Status Worker::OpenSocket(
    UniqueFd* fd, bool wanted, uint64_t event,
    absl::FunctionRef<absl::StatusOr<UniqueFd>()> open) {
  if (!wanted || fd->valid()) return absl::OkStatus();
  EOIP_ASSIGN_OR_RETURN(UniqueFd opened, open());
  return TakeSocket(fd, std::move(opened), event, 0);
}

absl::Status Worker::TakeSocket(UniqueFd* fd, UniqueFd taken, uint64_t event,
                                uint32_t overrun_seen) {
  if (event != kWakeEvent) {
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.u64 = event;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, taken.get(), &e) != 0) {
      return ErrnoToStatus(errno, "watch a raw socket");
    }
    receiver_.SocketOpened(event == kV6Event, overrun_seen);
  }
  *fd = std::move(taken);
  return absl::OkStatus();
}

absl::Status Worker::OpenSockets(const Needs& needs) {
  const Needs before{sockets_.v4.valid(), sockets_.v4_df.valid(),
                     sockets_.v6.valid()};
  absl::Status status = OpenSocket(&sockets_.v4, needs.v4, kV4Event, [this] {
    return OpenRawV4(index_, workers_);
  });
  if (status.ok()) {
    status = OpenSocket(&sockets_.v4_df, needs.v4_df, kWakeEvent, OpenRawV4Df);
  }
  if (status.ok()) {
    status = OpenSocket(&sockets_.v6, needs.v6, kV6Event,
                        [this] { return OpenRawV6(index_, workers_); });
  }
  if (!status.ok()) CloseSockets(before);
  return status;
}

void Worker::CloseSockets(const Needs& needs) {
  if (!needs.v4) sockets_.v4.reset();
  if (!needs.v4_df) sockets_.v4_df.reset();
  if (!needs.v6) sockets_.v6.reset();
}

void Worker::Watch(TunnelSlot* slot) {
  if (slot->watched || slot->tap_fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = reinterpret_cast<uint64_t>(slot);
  slot->watched =
      ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, slot->tap_fd, &event) == 0;
}

void Worker::Unwatch(TunnelSlot* slot) {
  if (!slot->watched) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, slot->tap_fd, nullptr);
  slot->watched = false;
}

void Worker::StartClock(TunnelSlot* slot) {
  if (!slot->home) return;
  const bool on =
      !slot->config.disabled && slot->config.keepalive_interval_s > 0;
  const int64_t now_ns = NowNs();
  slot->clock = on ? KeepaliveClock(slot->config.keepalive_interval_s,
                                    slot->config.keepalive_retries, now_ns)
                   : KeepaliveClock();
  if (slot->clock.TakeSend(now_ns)) transmitter_.SendKeepalive(slot);
  SetDeadline(slot, slot->clock.NextDeadline(false, 0));
}

void Worker::SetDeadline(TunnelSlot* slot, int64_t deadline_ns) {
  if (slot->deadline_ns != KeepaliveClock::kNever) {
    deadlines_.erase({slot->deadline_ns, slot});
  }
  slot->deadline_ns = deadline_ns;
  if (deadline_ns != KeepaliveClock::kNever) {
    deadlines_.insert({deadline_ns, slot});
  }
}

void Worker::Add(TunnelSlot* slot) {
  slot->outer = MakeOuterHeader(slot->config);
  receiver_.table().Insert(slot->config, slot);
  Watch(slot);
  StartClock(slot);
}

void Worker::AddRunning(TunnelSlot* slot, int64_t next_keepalive_ns) {
  slot->outer = MakeOuterHeader(slot->config);
  receiver_.table().Insert(slot->config, slot);
  Watch(slot);
  if (!slot->home || next_keepalive_ns == 0) return;
  slot->clock = KeepaliveClock(slot->config.keepalive_interval_s,
                               slot->config.keepalive_retries, NowNs());
  slot->clock.set_next_send_ns(next_keepalive_ns);
  SetDeadline(slot, slot->clock.NextDeadline(slot->tunnel->peer_up(),
                                             slot->tunnel->last_heard_ns()));
}

void Worker::Change(TunnelSlot* slot, const TunnelConfig& config) {
  receiver_.table().Erase(slot->config);
  slot->config = config;
  slot->outer = MakeOuterHeader(config);
  ForgetPath(slot);
  slot->path.reset();
  slot->path_generation = 0;
  slot->path_asked_ns = 0;
  receiver_.table().Insert(config, slot);
  StartClock(slot);
}

void Worker::Remove(TunnelSlot* slot) {
  receiver_.table().Erase(slot->config);
  ForgetPath(slot);
  Unwatch(slot);
  SetDeadline(slot, KeepaliveClock::kNever);
}

void Worker::FillInfo(v1::WorkerInfo* out) const {
  FillWorkerInfo(receiver_.counters(), transmitter_.counters(), out);
  out->set_waits(waits_.Get());
  out->set_idle_polls(idle_polls_.Get());
  AddDrops(receiver_.drops(), out->mutable_drops());
}

void Worker::FillHandover(v1::WorkerHandover* out,
                          std::vector<int>* descriptors) {
  const auto add = [descriptors](const UniqueFd& fd) {
    descriptors->push_back(fd.get());
    return static_cast<uint32_t>(descriptors->size() - 1);
  };
  if (sockets_.v4.valid()) out->set_v4(add(sockets_.v4));
  if (sockets_.v4_df.valid()) out->set_v4_df(add(sockets_.v4_df));
  if (sockets_.v6.valid()) out->set_v6(add(sockets_.v6));
  out->set_v4_overrun(receiver_.overrun_seen(false));
  out->set_v6_overrun(receiver_.overrun_seen(true));
  out->set_next_ip_id(transmitter_.batch().next_ip_id());
  // A successor of an older version looks for the drops here.
  AddDrops(receiver_.drops(), out->mutable_drops());
  FillInfo(out->mutable_info());
}

absl::Status Worker::Adopt(const v1::WorkerHandover& from, RawSockets sockets) {
  RestoreDrops(from.drops(), &receiver_.drops());
  RestoreWorkerInfo(from.info(), &receiver_.counters(),
                    &transmitter_.batch().counters());
  waits_.Add(from.info().waits());
  idle_polls_.Add(from.info().idle_polls());
  transmitter_.batch().set_next_ip_id(static_cast<uint16_t>(from.next_ip_id()));
  sockets_.v4_df = std::move(sockets.v4_df);
  if (sockets.v4.valid()) {
    EOIP_RETURN_IF_ERROR(TakeSocket(&sockets_.v4, std::move(sockets.v4),
                                    kV4Event, from.v4_overrun()));
  }
  if (sockets.v6.valid()) {
    EOIP_RETURN_IF_ERROR(TakeSocket(&sockets_.v6, std::move(sockets.v6),
                                    kV6Event, from.v6_overrun()));
  }
  return absl::OkStatus();
}

}  // namespace eoip::tapd
