// SPDX-License-Identifier: Apache-2.0
#include "reconcile/reconcile_worker.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "plan/status.h"

namespace eoip {
namespace {

constexpr int kMaxRounds = 3;

bool IsBlocked(const Step& step) {
  return std::holds_alternative<Blocked>(step.action);
}

// The resources a step works for.
std::vector<std::string> ResourcesOf(const Step& step) {
  std::vector<std::string> resources;
  if (const auto* tunnels = std::get_if<DeleteTunnels>(&step.action)) {
    for (const std::string& name : tunnels->names) {
      resources.push_back(TunnelName(name));
    }
  } else if (const auto* links = std::get_if<DeleteLinks>(&step.action)) {
    for (const std::string& name : links->names) {
      resources.push_back(NetworkName(name));
    }
  } else {
    resources.push_back(step.resource);
  }
  return resources;
}

// Brings `to` from the records of `before` to those of `now`. Specs are large,
// and most stay as they are.
template <typename Key, typename Spec>
void CopyChanged(
    const std::map<Key, std::shared_ptr<const Record<Spec>>>& before,
    const std::map<Key, std::shared_ptr<const Record<Spec>>>& now,
    std::map<Key, Spec>& to) {
  auto old = before.begin();
  for (const auto& [key, record] : now) {
    while (old != before.end() && old->first < key) to.erase((old++)->first);
    const bool known = old != before.end() && old->first == key;
    if (!known || old->second != record) to[key] = record->spec;
    if (known) ++old;
  }
  while (old != before.end()) to.erase((old++)->first);
}

const std::string& FailureOf(const std::map<std::string, std::string>& failures,
                             const std::string& resource) {
  static const std::string none;
  auto it = failures.find(resource);
  return it == failures.end() ? none : it->second;
}

}  // namespace

ReconcileWorker::ReconcileWorker(Options options, Store* store, Links* links,
                                 std::vector<Datapath*> datapaths,
                                 StatusBoard* board)
    : options_(std::move(options)),
      store_(store),
      board_(board),
      datapaths_(datapaths),
      observer_(links, datapaths),
      executor_(
          links, datapaths,
          [this](const AttachmentKey& key) {
            // Only the record that was looked at: a new ADD may have replaced
            // it.
            auto it = snapshot_.attachments.find(key);
            if (it == snapshot_.attachments.end()) return absl::OkStatus();
            EOIP_RETURN_IF_ERROR(
                store_->DeleteAttachment(key, it->second->etag));
            if (IsInline(key.network)) {
              // Perhaps nobody uses it any more.
              absl::MutexLock lock(&mutex_);
              pending_.resources.insert(NetworkName(key.network));
            }
            return absl::OkStatus();
          },
          [this](const std::string& network) {
            return ForgetUnused(network);
          }) {
  wanted_.node = options_.node;
  report_.ready_reason = "the first complete look at the kernel is not done";
}

ReconcileWorker::~ReconcileWorker() { Stop(); }

void ReconcileWorker::Start() {
  thread_ = std::thread([this] { Run(); });
}

void ReconcileWorker::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  absl::MutexLock lock(&mutex_);
  for (auto& waiter : pending_.waiters) {
    waiter->status = absl::UnavailableError("the agent is shutting down");
    waiter->done.Notify();
  }
  pending_.waiters.clear();
}

void ReconcileWorker::LookAtLink(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  if (pending_.links.empty()) links_ready_at_ = absl::Now() + options_.settle;
  pending_.links.insert(name);
}

void ReconcileWorker::LookAtAll() {
  absl::MutexLock lock(&mutex_);
  pending_.all = true;
}

bool ReconcileWorker::IsInline(const std::string& network) const {
  const auto it = wanted_.networks.find(network);
  return it != wanted_.networks.end() && it->second.source == kInlineSource;
}

absl::Status ReconcileWorker::ForgetUnused(const std::string& network) {
  EOIP_ASSIGN_OR_RETURN(const std::vector<std::string> tunnels,
                        store_->DeleteUnusedNetwork(network));
  // Their links are the next pass's to delete.
  absl::MutexLock lock(&mutex_);
  for (const std::string& tunnel : tunnels) {
    pending_.resources.insert(TunnelName(tunnel));
  }
  return absl::OkStatus();
}

absl::Status ReconcileWorker::Apply(const std::string& resource,
                                    absl::Time deadline) {
  auto waiter = std::make_shared<Waiter>();
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) {
      return absl::UnavailableError("the agent is shutting down");
    }
    pending_.resources.insert(resource);
    pending_.waiters.push_back(waiter);
  }
  if (!waiter->done.WaitForNotificationWithDeadline(deadline)) {
    return absl::DeadlineExceededError(
        absl::StrCat(resource, ": not applied in time, it is still tried"));
  }
  return waiter->status;
}

void ReconcileWorker::Run() {
  while (true) {
    Work work = WaitForWork();
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) {
        // Stop answers those that wait.
        std::move(work.waiters.begin(), work.waiters.end(),
                  std::back_inserter(pending_.waiters));
        return;
      }
    }
    if (absl::Now() >= next_probe_) {
      next_probe_ = absl::Now() + options_.probe_interval;
      if (ProbeChanged()) work.all = true;
    }
    if (work.empty()) continue;
    const absl::Status status = TimedPass(work);
    if (!status.ok()) {
      LogWarning("reconcile: ", status.message());
      if (work.all) next_resync_ = absl::Now() + options_.backoff_min;
      for (const std::string& resource : work.resources) {
        NoteFailure(resource, true);
      }
      if (!work.links.empty()) LookAtAll();
    }
    for (auto& waiter : work.waiters) {
      waiter->status = status;
      waiter->done.Notify();
    }
  }
}

bool ReconcileWorker::Woken() const {
  return stopping_ || pending_.all || !pending_.resources.empty();
}

absl::Time ReconcileWorker::NextWake() const {
  absl::Time wake = std::min(next_resync_, next_probe_);
  if (!pending_.links.empty()) wake = std::min(wake, links_ready_at_);
  for (const auto& [resource, retry] : retries_)
    wake = std::min(wake, retry.at);
  for (const auto& [resource, at] : peer_checks_) wake = std::min(wake, at);
  return wake;
}

ReconcileWorker::Work ReconcileWorker::WaitForWork() {
  absl::MutexLock lock(&mutex_);
  while (!Woken()) {
    // An event of a link shortens the wait, so wait for that too.
    const bool had_links = !pending_.links.empty();
    const absl::Time wake = NextWake();
    if (absl::Now() >= wake) break;
    auto changed = [this, had_links] {
      mutex_.AssertReaderHeld();
      return Woken() || pending_.links.empty() == had_links;
    };
    mutex_.AwaitWithDeadline(absl::Condition(&changed), wake);
  }
  Work work = std::exchange(pending_, Work{});
  links_ready_at_ = absl::InfiniteFuture();
  const absl::Time now = absl::Now();
  if (now >= next_resync_) work.all = true;
  for (const auto& [resource, retry] : retries_) {
    if (now >= retry.at) work.resources.insert(resource);
  }
  for (const auto& [resource, at] : peer_checks_) {
    if (now >= at) work.resources.insert(resource);
  }
  return work;
}

absl::Status ReconcileWorker::Pass(const Work& work) {
  Refresh();
  bool complete = false;
  const Scope scope = MakeScope(work, &complete);
  if (!scope.all && scope.tunnels.empty() && scope.networks.empty() &&
      scope.attachments.empty()) {
    return absl::OkStatus();
  }
  std::map<std::string, std::string> failures;
  Observed observed;
  for (int round = 0;; ++round) {
    auto look = observer_.Observe(wanted_, scope, complete);
    if (!look.ok()) {
      absl::MutexLock lock(&mutex_);
      if (!report_.ready)
        report_.ready_reason = std::string(look.status().message());
      return Annotate(look.status(), "cannot read the links");
    }
    observed = *std::move(look);
    std::vector<Step> steps = MakePlan(wanted_, observed, scope);
    // What failed is left to the retry, not repeated at once.
    steps.erase(
        std::remove_if(steps.begin(), steps.end(),
                       [&](const Step& step) {
                         for (const std::string& r : ResourcesOf(step)) {
                           if (failures.count(r) > 0) return true;
                         }
                         return false;
                       }),
        steps.end());
    const bool idle = std::all_of(steps.begin(), steps.end(), IsBlocked);
    if (round == kMaxRounds && !idle) {
      for (const Step& step : steps) {
        for (const std::string& r : ResourcesOf(step)) {
          failures.emplace(r,
                           absl::StrCat("does not settle: ", ToString(step)));
        }
      }
      break;
    }
    failures.merge(executor_.Run(steps, observed));
    if (idle) break;
    Refresh();
  }
  Publish(observed, scope, failures);
  PublishAttachments(observed, scope, failures);
  PublishDeleted(scope, failures);
  NoteDatapaths(observed, scope.all);
  if (scope.all) next_resync_ = absl::Now() + options_.resync_interval;
  return absl::OkStatus();
}

void ReconcileWorker::Refresh() {
  Desired now = store_->Snapshot();
  for (const auto& [key, record] : snapshot_.attachments) {
    if (now.attachments.count(key) == 0) {
      former_links_[key] = record->spec.host_link;
    }
  }
  CopyChanged(snapshot_.tunnels, now.tunnels, wanted_.tunnels);
  CopyChanged(snapshot_.networks, now.networks, wanted_.networks);
  CopyChanged(snapshot_.attachments, now.attachments, wanted_.attachments);
  wanted_.protected_links.clear();
  wanted_.protected_links.insert(now.protected_links.begin(),
                                 now.protected_links.end());
  snapshot_ = std::move(now);
}

Scope ReconcileWorker::MakeScope(const Work& work, bool* complete) {
  Scope scope;
  scope.all = work.all;
  if (scope.all) {
    former_links_.clear();
    return scope;
  }
  for (const std::string& resource : work.resources) {
    AddResource(resource, scope, complete);
  }
  for (const std::string& link : work.links) AddLink(link, scope);
  if (work.links.empty()) return scope;
  for (const auto& [key, attachment] : wanted_.attachments) {
    if (work.links.count(attachment.host_link) > 0) {
      scope.attachments.insert(key);
    }
  }
  return scope;
}

void ReconcileWorker::AddResource(const std::string& resource, Scope& scope,
                                  bool* complete) {
  if (auto tunnel = ParseTunnelName("", resource); tunnel.ok()) {
    scope.tunnels.insert(*tunnel);
    if (const NetworkSpec* network = NetworkOf(*tunnel, wanted_)) {
      scope.networks.insert(network->id);
    }
  } else if (auto network = ParseNetworkName("", resource); network.ok()) {
    scope.networks.insert(*network);
    // A tunnel that left the network is found only in a complete look.
    *complete = true;
  } else if (auto key = ParseAttachmentName("", resource); key.ok()) {
    AddAttachment(*key, scope, complete);
  }
}

void ReconcileWorker::AddAttachment(const AttachmentKey& key, Scope& scope,
                                    bool* complete) {
  scope.attachments.insert(key);
  const auto former = former_links_.find(key);
  if (wanted_.attachments.count(key) > 0) {
    // Where the bridge is not up it comes first.
    const NetworkState state = board_->GetNetwork(key.network).state;
    if (state != NetworkState::kActive && state != NetworkState::kDegraded) {
      scope.networks.insert(key.network);
    }
  } else if (former == former_links_.end() ||
             !observer_.IsGone(former->second)) {
    // The port of an attachment that is gone is found by its mark.
    scope.networks.insert(key.network);
    *complete = true;
  } else if (IsInline(key.network)) {
    scope.networks.insert(key.network);
  }
  if (former != former_links_.end()) former_links_.erase(former);
}

void ReconcileWorker::AddLink(const std::string& link, Scope& scope) const {
  if (wanted_.tunnels.count(link) > 0) scope.tunnels.insert(link);
  if (wanted_.networks.count(link) > 0) scope.networks.insert(link);
  if (const NetworkSpec* network = NetworkOf(link, wanted_)) {
    scope.networks.insert(network->id);
  }
  for (const auto& [id, tunnel] : wanted_.tunnels) {
    if (tunnel.link == link || tunnel.vrf == link) scope.tunnels.insert(id);
  }
}

void ReconcileWorker::Publish(
    const Observed& observed, const Scope& scope,
    const std::map<std::string, std::string>& failures) {
  for (const auto& [id, spec] : wanted_.tunnels) {
    if (!scope.HasTunnel(id)) continue;
    const std::string resource = TunnelName(id);
    board_->SetTunnel(id, EvaluateTunnel(spec, wanted_, observed,
                                         FailureOf(failures, resource)));
    NoteFailure(resource, failures.count(resource) > 0);
    NotePeer(resource, observed, id);
    absl::MutexLock lock(&mutex_);
    auto it = observed.tunnels.find(id);
    if (it != observed.tunnels.end()) {
      running_on_[id] = it->second.datapath;
    } else {
      running_on_.erase(id);
    }
  }
  const std::map<std::string, TunnelStatus> tunnels = board_->Tunnels();
  for (const auto& [id, spec] : wanted_.networks) {
    if (!scope.HasNetwork(id)) continue;
    const std::string resource = NetworkName(id);
    board_->SetNetwork(id, EvaluateNetwork(spec, wanted_, observed, tunnels,
                                           FailureOf(failures, resource)));
    NoteFailure(resource, failures.count(resource) > 0);
  }
}

void ReconcileWorker::PublishAttachments(
    const Observed& observed, const Scope& scope,
    const std::map<std::string, std::string>& failures) {
  for (const auto& [key, spec] : wanted_.attachments) {
    if (!scope.HasAttachment(key)) continue;
    const std::string resource = AttachmentName(key);
    const AttachmentStatus status = EvaluateAttachment(
        spec, wanted_, observed, FailureOf(failures, resource));
    board_->SetAttachment(key, status);
    // A port in a learning state has no event of its own.
    NoteFailure(resource, failures.count(resource) > 0 ||
                              status.state == AttachmentState::kPending);
  }
  std::map<std::string, uint32_t> counts;
  for (const AttachmentKey& key : scope.attachments) {
    if (!scope.HasNetwork(key.network)) counts[key.network] = 0;
  }
  for (auto& [network, count] : counts) {
    for (auto it = wanted_.attachments.lower_bound({network, ""});
         it != wanted_.attachments.end() && it->first.network == network;
         ++it) {
      ++count;
    }
    NetworkStatus status = board_->GetNetwork(network);
    status.attachments = count;
    if (wanted_.networks.count(network) > 0) {
      board_->SetNetwork(network, std::move(status));
    }
    // Its bridge may have had a step, too.
    const std::string resource = NetworkName(network);
    if (failures.count(resource) > 0) NoteFailure(resource, true);
  }
}

void ReconcileWorker::PublishDeleted(
    const Scope& scope, const std::map<std::string, std::string>& failures) {
  std::set<std::string> keys;
  if (scope.all || !scope.networks.empty()) keys = board_->Keys();
  for (const std::string& id : scope.tunnels) keys.insert(TunnelName(id));
  for (const std::string& id : scope.networks) keys.insert(NetworkName(id));
  for (const AttachmentKey& key : scope.attachments) {
    keys.insert(AttachmentName(key));
  }
  for (const std::string& key : keys) {
    const std::string& failure = FailureOf(failures, key);
    if (auto tunnel = ParseTunnelName("", key); tunnel.ok()) {
      if (!scope.HasTunnel(*tunnel) || wanted_.tunnels.count(*tunnel) > 0)
        continue;
      NoteFailure(key, !failure.empty());
      if (!failure.empty()) {
        board_->SetTunnel(*tunnel,
                          {.state = TunnelState::kDeleting, .reason = failure});
        continue;
      }
      peer_checks_.erase(key);
      board_->EraseTunnel(*tunnel);
      absl::MutexLock lock(&mutex_);
      running_on_.erase(*tunnel);
    } else if (auto network = ParseNetworkName("", key); network.ok()) {
      if (!scope.HasNetwork(*network) || wanted_.networks.count(*network) > 0) {
        continue;
      }
      NoteFailure(key, !failure.empty());
      if (!failure.empty()) {
        board_->SetNetwork(
            *network, {.state = NetworkState::kDeleting, .reason = failure});
        continue;
      }
      board_->EraseNetwork(*network);
    } else if (auto attachment = ParseAttachmentName("", key);
               attachment.ok()) {
      if (!scope.HasAttachment(*attachment) ||
          wanted_.attachments.count(*attachment) > 0) {
        continue;
      }
      NoteFailure(key, false);
      board_->EraseAttachment(*attachment);
    }
  }
}

void ReconcileWorker::NoteFailure(const std::string& resource, bool failed) {
  if (!failed) {
    retries_.erase(resource);
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    ++report_.passes.failures;
  }
  auto [it, fresh] =
      retries_.try_emplace(resource, Retry{options_.backoff_min, {}});
  if (!fresh)
    it->second.delay = std::min(it->second.delay * 2, options_.backoff_max);
  it->second.at = absl::Now() + it->second.delay;
}

void ReconcileWorker::NotePeer(const std::string& resource,
                               const Observed& observed,
                               const std::string& id) {
  auto it = observed.tunnels.find(id);
  if (it == observed.tunnels.end() || !it->second.peer_up ||
      it->second.config.keepalive_interval_s == 0 ||
      it->second.config.keepalive_retries == 0) {
    peer_checks_.erase(resource);
    return;
  }
  const ObservedTunnel& tunnel = it->second;
  // The datapath's own rule, and a little, so that it has acted by then.
  const absl::Duration patience = absl::Milliseconds(1100) *
                                  tunnel.config.keepalive_interval_s *
                                  tunnel.config.keepalive_retries;
  constexpr absl::Duration kMargin = absl::Milliseconds(20);
  const absl::Time now = absl::Now();
  if (tunnel.last_heard.has_value()) {
    peer_checks_[resource] =
        now + std::max(patience - *tunnel.last_heard, absl::ZeroDuration()) +
        kMargin;
    return;
  }
  // Never heard: silent since it was made or came up, which is not known here.
  auto [check, fresh] =
      peer_checks_.try_emplace(resource, now + patience + kMargin);
  if (!fresh && check->second <= now) check->second = now + absl::Seconds(1);
}

bool ReconcileWorker::ProbeChanged() {
  bool changed = false;
  for (Datapath* datapath : datapaths_) {
    Availability now = datapath->Probe();
    Availability& before = probed_[datapath->type()];
    if (now.available != before.available || now.reason != before.reason) {
      LogInfo("datapath ", ToString(datapath->type()),
              now.available ? " is available: " : " is not available: ",
              now.reason);
      changed = true;
    }
    before = std::move(now);
  }
  return changed;
}

}  // namespace eoip
