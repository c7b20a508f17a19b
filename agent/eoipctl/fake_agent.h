// SPDX-License-Identifier: Apache-2.0
//
// eoip-agent's API over a real unix socket with memory behind it, for the
// tests of eoipctl: what the programs send and how they take each answer. It
// validates nothing; what the real agent refuses, tests/netns shows.
#ifndef EOIP_EOIPCTL_FAKE_AGENT_H_
#define EOIP_EOIPCTL_FAKE_AGENT_H_

#include <google/protobuf/util/field_mask_util.h>
#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "eoip/v1/attachment.grpc.pb.h"
#include "eoip/v1/network.grpc.pb.h"
#include "eoip/v1/tunnel.grpc.pb.h"

namespace eoip::ctl {

// The resources of one kind. Thread-safe.
template <typename R>
class FakeCollection {
 public:
  using State = decltype(R().status().state());
  using EventType = v1::WatchTunnelsResponse::Type;

  // State of what is created or updated from now on.
  void SetNextState(State state, std::string reason) {
    std::lock_guard<std::mutex> lock(mutex_);
    next_state_ = state;
    next_reason_ = std::move(reason);
  }

  // Makes or changes one behind the API's back.
  void Put(R resource) {
    std::lock_guard<std::mutex> lock(mutex_);
    PutLocked(std::move(resource));
  }

  void Remove(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    RemoveLocked(name);
  }

  // Error of every call but Watch until it is OK again.
  void SetError(grpc::Status error) {
    std::lock_guard<std::mutex> lock(mutex_);
    error_ = std::move(error);
  }

  // Ends the watches that run, and the next one at once too, with status.
  void EndWatches(grpc::Status status) {
    std::lock_guard<std::mutex> lock(mutex_);
    watch_end_ = std::move(status);
    ending_ = true;
    changed_.notify_all();
  }

  // Watchers that have been told SYNCED so far.
  void AwaitWatchers(int count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [&] { return synced_ >= count; });
  }

  std::map<std::string, R> all() {
    std::lock_guard<std::mutex> lock(mutex_);
    return resources_;
  }

  template <typename Request>
  grpc::Status Create(const Request& request, const R& wanted, R* result) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_.ok()) return error_;
    if (resources_.count(wanted.name()) > 0) {
      return {grpc::StatusCode::ALREADY_EXISTS,
              absl::StrCat(wanted.name(), ": it exists")};
    }
    return Accept(wanted, request.validate_only(), result);
  }

  grpc::Status Get(const std::string& name, R* result) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_.ok()) return error_;
    const auto it = resources_.find(name);
    if (it == resources_.end()) return NotFound(name);
    *result = it->second;
    return grpc::Status::OK;
  }

  // Pages of two, so that every list of three has two pages.
  template <typename Items>
  grpc::Status List(const std::string& prefix, const std::string& token,
                    Items* items, std::string* next) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_.ok()) return error_;
    for (auto it = resources_.upper_bound(token); it != resources_.end();
         ++it) {
      if (!absl::StartsWith(it->first, prefix)) continue;
      if (items->size() == 2) {
        *next = items->rbegin()->name();
        return grpc::Status::OK;
      }
      *items->Add() = it->second;
    }
    return grpc::Status::OK;
  }

  template <typename Request>
  grpc::Status Update(const Request& request, const R& wanted, R* result) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_.ok()) return error_;
    const auto it = resources_.find(wanted.name());
    if (it == resources_.end()) {
      if (!request.allow_missing()) return NotFound(wanted.name());
      return Accept(wanted, request.validate_only(), result);
    }
    if (!wanted.etag().empty() && wanted.etag() != it->second.etag()) {
      return {grpc::StatusCode::ABORTED,
              absl::StrCat(wanted.name(), ": etag is not the present one")};
    }
    const auto& mask = request.update_mask();
    if (mask.paths_size() == 1 && mask.paths(0) == "*") {
      return Accept(wanted, request.validate_only(), result);
    }
    if (!google::protobuf::util::FieldMaskUtil::IsValidFieldMask<R>(mask)) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "update_mask"};
    }
    R merged = it->second;
    google::protobuf::util::FieldMaskUtil::MergeOptions options;
    options.set_replace_message_fields(true);
    options.set_replace_repeated_fields(true);
    // A field that the mask names and the request lacks is cleared.
    google::protobuf::util::FieldMaskUtil::MergeMessageTo(wanted, mask, options,
                                                          &merged);
    return Accept(merged, request.validate_only(), result);
  }

  template <typename Request>
  grpc::Status Delete(const Request& request) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!error_.ok()) return error_;
    const auto it = resources_.find(request.name());
    if (it == resources_.end()) {
      return request.allow_missing() ? grpc::Status::OK
                                     : NotFound(request.name());
    }
    if (!request.etag().empty() && request.etag() != it->second.etag()) {
      return {grpc::StatusCode::ABORTED,
              absl::StrCat(request.name(), ": etag is not the present one")};
    }
    if (!request.validate_only()) RemoveLocked(request.name());
    return grpc::Status::OK;
  }

  // write(type, resource or nullptr) sends one event.
  template <typename Write>
  grpc::Status Watch(grpc::ServerContext* context, const std::string& name,
                     const std::string& parent, const Write& write) {
    const auto wanted = [&](const R& resource) {
      return (name.empty() || name == resource.name()) &&
             absl::StartsWith(resource.name(), parent);
    };
    std::unique_lock<std::mutex> lock(mutex_);
    for (const auto& [key, resource] : resources_) {
      if (wanted(resource)) write(v1::WatchTunnelsResponse::ADDED, &resource);
    }
    write(v1::WatchTunnelsResponse::SYNCED, nullptr);
    ++synced_;
    changed_.notify_all();
    size_t told = events_.size();
    while (!context->IsCancelled() && !ending_) {
      for (; told < events_.size(); ++told) {
        if (wanted(events_[told].second)) {
          write(events_[told].first, &events_[told].second);
        }
      }
      // The bound is for IsCancelled, which wakes nobody.
      changed_.wait_for(lock, std::chrono::milliseconds(5));
    }
    if (!ending_) return grpc::Status::CANCELLED;
    ending_ = false;
    return watch_end_;
  }

 private:
  static grpc::Status NotFound(const std::string& name) {
    return {grpc::StatusCode::NOT_FOUND, absl::StrCat(name, ": no such one")};
  }

  grpc::Status Accept(R resource, bool validate_only, R* result) {
    resource.mutable_status()->set_state(next_state_);
    resource.mutable_status()->set_reason(next_reason_);
    if (!validate_only) resource = PutLocked(std::move(resource));
    *result = resource;
    return grpc::Status::OK;
  }

  R PutLocked(R resource) {
    resource.set_etag(absl::StrCat("e", ++etag_));
    const bool is_new = resources_.count(resource.name()) == 0;
    resources_[resource.name()] = resource;
    events_.emplace_back(is_new ? v1::WatchTunnelsResponse::ADDED
                                : v1::WatchTunnelsResponse::MODIFIED,
                         resource);
    changed_.notify_all();
    return resource;
  }

  void RemoveLocked(const std::string& name) {
    const auto it = resources_.find(name);
    if (it == resources_.end()) return;
    events_.emplace_back(v1::WatchTunnelsResponse::DELETED, it->second);
    resources_.erase(it);
    changed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, R> resources_;
  std::vector<std::pair<EventType, R>> events_;
  State next_state_ = R::default_instance().status().ACTIVE;
  std::string next_reason_;
  grpc::Status error_;
  grpc::Status watch_end_;
  bool ending_ = false;
  int synced_ = 0;
  int etag_ = 0;
};

#define EOIP_FAKE_SERVICE(Name, field)                                         \
  class Fake##Name##Service : public v1::Name##Service::Service {              \
   public:                                                                     \
    FakeCollection<v1::Name> items;                                            \
    using Context = grpc::ServerContext;                                       \
    grpc::Status Create##Name(Context*, const v1::Create##Name##Request* r,    \
                              v1::Name* out) override {                        \
      return items.Create(*r, r->field(), out);                                \
    }                                                                          \
    grpc::Status Get##Name(Context*, const v1::Get##Name##Request* r,          \
                           v1::Name* out) override {                           \
      return items.Get(r->name(), out);                                        \
    }                                                                          \
    grpc::Status List##Name##s(Context*, const v1::List##Name##sRequest* r,    \
                               v1::List##Name##sResponse* out) override {      \
      return items.List(ParentOf(*r), r->page_token(),                         \
                        out->mutable_##field##s(),                             \
                        out->mutable_next_page_token());                       \
    }                                                                          \
    grpc::Status Update##Name(Context*, const v1::Update##Name##Request* r,    \
                              v1::Name* out) override {                        \
      last_update = *r;                                                        \
      return items.Update(*r, r->field(), out);                                \
    }                                                                          \
    grpc::Status Delete##Name(Context*, const v1::Delete##Name##Request* r,    \
                              google::protobuf::Empty*) override {             \
      return items.Delete(*r);                                                 \
    }                                                                          \
    grpc::Status Watch##Name##s(                                               \
        Context* context, const v1::Watch##Name##sRequest* r,                  \
        grpc::ServerWriter<v1::Watch##Name##sResponse>* writer) override {     \
      return items.Watch(context, r->name(), ParentOf(*r),                     \
                         [&](auto type, const v1::Name* resource) {            \
                           v1::Watch##Name##sResponse event;                   \
                           event.set_type(type);                               \
                           if (resource) *event.mutable_##field() = *resource; \
                           writer->Write(event);                               \
                         });                                                   \
    }                                                                          \
    v1::Update##Name##Request last_update; /* read between calls */            \
  };

template <typename Request>
std::string ParentOf(const Request& request) {
  if constexpr (requires { request.parent(); }) {
    return request.parent();
  } else {
    return "";
  }
}

EOIP_FAKE_SERVICE(Tunnel, tunnel)
EOIP_FAKE_SERVICE(Network, network)
EOIP_FAKE_SERVICE(Attachment, attachment)
#undef EOIP_FAKE_SERVICE

class FakeAgentService : public v1::AgentService::Service {
 public:
  grpc::Status GetAgentStatus(grpc::ServerContext*,
                              const v1::GetAgentStatusRequest*,
                              v1::AgentStatus* out) override {
    std::lock_guard<std::mutex> lock(mutex_);
    *out = status_;
    // The n-th asker finds the agent ready.
    if (ready_after_ > 0 && --ready_after_ == 0) status_.set_ready(true);
    return grpc::Status::OK;
  }
  grpc::Status ListWorkers(grpc::ServerContext*, const v1::ListWorkersRequest*,
                           v1::ListWorkersResponse* out) override {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!workers_.has_value()) {
      return {grpc::StatusCode::UNAVAILABLE, "eoip-tapd does not answer"};
    }
    *out = *workers_;
    return grpc::Status::OK;
  }
  void SetWorkers(v1::ListWorkersResponse workers) {
    std::lock_guard<std::mutex> lock(mutex_);
    workers_ = std::move(workers);
  }
  void Set(v1::AgentStatus status, int ready_after = 0) {
    std::lock_guard<std::mutex> lock(mutex_);
    status_ = std::move(status);
    ready_after_ = ready_after;
  }

 private:
  std::mutex mutex_;
  v1::AgentStatus status_;
  std::optional<v1::ListWorkersResponse> workers_;
  int ready_after_ = 0;
};

// Serves at path from Start to Stop (or destruction). The memory stays.
class FakeAgent {
 public:
  explicit FakeAgent(std::string path) : path_(std::move(path)) {}
  ~FakeAgent() { Stop(); }

  void Start() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("unix:", path_),
                             grpc::InsecureServerCredentials());
    builder.RegisterService(&tunnels);
    builder.RegisterService(&networks);
    builder.RegisterService(&attachments);
    builder.RegisterService(&agent);
    server_ = builder.BuildAndStart();
  }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_->Wait();
    server_ = nullptr;
  }

  FakeTunnelService tunnels;
  FakeNetworkService networks;
  FakeAttachmentService attachments;
  FakeAgentService agent;

 private:
  const std::string path_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_FAKE_AGENT_H_
