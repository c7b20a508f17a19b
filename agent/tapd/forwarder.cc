// SPDX-License-Identifier: Apache-2.0
#include "tapd/forwarder.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "tapd/bulk_delete.h"
#include "tapd/counters_proto.h"

namespace eoip::tapd {
namespace {

// Links from which on it pays to delete them together.
constexpr size_t kBulkDelete = 4;

// The peer is another one, or starts anew.
bool RestartsPeer(const TunnelConfig& from, const TunnelConfig& to) {
  return !SameKey(from, to) || from.disabled != to.disabled ||
         from.WatchesPeer() != to.WatchesPeer();
}

std::string DescribeSendError(const TunnelConfig& config, int error) {
  if (error == 0) return "";
  std::string text =
      absl::StrCat("send to ", AddressToString(config.ipv6, config.remote),
                   ": ", std::strerror(error));
  if (error == EINVAL && config.has_local) {
    absl::StrAppend(&text, " (local address ",
                    AddressToString(config.ipv6, config.local),
                    " is not on this host?)");
  }
  return text;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::Start(
    const ForwarderOptions& options) {
  std::unique_ptr<Forwarder> forwarder(new Forwarder());
  if (options.fast_send) {
    absl::StatusOr<std::unique_ptr<PathFinder>> paths = PathFinder::Start();
    if (paths.ok()) {
      forwarder->paths_ = *std::move(paths);
    } else {
      // The tunnels run without, just slower.
      LogWarning("no fast send path: ", paths.status().message());
    }
  }
  const WorkerOptions worker_options{options.workers, forwarder->paths_.get(),
                                     options.busy_poll_ns};
  for (int i = 0; i < options.workers; ++i) {
    EOIP_ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker,
                          Worker::Start(i, worker_options));
    forwarder->workers_.push_back(std::move(worker));
  }
  return forwarder;
}

Forwarder::~Forwarder() {
  if (paths_ != nullptr) paths_->Stop();
  workers_.clear();
  std::lock_guard lock(mu_);
  std::vector<std::string> names;
  for (const auto& [name, tunnel] : tunnels_) names.push_back(name);
  DeleteManyLinks(names);
  tunnels_.clear();
}

absl::Status Forwarder::AwaitForwarding(std::unique_lock<std::mutex>* lock) {
  phase_changed_.wait(*lock, [this] { return phase_ != Phase::kPaused; });
  if (phase_ == Phase::kForwarding) return absl::OkStatus();
  return absl::UnavailableError(
      "a new process of eoip-tapd has taken over; try again");
}

absl::Status Forwarder::CheckKey(const TunnelConfig& config) {
  for (const auto& [name, tunnel] : tunnels_) {
    if (name != config.name && SameKey(tunnel->config(), config)) {
      return absl::AlreadyExistsError(
          absl::StrCat("config.tunnel_id: ", config.tunnel_id, ": tunnel ",
                       name, " has the same id, remote and local address"));
    }
  }
  return absl::OkStatus();
}

Worker::Needs Forwarder::NeedsWith(const TunnelConfig* config) {
  Worker::Needs needs;
  auto add = [&needs](const TunnelConfig& c) {
    needs.v4 |= !c.ipv6;
    needs.v4_df |= !c.ipv6 && c.inherit_df;
    needs.v6 |= c.ipv6;
  };
  for (const auto& [name, tunnel] : tunnels_) {
    if (config == nullptr || config->name != name) add(tunnel->config());
  }
  if (config != nullptr) add(*config);
  return needs;
}

absl::Status Forwarder::OpenSockets(const Worker::Needs& needs) {
  absl::Status status;
  for (auto& worker : workers_) {
    worker->Call([&] { status = worker->OpenSockets(needs); });
    if (!status.ok()) {
      CloseUnusedSockets();
      return status;
    }
  }
  return absl::OkStatus();
}

void Forwarder::CloseUnusedSockets() {
  const Worker::Needs needs = NeedsWith(nullptr);
  for (auto& worker : workers_) {
    worker->Call([&] { worker->CloseSockets(needs); });
  }
}

absl::StatusOr<v1::TapTunnel> Forwarder::Put(const TunnelConfig& config) {
  std::unique_lock lock(mu_);
  EOIP_RETURN_IF_ERROR(AwaitForwarding(&lock));
  EOIP_RETURN_IF_ERROR(CheckKey(config));
  auto it = tunnels_.find(config.name);
  if (it != tunnels_.end() && it->second->link_gone()) {
    Remove(it);
    it = tunnels_.end();
  }
  if (it != tunnels_.end()) {
    Worker::Needs needs = NeedsWith(&config);
    // The sockets of the old config stay until no packet of it is queued.
    const Worker::Needs old = NeedsWith(nullptr);
    EOIP_RETURN_IF_ERROR(OpenSockets(
        {needs.v4 || old.v4, needs.v4_df || old.v4_df, needs.v6 || old.v6}));
    Change(it->second.get(), config);
    CloseUnusedSockets();
  } else {
    EOIP_RETURN_IF_ERROR(OpenSockets(NeedsWith(&config)));
    const absl::Status status = Create(config);
    if (!status.ok()) {
      CloseUnusedSockets();
      return status;
    }
  }
  return Describe(tunnels_[config.name].get());
}

absl::Status Forwarder::Create(const TunnelConfig& config) {
  const int workers = static_cast<int>(workers_.size());
  TapLink::Options options{config.name, config.mac, config.mtu, workers,
                           !config.no_offload};
  EOIP_ASSIGN_OR_RETURN(TapLink tap, TapLink::Create(options));
  const int home = next_home_++ % workers;
  auto tunnel = std::make_unique<Tunnel>(std::move(tap), config, workers, home);
  tunnel->ResetPeer(config);
  for (int i = 0; i < workers; ++i) {
    TunnelSlot* slot = &tunnel->slot(i);
    slot->config = config;
    workers_[i]->Call([&] { workers_[i]->Add(slot); });
  }
  tunnels_[config.name] = std::move(tunnel);
  LogDebug("tunnel ", config.name, ": created");
  return absl::OkStatus();
}

void Forwarder::Change(Tunnel* tunnel, const TunnelConfig& config) {
  const bool restart = RestartsPeer(tunnel->config(), config);
  if (tunnel->config().no_offload != config.no_offload) {
    const absl::Status status = tunnel->tap().SetOffload(!config.no_offload);
    // Only a link that is gone does that; then the agent puts it again.
    if (!status.ok())
      LogWarning("tunnel ", config.name, ": ", status.message());
  }
  for (size_t i = 0; i < workers_.size(); ++i) {
    TunnelSlot* slot = &tunnel->slot(static_cast<int>(i));
    workers_[i]->Call([&] {
      // With the first worker that takes the new peer: what the old one said
      // before does not count.
      if (restart && i == 0) tunnel->ResetPeer(config);
      workers_[i]->Change(slot, config);
    });
  }
  tunnel->config() = config;
}

void Forwarder::Remove(Tunnels::iterator it) {
  Tunnel* tunnel = it->second.get();
  for (size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->Call(
        [&] { workers_[i]->Remove(&tunnel->slot(static_cast<int>(i))); });
  }
  tunnels_.erase(it);
}

void Forwarder::DeleteManyLinks(const std::vector<std::string>& names) {
  std::vector<uint32_t> links;
  for (const std::string& name : names) {
    auto it = tunnels_.find(name);
    if (it != tunnels_.end() && !it->second->link_gone()) {
      links.push_back(it->second->tap().ifindex());
    }
  }
  if (links.size() < kBulkDelete) return;
  const absl::Status status = DeleteLinks(links);
  // Closing the TAPs deletes what is left, just slower.
  if (!status.ok()) LogWarning(status.message());
}

absl::Status Forwarder::Delete(const std::vector<std::string>& names) {
  std::unique_lock lock(mu_);
  EOIP_RETURN_IF_ERROR(AwaitForwarding(&lock));
  DeleteManyLinks(names);
  for (const std::string& name : names) {
    auto it = tunnels_.find(name);
    if (it != tunnels_.end()) Remove(it);
  }
  CloseUnusedSockets();
  return absl::OkStatus();
}

std::vector<v1::TapTunnel> Forwarder::List(
    const std::vector<std::string>& names) {
  std::vector<v1::TapTunnel> list;
  std::lock_guard lock(mu_);
  if (names.empty()) {
    for (const auto& [name, tunnel] : tunnels_) {
      list.push_back(Describe(tunnel.get()));
    }
    return list;
  }
  for (const std::string& name : names) {
    auto it = tunnels_.find(name);
    if (it != tunnels_.end()) list.push_back(Describe(it->second.get()));
  }
  return list;
}

v1::TapTunnel Forwarder::Describe(Tunnel* tunnel) {
  v1::TapTunnel out;
  *out.mutable_config() = MakeTunnelConfigProto(tunnel->config());
  out.set_ifindex(tunnel->tap().ifindex());
  out.set_link_gone(tunnel->link_gone());
  out.set_peer_up(tunnel->peer_up());
  const int64_t heard_ns = tunnel->last_heard_ns();
  out.set_last_heard_ms(
      heard_ns == Tunnel::kNotHeard ? -1 : (NowNs() - heard_ns) / 1'000'000);
  out.set_send_error(DescribeSendError(tunnel->config(), tunnel->send_errno()));
  for (const auto& slot : tunnel->slots()) {
    AddCounters(slot->counters, out.mutable_counters());
  }
  return out;
}

void Forwarder::FillInfo(v1::Info* info) {
  std::lock_guard lock(mu_);
  info->set_tunnels(static_cast<uint32_t>(tunnels_.size()));
  info->set_workers(static_cast<uint32_t>(workers_.size()));
  for (const auto& worker : workers_) {
    v1::WorkerInfo* out = info->add_worker_info();
    worker->FillInfo(out);
    for (const auto& [cause, count] : out->drops()) {
      (*info->mutable_drops())[cause] += count;
    }
  }
}

}  // namespace eoip::tapd
