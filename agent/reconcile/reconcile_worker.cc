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
      executor_(links, datapaths, [this](const AttachmentKey& key) {
        // Only the record that was looked at: a new ADD may have replaced it.
        auto it = snapshot_.attachments.find(key);
        if (it == snapshot_.attachments.end()) return absl::OkStatus();
        return store_->DeleteAttachment(key, it->second->etag);
      }) {
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

ReconcilerReport ReconcileWorker::Report() const {
  absl::MutexLock lock(&mutex_);
  ReconcilerReport report = report_;
  for (DatapathReport& datapath : report.datapaths) {
    datapath.tunnels = 0;
    for (const auto& [name, type] : running_on_) {
      if (type == datapath.type) ++datapath.tunnels;
    }
  }
  return report;
}

std::map<std::string, TunnelReading> ReconcileWorker::Read(
    const std::vector<std::string>& tunnels) {
  std::map<DatapathType, std::vector<std::string>> names;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& tunnel : tunnels) {
      auto it = running_on_.find(tunnel);
      if (it != running_on_.end()) names[it->second].push_back(tunnel);
    }
  }
  std::map<std::string, TunnelReading> readings;
  for (Datapath* datapath : datapaths_) {
    auto it = names.find(datapath->type());
    if (it == names.end()) continue;
    auto read = datapath->Read(it->second);
    if (!read.ok()) {
      LogDebug("reading counters: ", read.status().message());
      continue;
    }
    readings.merge(*read);
  }
  return readings;
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
    const absl::Status status = Pass(work);
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
  snapshot_ = store_->Snapshot();
  Wanted wanted = MakeWanted(snapshot_);
  bool complete = false;
  const Scope scope = MakeScope(work, wanted, &complete);
  if (!scope.all && scope.tunnels.empty() && scope.networks.empty()) {
    return absl::OkStatus();
  }
  std::map<std::string, std::string> failures;
  Observed observed;
  for (int round = 0;; ++round) {
    auto look = observer_.Observe(wanted, scope, complete);
    if (!look.ok()) {
      absl::MutexLock lock(&mutex_);
      if (!report_.ready)
        report_.ready_reason = std::string(look.status().message());
      return Annotate(look.status(), "cannot read the links");
    }
    observed = *std::move(look);
    std::vector<Step> steps = MakePlan(wanted, observed, scope);
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
    snapshot_ = store_->Snapshot();
    wanted = MakeWanted(snapshot_);
  }
  Publish(wanted, observed, scope, failures);
  PublishDeleted(wanted, scope, failures);
  NoteDatapaths(observed, scope.all);
  if (scope.all) next_resync_ = absl::Now() + options_.resync_interval;
  return absl::OkStatus();
}

Wanted ReconcileWorker::MakeWanted(const Desired& desired) const {
  Wanted wanted;
  wanted.node = options_.node;
  for (const auto& [id, record] : desired.tunnels) {
    wanted.tunnels.emplace_hint(wanted.tunnels.end(), id, record->spec);
  }
  for (const auto& [id, record] : desired.networks) {
    wanted.networks.emplace_hint(wanted.networks.end(), id, record->spec);
  }
  for (const auto& [key, record] : desired.attachments) {
    wanted.attachments.emplace_hint(wanted.attachments.end(), key,
                                    record->spec);
  }
  wanted.protected_links.insert(desired.protected_links.begin(),
                                desired.protected_links.end());
  return wanted;
}

Scope ReconcileWorker::MakeScope(const Work& work, const Wanted& wanted,
                                 bool* complete) const {
  Scope scope;
  scope.all = work.all;
  if (scope.all) return scope;
  for (const std::string& resource : work.resources) {
    AddResource(resource, wanted, scope, complete);
  }
  for (const std::string& link : work.links) AddLink(link, wanted, scope);
  return scope;
}

void ReconcileWorker::AddResource(const std::string& resource,
                                  const Wanted& wanted, Scope& scope,
                                  bool* complete) const {
  if (auto tunnel = ParseTunnelName("", resource); tunnel.ok()) {
    scope.tunnels.insert(*tunnel);
    if (const NetworkSpec* network = NetworkOf(*tunnel, wanted)) {
      scope.networks.insert(network->id);
    }
  } else if (auto network = ParseNetworkName("", resource); network.ok()) {
    scope.networks.insert(*network);
    // A tunnel that left the network is found only in a complete look.
    *complete = true;
  } else if (auto key = ParseAttachmentName("", resource); key.ok()) {
    scope.networks.insert(key->network);
    // The port of an attachment that is gone is found by its mark.
    if (wanted.attachments.count(*key) == 0) *complete = true;
  }
}

void ReconcileWorker::AddLink(const std::string& link, const Wanted& wanted,
                              Scope& scope) const {
  if (wanted.tunnels.count(link) > 0) scope.tunnels.insert(link);
  if (wanted.networks.count(link) > 0) scope.networks.insert(link);
  if (const NetworkSpec* network = NetworkOf(link, wanted)) {
    scope.networks.insert(network->id);
  }
  for (const auto& [id, tunnel] : wanted.tunnels) {
    if (tunnel.link == link || tunnel.vrf == link) scope.tunnels.insert(id);
  }
  for (const auto& [key, attachment] : wanted.attachments) {
    if (attachment.host_link == link) scope.networks.insert(key.network);
  }
}

void ReconcileWorker::Publish(
    const Wanted& wanted, const Observed& observed, const Scope& scope,
    const std::map<std::string, std::string>& failures) {
  for (const auto& [id, spec] : wanted.tunnels) {
    if (!scope.HasTunnel(id)) continue;
    const std::string resource = TunnelName(id);
    board_->SetTunnel(id, EvaluateTunnel(spec, wanted, observed,
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
  for (const auto& [id, spec] : wanted.networks) {
    if (!scope.HasNetwork(id)) continue;
    const std::string resource = NetworkName(id);
    board_->SetNetwork(id, EvaluateNetwork(spec, wanted, observed, tunnels,
                                           FailureOf(failures, resource)));
    NoteFailure(resource, failures.count(resource) > 0);
  }
  for (const auto& [key, spec] : wanted.attachments) {
    if (!scope.HasNetwork(key.network)) continue;
    const std::string resource = AttachmentName(key);
    const AttachmentStatus status = EvaluateAttachment(
        spec, wanted, observed, FailureOf(failures, resource));
    board_->SetAttachment(key, status);
    // A port in a learning state has no event of its own.
    NoteFailure(resource, failures.count(resource) > 0 ||
                              status.state == AttachmentState::kPending);
  }
}

void ReconcileWorker::PublishDeleted(
    const Wanted& wanted, const Scope& scope,
    const std::map<std::string, std::string>& failures) {
  std::set<std::string> keys = board_->Keys();
  for (const std::string& id : scope.tunnels) keys.insert(TunnelName(id));
  for (const std::string& id : scope.networks) keys.insert(NetworkName(id));
  for (const std::string& key : keys) {
    const std::string& failure = FailureOf(failures, key);
    if (auto tunnel = ParseTunnelName("", key); tunnel.ok()) {
      if (!scope.HasTunnel(*tunnel) || wanted.tunnels.count(*tunnel) > 0)
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
      if (!scope.HasNetwork(*network) || wanted.networks.count(*network) > 0) {
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
      if (!scope.HasNetwork(attachment->network) ||
          wanted.attachments.count(*attachment) > 0) {
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

void ReconcileWorker::NoteDatapaths(const Observed& observed, bool complete) {
  absl::MutexLock lock(&mutex_);
  report_.datapaths.clear();
  for (const auto& [type, view] : observed.datapaths) {
    DatapathReport report;
    report.type = type;
    report.availability.available = view.available;
    report.availability.reason = view.reason;
    report_.datapaths.push_back(std::move(report));
  }
  if (complete) {
    report_.ready = true;
    report_.ready_reason.clear();
    report_.last_full_sync = absl::Now();
  }
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
