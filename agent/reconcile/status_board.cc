// SPDX-License-Identifier: Apache-2.0
#include "reconcile/status_board.h"

#include <tuple>
#include <utility>

#include "absl/time/clock.h"

namespace eoip {
namespace {

auto Told(const TunnelStatus& s) {
  return std::tie(s.state, s.reason, s.datapath, s.datapath_reason,
                  s.effective_mtu, s.ifindex, s.mac, s.network);
}
auto Told(const NetworkStatus& s) {
  return std::tie(s.state, s.reason, s.ifindex, s.effective_mtu, s.attachments,
                  s.tunnels, s.tunnels_active);
}
auto Told(const AttachmentStatus& s) {
  return std::tie(s.state, s.reason, s.ifindex, s.effective_mtu);
}

// Whether watchers should hear of it.
template <typename Map, typename Key, typename Status>
bool Store(Map& map, const Key& key, Status status) {
  auto it = map.find(key);
  if (it == map.end()) {
    status.last_change = absl::Now();
    map.emplace(key, std::move(status));
    return true;
  }
  status.last_change =
      status.state == it->second.state ? it->second.last_change : absl::Now();
  const bool changed = Told(status) != Told(it->second);
  it->second = std::move(status);
  return changed;
}

template <typename Map, typename Key>
typename Map::mapped_type Find(const Map& map, const Key& key) {
  auto it = map.find(key);
  return it == map.end() ? typename Map::mapped_type{} : it->second;
}

}  // namespace

void StatusBoard::SetListener(Listener listener) {
  absl::MutexLock lock(&mutex_);
  listener_ = std::move(listener);
}

void StatusBoard::Notify(const std::string& key) {
  Listener listener;
  {
    absl::MutexLock lock(&mutex_);
    listener = listener_;
  }
  if (listener) listener(key);
}

void StatusBoard::SetTunnel(const std::string& id, TunnelStatus status) {
  bool changed;
  {
    absl::MutexLock lock(&mutex_);
    changed = Store(tunnels_, id, std::move(status));
  }
  if (changed) Notify(TunnelName(id));
}

void StatusBoard::SetNetwork(const std::string& id, NetworkStatus status) {
  bool changed;
  {
    absl::MutexLock lock(&mutex_);
    changed = Store(networks_, id, std::move(status));
  }
  if (changed) Notify(NetworkName(id));
}

void StatusBoard::SetAttachment(const AttachmentKey& key,
                                AttachmentStatus status) {
  bool changed;
  {
    absl::MutexLock lock(&mutex_);
    changed = Store(attachments_, key, std::move(status));
  }
  if (changed) Notify(AttachmentName(key));
}

void StatusBoard::SetLease(const AttachmentKey& key,
                           std::optional<LeaseStatus> lease) {
  {
    absl::MutexLock lock(&mutex_);
    if (lease) {
      leases_[key] = *std::move(lease);
    } else if (leases_.erase(key) == 0) {
      return;
    }
  }
  Notify(AttachmentName(key));
}

void StatusBoard::EraseTunnel(const std::string& id) {
  {
    absl::MutexLock lock(&mutex_);
    if (tunnels_.erase(id) == 0) return;
  }
  Notify(TunnelName(id));
}

void StatusBoard::EraseNetwork(const std::string& id) {
  {
    absl::MutexLock lock(&mutex_);
    if (networks_.erase(id) == 0) return;
  }
  Notify(NetworkName(id));
}

void StatusBoard::EraseAttachment(const AttachmentKey& key) {
  {
    absl::MutexLock lock(&mutex_);
    if (attachments_.erase(key) == 0) return;
  }
  Notify(AttachmentName(key));
}

TunnelStatus StatusBoard::GetTunnel(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return Find(tunnels_, id);
}

NetworkStatus StatusBoard::GetNetwork(const std::string& id) const {
  absl::MutexLock lock(&mutex_);
  return Find(networks_, id);
}

AttachmentStatus StatusBoard::GetAttachment(const AttachmentKey& key) const {
  absl::MutexLock lock(&mutex_);
  AttachmentStatus status = Find(attachments_, key);
  const auto lease = leases_.find(key);
  if (lease != leases_.end()) status.lease = lease->second;
  return status;
}

std::map<std::string, TunnelStatus> StatusBoard::Tunnels() const {
  absl::MutexLock lock(&mutex_);
  return tunnels_;
}

std::map<std::string, NetworkStatus> StatusBoard::Networks() const {
  absl::MutexLock lock(&mutex_);
  return networks_;
}

std::map<AttachmentKey, AttachmentStatus> StatusBoard::Attachments() const {
  absl::MutexLock lock(&mutex_);
  return attachments_;
}

std::set<std::string> StatusBoard::Keys() const {
  absl::MutexLock lock(&mutex_);
  std::set<std::string> keys;
  for (const auto& [id, status] : tunnels_) keys.insert(TunnelName(id));
  for (const auto& [id, status] : networks_) keys.insert(NetworkName(id));
  for (const auto& [key, status] : attachments_) {
    keys.insert(AttachmentName(key));
  }
  return keys;
}

}  // namespace eoip
