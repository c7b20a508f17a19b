// SPDX-License-Identifier: Apache-2.0
//
// One forwarding thread: its sockets, its TAP queues, its keepalives. It sleeps
// in epoll while there is nothing to do.
#ifndef EOIP_TAPD_WORKER_H_
#define EOIP_TAPD_WORKER_H_

#include <sys/epoll.h>

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/unique_fd.h"
#include "eoip/tapd/v1/handover.pb.h"
#include "tapd/path_finder.h"
#include "tapd/path_monitor.h"
#include "tapd/poll_window.h"
#include "tapd/receiver.h"
#include "tapd/sockets.h"
#include "tapd/transmitter.h"
#include "tapd/tunnel.h"

namespace eoip::tapd {

// What all workers have in common.
struct WorkerOptions {
  int workers = 1;
  // Finds the ways past the IP stack (link_path.h); nullptr: none is used.
  PathFinder* paths = nullptr;
  // See poll_window.h; 0: never poll.
  int64_t busy_poll_ns = 0;
};

class Worker {
 public:
  // Starts the thread of worker number 0 <= index < options.workers.
  // options.paths must have stopped before the worker goes. RESOURCE_EXHAUSTED:
  // no descriptors.
  static absl::StatusOr<std::unique_ptr<Worker>> Start(
      int index, const WorkerOptions& options);
  // Stops the thread. Slots that are still there must outlive the worker.
  ~Worker();

  // Runs fn on the worker's thread, where nothing is queued or half done, and
  // returns when it has run. Any thread but the worker's own.
  void Call(absl::FunctionRef<void()> fn);

  // Stops the thread between two rounds, where nothing is queued or half done,
  // and lets it go on. What arrives meanwhile waits in the kernel. Any thread
  // but the worker's own; while it is paused, Call must not be used.
  void Pause();
  void Resume();

  // What it has done so far. Any thread.
  void FillInfo(v1::WorkerInfo* out) const;

  // From here on: inside Call only.

  // Which sockets the tunnels need. Opens what is missing; on an error nothing
  // has changed. Close closes what is not needed.
  struct Needs {
    bool v4 = false;
    bool v4_df = false;
    bool v6 = false;
  };
  absl::Status OpenSockets(const Needs& needs);
  void CloseSockets(const Needs& needs);

  // slot.config is set; sockets are open.
  void Add(TunnelSlot* slot);

  // Hot restart. The first two while it is paused, too. Fill lists sockets and
  // counters, the sockets' descriptors in *descriptors, whose numbers go on
  // from what is in it.
  void FillHandover(v1::WorkerHandover* out, std::vector<int>* descriptors);
  // While it is paused, for good.
  void CloseShared() { sockets_ = RawSockets(); }
  // Goes on with what another process had. The sockets must be open ones of
  // the same worker.
  absl::Status Adopt(const v1::WorkerHandover& from, RawSockets sockets);
  // As Add, but keepalives go on: due at that time, 0: never.
  void AddRunning(TunnelSlot* slot, int64_t next_keepalive_ns);

  void Change(TunnelSlot* slot, const TunnelConfig& config);
  void Remove(TunnelSlot* slot);

 private:
  Worker(int index, const WorkerOptions& options)
      : index_(index),
        workers_(options.workers),
        paths_(options.paths),
        transmitter_(&sockets_),
        poll_window_(options.busy_poll_ns) {}
  absl::Status Init();
  absl::Status OpenPaths();
  void AskPath(TunnelSlot* slot);
  void Run();
  // Polls, then sleeps, until there are events or a timer fires.
  int WaitForEvents(absl::Span<epoll_event> events);
  int TimeoutMs() const;
  void HandleEvent(uint64_t data);
  void ReceiveAll(int fd, bool ipv6);
  void RunTimers();
  void RunCalls();
  // What was asked of the slot's path is not to be answered any more.
  void ForgetPath(TunnelSlot* slot);
  absl::Status OpenSocket(UniqueFd* fd, bool wanted, uint64_t event,
                          absl::FunctionRef<absl::StatusOr<UniqueFd>()> open);
  absl::Status TakeSocket(UniqueFd* fd, UniqueFd taken, uint64_t event,
                          uint32_t overrun_seen);
  void Watch(TunnelSlot* slot);
  void Unwatch(TunnelSlot* slot);
  void StartClock(TunnelSlot* slot);
  void SetDeadline(TunnelSlot* slot, int64_t deadline_ns);

  struct PendingCall {
    absl::FunctionRef<void()> fn;
    bool done = false;
  };
  struct PathAnswer {
    uint64_t question;
    uint64_t generation;
    std::optional<LinkPath> path;
  };
  void TakePath(const PathAnswer& answer);

  const int index_;
  const int workers_;
  PathFinder* const paths_;
  UniqueFd epoll_;
  UniqueFd wake_;
  RawSockets sockets_;
  std::unique_ptr<PathMonitor> path_monitor_;
  // Questions without an answer yet.
  std::unordered_map<uint64_t, TunnelSlot*> path_questions_;
  uint64_t last_path_question_ = 0;
  Receiver receiver_;
  Transmitter transmitter_;
  PollWindow poll_window_;
  Counter waits_;
  Counter idle_polls_;
  std::set<std::pair<int64_t, TunnelSlot*>> deadlines_;
  bool stop_ = false;

  // Guards calls_ with what they point to, path_answers_, and paused_.
  std::mutex mu_;
  std::condition_variable changed_;
  std::vector<PendingCall*> calls_;
  std::vector<PathAnswer> path_answers_;
  bool paused_ = false;
  std::thread thread_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_WORKER_H_
