// SPDX-License-Identifier: Apache-2.0
//
// Tells watchers of one kind of resource what changes. Thread-safe.
//
// Changes are levels, not events: for each watcher the hub keeps the newest
// state of each resource that it has not been told yet, so memory is bounded
// by the number of resources, and changes that come faster than a watcher
// reads are merged. A watcher that lets more than max_backlog changes pass
// while one message waits to be taken is ended with RESOURCE_EXHAUSTED.
// Messages are shared by all watchers.
#ifndef EOIP_SERVICE_WATCH_HUB_H_
#define EOIP_SERVICE_WATCH_HUB_H_

#include <grpcpp/support/server_callback.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "eoip/v1/tunnel.pb.h"
#include "service/call.h"

namespace eoip {

struct WatchLimits {
  size_t max_watchers = 64;  // of one kind of resource
  size_t max_backlog = 10000;
};

// Ends a call at once.
template <typename Response>
class FailedWatch : public grpc::ServerWriteReactor<Response> {
 public:
  explicit FailedWatch(const absl::Status& status) {
    this->Finish(ToGrpc(status));
  }
  void OnDone() override { delete this; }
};

template <typename Traits>
class WatchHub {
 public:
  using Resource = typename Traits::Proto;
  using Response = typename Traits::WatchResponse;
  using Shared = std::shared_ptr<const Resource>;
  using Filter = std::function<bool(const std::string& name)>;
  // The resource now, without counters; null: it does not exist.
  using Load = std::function<Shared(const std::string& name)>;
  // All of them.
  using LoadAll = std::function<std::map<std::string, Shared>()>;

  WatchHub(WatchLimits limits, Load load, LoadAll load_all)
      : limits_(limits),
        load_(std::move(load)),
        load_all_(std::move(load_all)) {}

  // A new watcher of the resources that filter takes. It owns itself.
  grpc::ServerWriteReactor<Response>* Watch(Filter filter);
  // The resource, or its status, may have changed. Quick.
  void Notify(const std::string& name);
  // Ends all watchers with UNAVAILABLE and refuses new ones.
  void Stop();
  // After the server's shutdown: waits until gRPC has let go of all watchers.
  void AwaitEmpty();

 private:
  class Watcher;

  void Remove(Watcher* watcher);

  const WatchLimits limits_;
  const Load load_;
  const LoadAll load_all_;

  // Taken before a watcher's.
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<Watcher*, std::shared_ptr<Watcher>> watchers_
      ABSL_GUARDED_BY(mutex_);
  // What watchers know or are being told; empty while there are none.
  std::map<std::string, Shared> latest_ ABSL_GUARDED_BY(mutex_);
};

template <typename Traits>
class WatchHub<Traits>::Watcher : public grpc::ServerWriteReactor<Response> {
 public:
  Watcher(WatchHub* hub, Filter filter, size_t max_backlog)
      : hub_(hub), filter_(std::move(filter)), max_backlog_(max_backlog) {}

  // Before any other call: what is there now.
  void Begin(const std::map<std::string, Shared>& present) {
    absl::MutexLock lock(&mutex_);
    for (const auto& [name, resource] : present) {
      if (!filter_(name)) continue;
      order_.push_back(name);
      pending_[name] = {resource, false};
    }
    order_.push_back("");  // SYNCED
    WriteNext();
  }

  // deleted: resource is its last state.
  void Tell(const std::string& name, const Shared& resource, bool deleted) {
    if (!filter_(name)) return;
    absl::MutexLock lock(&mutex_);
    if (ending_) return;
    if (pending_.count(name) == 0) order_.push_back(name);
    pending_[name] = {resource, deleted};
    if (!writing_) {
      WriteNext();
    } else if (++backlog_ > max_backlog_) {
      // Only the write that waits can end the call (OnWriteDone).
      ending_ = true;
      order_.clear();
      pending_.clear();
    }
  }

  void End(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    FinishOnce(status);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    backlog_ = 0;
    if (!ok) {
      FinishOnce(absl::CancelledError("the watcher went away"));
    } else if (ending_) {
      FinishOnce(absl::ResourceExhaustedError(
          "the watcher reads too slowly; watch again"));
    } else {
      WriteNext();
    }
  }

  void OnCancel() override {
    absl::MutexLock lock(&mutex_);
    ending_ = true;
    FinishOnce(absl::CancelledError("cancelled"));
  }

  void OnDone() override { hub_->Remove(this); }

 private:
  struct Change {
    Shared resource;
    bool deleted;
  };

  void FinishOnce(const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    this->Finish(ToGrpc(status));
  }

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!finished_ && !order_.empty()) {
      const std::string name = std::move(order_.front());
      order_.pop_front();
      response_.Clear();
      if (name.empty()) {
        response_.set_type(v1::WatchTunnelsResponse::SYNCED);
      } else if (!TakeChange(name)) {
        continue;
      }
      writing_ = true;
      this->StartWrite(&response_);
      return;
    }
  }

  // False: the watcher need not know.
  bool TakeChange(const std::string& name)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = pending_.find(name);
    const Change change = std::move(it->second);
    pending_.erase(it);
    if (change.deleted) {
      if (told_.erase(name) == 0) return false;
      response_.set_type(v1::WatchTunnelsResponse::DELETED);
    } else {
      response_.set_type(told_.insert(name).second
                             ? v1::WatchTunnelsResponse::ADDED
                             : v1::WatchTunnelsResponse::MODIFIED);
    }
    *Traits::MutableResource(&response_) = *change.resource;
    return true;
  }

  WatchHub* const hub_;
  const Filter filter_;
  const size_t max_backlog_;

  absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  size_t backlog_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<std::string> order_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Change> pending_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> told_ ABSL_GUARDED_BY(mutex_);
  Response response_ ABSL_GUARDED_BY(mutex_);  // gRPC's while writing_
};

template <typename Traits>
grpc::ServerWriteReactor<typename WatchHub<Traits>::Response>*
WatchHub<Traits>::Watch(Filter filter) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) {
    return new FailedWatch<Response>(
        absl::UnavailableError("the agent is stopping"));
  }
  if (watchers_.size() >= limits_.max_watchers) {
    return new FailedWatch<Response>(
        absl::ResourceExhaustedError("too many watchers"));
  }
  if (watchers_.empty()) latest_ = load_all_();
  auto watcher =
      std::make_shared<Watcher>(this, std::move(filter), limits_.max_backlog);
  watchers_[watcher.get()] = watcher;
  watcher->Begin(latest_);
  return watcher.get();
}

template <typename Traits>
void WatchHub<Traits>::Notify(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  if (watchers_.empty()) return;
  Shared now = load_(name);
  auto it = latest_.find(name);
  const Shared before = it == latest_.end() ? nullptr : it->second;
  if (now == nullptr && before == nullptr) return;
  if (now != nullptr && before != nullptr &&
      now->SerializeAsString() == before->SerializeAsString()) {
    return;
  }
  const bool deleted = now == nullptr;
  if (deleted) {
    latest_.erase(it);
    now = before;
  } else {
    latest_[name] = now;
  }
  for (const auto& [watcher, shared] : watchers_) {
    watcher->Tell(name, now, deleted);
  }
}

template <typename Traits>
void WatchHub<Traits>::Stop() {
  std::vector<std::shared_ptr<Watcher>> watchers;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (const auto& [watcher, shared] : watchers_) watchers.push_back(shared);
  }
  // Not under the lock: gRPC may call OnDone, which takes it.
  for (const auto& watcher : watchers) {
    watcher->End(absl::UnavailableError("the agent is stopping"));
  }
}

template <typename Traits>
void WatchHub<Traits>::AwaitEmpty() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(
      +[](decltype(watchers_)* map) { return map->empty(); }, &watchers_));
}

template <typename Traits>
void WatchHub<Traits>::Remove(Watcher* watcher) {
  std::shared_ptr<Watcher> last;  // ends after the lock
  absl::MutexLock lock(&mutex_);
  const auto it = watchers_.find(watcher);
  last = std::move(it->second);
  watchers_.erase(it);
  if (watchers_.empty()) latest_.clear();
}

}  // namespace eoip

#endif  // EOIP_SERVICE_WATCH_HUB_H_
