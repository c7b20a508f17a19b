// SPDX-License-Identifier: Apache-2.0
//
// For tests: a store that forgets everything with the process. Thread-safe.
#ifndef EOIP_RECONCILE_MEMORY_STORE_H_
#define EOIP_RECONCILE_MEMORY_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "store/store.h"

namespace eoip {

class MemoryStore : public Store {
 public:
  absl::StatusOr<std::string> PutTunnel(const TunnelSpec& spec) override {
    absl::MutexLock lock(&mutex_);
    return Put(desired_.tunnels, spec.id, spec);
  }
  absl::StatusOr<std::string> PutNetwork(const NetworkSpec& spec) override {
    absl::MutexLock lock(&mutex_);
    return Put(desired_.networks, spec.id, spec);
  }
  absl::StatusOr<std::string> PutAttachment(
      const AttachmentSpec& spec) override {
    absl::MutexLock lock(&mutex_);
    return Put(desired_.attachments, AttachmentKey{spec.network, spec.id},
               spec);
  }
  absl::Status DeleteTunnel(const std::string& id) override {
    absl::MutexLock lock(&mutex_);
    desired_.tunnels.erase(id);
    return absl::OkStatus();
  }
  absl::Status DeleteNetwork(const std::string& id) override {
    absl::MutexLock lock(&mutex_);
    desired_.networks.erase(id);
    return absl::OkStatus();
  }
  absl::Status DeleteAttachment(const AttachmentKey& key,
                                const std::string& etag) override {
    absl::MutexLock lock(&mutex_);
    auto it = desired_.attachments.find(key);
    if (it != desired_.attachments.end() &&
        (etag.empty() || it->second->etag == etag)) {
      desired_.attachments.erase(it);
    }
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<std::string>> DeleteUnusedNetwork(
      const std::string& id) override {
    absl::MutexLock lock(&mutex_);
    std::vector<std::string> deleted;
    const auto network = desired_.networks.find(id);
    if (network == desired_.networks.end()) return deleted;
    for (const auto& [key, record] : desired_.attachments) {
      if (key.network == id) return deleted;
    }
    for (const PortSpec& port : network->second->spec.ports) {
      if (desired_.tunnels.erase(port.tunnel) > 0) {
        deleted.push_back(port.tunnel);
      }
    }
    desired_.networks.erase(network);
    return deleted;
  }
  Desired Snapshot() const override {
    absl::MutexLock lock(&mutex_);
    return desired_;
  }
  std::shared_ptr<const TunnelRecord> GetTunnel(
      const std::string& id) const override {
    absl::MutexLock lock(&mutex_);
    return Find(desired_.tunnels, id);
  }
  std::shared_ptr<const NetworkRecord> GetNetwork(
      const std::string& id) const override {
    absl::MutexLock lock(&mutex_);
    return Find(desired_.networks, id);
  }
  std::shared_ptr<const AttachmentRecord> GetAttachment(
      const AttachmentKey& key) const override {
    absl::MutexLock lock(&mutex_);
    return Find(desired_.attachments, key);
  }
  std::vector<SetAside> set_aside() const override { return {}; }
  void Protect(const std::string& link) {
    absl::MutexLock lock(&mutex_);
    desired_.protected_links.push_back(link);
  }

 private:
  template <typename Map, typename Key, typename Spec>
  std::string Put(Map& map, const Key& key, const Spec& spec) {
    std::string etag = absl::StrCat(++etags_);
    map[key] = std::make_shared<Record<Spec>>(Record<Spec>{spec, etag});
    return etag;
  }
  template <typename Map, typename Key>
  typename Map::mapped_type Find(const Map& map, const Key& key) const {
    auto it = map.find(key);
    return it == map.end() ? nullptr : it->second;
  }

  mutable absl::Mutex mutex_;
  Desired desired_;
  int etags_ = 0;
};

}  // namespace eoip

#endif  // EOIP_RECONCILE_MEMORY_STORE_H_
