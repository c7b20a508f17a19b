// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_RECONCILE_RECONCILE_WORKER_H_
#define EOIP_RECONCILE_RECONCILE_WORKER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "datapath/datapath.h"
#include "netlink/links.h"
#include "plan/plan.h"
#include "reconcile/executor.h"
#include "reconcile/observer.h"
#include "reconcile/reconciler.h"
#include "reconcile/status_board.h"
#include "store/store.h"

namespace eoip {

// The one thread that touches the kernel. Level-triggered: every event only
// says where to look. A pass is: snapshot of the store, look, plan, apply,
// look again, until the plan is empty (three rounds at most), then the status
// board. What failed is tried again with a growing delay.
class ReconcileWorker : public Applier {
 public:
  struct Options {
    std::string node;
    // A complete pass at least this often.
    absl::Duration resync_interval = absl::Seconds(60);
    // How often the datapaths are asked whether they are available.
    absl::Duration probe_interval = absl::Seconds(1);
    // Delay of the first retry of a failed resource, doubled each time.
    absl::Duration backoff_min = absl::Milliseconds(500);
    absl::Duration backoff_max = absl::Seconds(30);
    // How long events of links are collected before a pass.
    absl::Duration settle = absl::Milliseconds(20);
  };

  // All pointers outlive it. links and datapaths are used by its thread only
  // (Datapath::Read excepted).
  ReconcileWorker(Options options, Store* store, Links* links,
                  std::vector<Datapath*> datapaths, StatusBoard* board);
  ~ReconcileWorker() override;

  void Start();
  // Ends after the running pass; leaves all links alone. Waiters of Apply get
  // UNAVAILABLE.
  void Stop();

  // Something happened to the link of this name. Thread-safe, never waits.
  void LookAtLink(const std::string& name);
  // Events were lost, or all may have changed.
  void LookAtAll();

  absl::Status Apply(const std::string& resource, absl::Time deadline) override;
  ReconcilerReport Report() const override;
  std::map<std::string, TunnelReading> Read(
      const std::vector<std::string>& tunnels) override;
  absl::StatusOr<WorkersReading> ReadWorkers() override;

 private:
  struct Waiter {
    absl::Notification done;
    absl::Status status;
  };
  // What a pass is to look at.
  struct Work {
    bool all = false;
    std::set<std::string> resources;
    std::set<std::string> links;
    std::vector<std::shared_ptr<Waiter>> waiters;
    bool empty() const { return !all && resources.empty() && links.empty(); }
  };
  struct Retry {
    absl::Duration delay;
    absl::Time at;
  };

  void Run();
  Work WaitForWork() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Time NextWake() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Woken() const ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  absl::Status Pass(const Work& work);
  absl::Status TimedPass(const Work& work) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsInline(const std::string& network) const;
  absl::Status ForgetUnused(const std::string& network)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Takes a snapshot of the store into wanted_.
  void Refresh();
  Scope MakeScope(const Work& work, bool* complete);
  void AddResource(const std::string& resource, Scope& scope, bool* complete);
  void AddAttachment(const AttachmentKey& key, Scope& scope, bool* complete);
  void AddLink(const std::string& link, Scope& scope) const;
  void Publish(const Observed& observed, const Scope& scope,
               const std::map<std::string, std::string>& failures);
  void PublishAttachments(const Observed& observed, const Scope& scope,
                          const std::map<std::string, std::string>& failures);
  void PublishDeleted(const Scope& scope,
                      const std::map<std::string, std::string>& failures);
  void NoteFailure(const std::string& resource, bool failed)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // When to look whether the peer has gone silent. The kernel tells of a lost
  // carrier up to a second late (linkwatch), too late for short keepalives.
  void NotePeer(const std::string& resource, const Observed& observed,
                const std::string& id);
  void NoteDatapaths(const Observed& observed, bool complete);
  bool ProbeChanged();

  const Options options_;
  Store* const store_;
  StatusBoard* const board_;
  const std::vector<Datapath*> datapaths_;
  Observer observer_;
  Executor executor_;

  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  Work pending_ ABSL_GUARDED_BY(mutex_);
  absl::Time links_ready_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  ReconcilerReport report_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, DatapathType> running_on_ ABSL_GUARDED_BY(mutex_);

  // Of the worker's thread only.
  std::map<std::string, Retry> retries_;
  std::map<std::string, absl::Time> peer_checks_;  // by resource
  std::map<DatapathType, Availability> probed_;
  absl::Time next_resync_ = absl::InfinitePast();
  absl::Time next_probe_ = absl::InfinitePast();
  Desired snapshot_;
  Wanted wanted_;  // the snapshot as plain specs
  // Host links of attachments that left the store since the last complete pass.
  std::map<AttachmentKey, std::string> former_links_;

  std::thread thread_;
};

}  // namespace eoip

#endif  // EOIP_RECONCILE_RECONCILE_WORKER_H_
