// SPDX-License-Identifier: Apache-2.0
//
// Which tunnel a received packet belongs to: (remote, id, local), where a
// tunnel without a local address takes packets to any own address. A tunnel
// with the local address wins over one without. Pure; not thread-safe: each
// worker has its own.
#ifndef EOIP_TAPD_DEMUX_H_
#define EOIP_TAPD_DEMUX_H_

#include <cstdint>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "tapd/tunnel_config.h"

namespace eoip::tapd {

enum class DemuxMiss {
  // No tunnel has the id.
  kUnknownTunnel,
  // Tunnels have the id, none of them this remote.
  kWrongSource,
  // A tunnel has id and remote, but another local address.
  kWrongLocal,
};

template <typename T>
class DemuxTable {
 public:
  void Insert(const TunnelConfig& c, T* tunnel) {
    exact_[KeyOf(c)] = tunnel;
    ++ids_[IdKey(c.ipv6, c.tunnel_id)];
    ++remotes_[RemoteKey(c)];
    last_ = nullptr;
  }

  // c must have been inserted.
  void Erase(const TunnelConfig& c) {
    exact_.erase(KeyOf(c));
    Release(&ids_, IdKey(c.ipv6, c.tunnel_id));
    Release(&remotes_, RemoteKey(c));
    last_ = nullptr;
  }

  // The tunnel, or null.
  T* Find(bool ipv6, uint32_t id, const Address& remote, const Address& local) {
    Key key{id, ipv6, true, remote, local};
    if (last_ != nullptr && key == last_key_) return last_;
    auto it = exact_.find(key);
    if (it == exact_.end()) {
      Key any{id, ipv6, false, remote, Address{}};
      it = exact_.find(any);
      if (it == exact_.end()) return nullptr;
    }
    last_key_ = key;
    last_ = it->second;
    return last_;
  }

  // Why Find found nothing.
  DemuxMiss Explain(bool ipv6, uint32_t id, const Address& remote) const {
    if (!ids_.contains(IdKey(ipv6, id))) return DemuxMiss::kUnknownTunnel;
    if (!remotes_.contains(Key{id, ipv6, false, remote, Address{}})) {
      return DemuxMiss::kWrongSource;
    }
    return DemuxMiss::kWrongLocal;
  }

 private:
  struct Key {
    uint32_t id;
    bool ipv6;
    bool has_local;
    Address remote;
    Address local;

    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& k) {
      return H::combine(std::move(h), k.id, k.ipv6, k.has_local, k.remote,
                        k.local);
    }
  };

  static Key KeyOf(const TunnelConfig& c) {
    return Key{c.tunnel_id, c.ipv6, c.has_local, c.remote, c.local};
  }
  static Key RemoteKey(const TunnelConfig& c) {
    return Key{c.tunnel_id, c.ipv6, false, c.remote, Address{}};
  }
  static uint64_t IdKey(bool ipv6, uint32_t id) {
    return uint64_t{ipv6} << 32 | id;
  }
  template <typename Map, typename K>
  static void Release(Map* map, const K& key) {
    auto it = map->find(key);
    if (it != map->end() && --it->second == 0) map->erase(it);
  }

  absl::flat_hash_map<Key, T*> exact_;
  absl::flat_hash_map<uint64_t, int> ids_;
  absl::flat_hash_map<Key, int> remotes_;
  // Packets come in trains: the last hit saves the hashing.
  Key last_key_{};
  T* last_ = nullptr;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_DEMUX_H_
