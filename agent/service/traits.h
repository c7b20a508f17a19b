// SPDX-License-Identifier: Apache-2.0
//
// What tells the three kinds of resources apart, for the methods that they
// share (resource_methods.h) and for WatchHub.
#ifndef EOIP_SERVICE_TRAITS_H_
#define EOIP_SERVICE_TRAITS_H_

#include <map>
#include <memory>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eoip/v1/attachment.pb.h"
#include "eoip/v1/network.pb.h"
#include "eoip/v1/tunnel.pb.h"
#include "reconcile/status_board.h"
#include "service/checks.h"
#include "store/store.h"

namespace eoip {

struct TunnelTraits {
  using Key = std::string;
  using Spec = TunnelSpec;
  using Proto = v1::Tunnel;
  using WatchResponse = v1::WatchTunnelsResponse;
  static constexpr absl::string_view kWord = "tunnel";

  static const std::set<std::string>& OutputFields();
  static absl::StatusOr<Key> ParseName(absl::string_view field,
                                       absl::string_view name);
  static std::string NameOf(const Key& key);
  static Key KeyOf(const Spec& spec) { return spec.id; }
  static const auto& RecordsOf(const Desired& desired) {
    return desired.tunnels;
  }
  static auto Get(const Store& store, const Key& key) {
    return store.GetTunnel(key);
  }
  static auto Put(Store& store, const Spec& spec) {
    return store.PutTunnel(spec);
  }
  static absl::Status Delete(Store& store, const Key& key) {
    return store.DeleteTunnel(key);
  }
  // The whole resource as a client sees it, without counters.
  static Proto View(const Record<Spec>& record, const StatusBoard& board);
  static absl::Status Validate(const Spec& spec) {
    return ValidateTunnel(spec);
  }
  // Whether `to` may replace `from`; completes `to` with what is not the
  // client's to say.
  static absl::Status PrepareUpdate(const StatusBoard& board, const Spec& from,
                                    Spec* to);
  static absl::Status Check(const State& state, const Spec& spec) {
    return CheckTunnel(state, spec);
  }
  static absl::Status CheckDelete(const State& state, const Key& key) {
    return CheckTunnelDelete(state, key);
  }
  static Proto* MutableResource(WatchResponse* response) {
    return response->mutable_tunnel();
  }
};

struct NetworkTraits {
  using Key = std::string;
  using Spec = NetworkSpec;
  using Proto = v1::Network;
  using WatchResponse = v1::WatchNetworksResponse;
  static constexpr absl::string_view kWord = "network";

  static const std::set<std::string>& OutputFields();
  static absl::StatusOr<Key> ParseName(absl::string_view field,
                                       absl::string_view name);
  static std::string NameOf(const Key& key);
  static Key KeyOf(const Spec& spec) { return spec.id; }
  static const auto& RecordsOf(const Desired& desired) {
    return desired.networks;
  }
  static auto Get(const Store& store, const Key& key) {
    return store.GetNetwork(key);
  }
  static auto Put(Store& store, const Spec& spec) {
    return store.PutNetwork(spec);
  }
  static absl::Status Delete(Store& store, const Key& key) {
    return store.DeleteNetwork(key);
  }
  static Proto View(const Record<Spec>& record, const StatusBoard& board);
  static absl::Status Validate(const Spec& spec) {
    return ValidateNetwork(spec);
  }
  static absl::Status PrepareUpdate(const StatusBoard& board, const Spec& from,
                                    Spec* to);
  static absl::Status Check(const State& state, const Spec& spec) {
    return CheckNetwork(state, spec);
  }
  static absl::Status CheckDelete(const State& state, const Key& key) {
    return CheckNetworkDelete(state, key);
  }
  static Proto* MutableResource(WatchResponse* response) {
    return response->mutable_network();
  }
};

struct AttachmentTraits {
  using Key = AttachmentKey;
  using Spec = AttachmentSpec;
  using Proto = v1::Attachment;
  using WatchResponse = v1::WatchAttachmentsResponse;
  static constexpr absl::string_view kWord = "attachment";

  static const std::set<std::string>& OutputFields();
  static absl::StatusOr<Key> ParseName(absl::string_view field,
                                       absl::string_view name);
  static std::string NameOf(const Key& key);
  static Key KeyOf(const Spec& spec) { return {spec.network, spec.id}; }
  static const auto& RecordsOf(const Desired& desired) {
    return desired.attachments;
  }
  static auto Get(const Store& store, const Key& key) {
    return store.GetAttachment(key);
  }
  static auto Put(Store& store, const Spec& spec) {
    return store.PutAttachment(spec);
  }
  static absl::Status Delete(Store& store, const Key& key) {
    return store.DeleteAttachment(key);
  }
  static Proto View(const Record<Spec>& record, const StatusBoard& board);
  static absl::Status Validate(const Spec& spec) {
    return ValidateAttachment(spec);
  }
  static absl::Status PrepareUpdate(const StatusBoard& board, const Spec& from,
                                    Spec* to);
  static absl::Status Check(const State& state, const Spec& spec) {
    return CheckAttachment(state, spec);
  }
  static absl::Status CheckDelete(const State&, const Key&) {
    return absl::OkStatus();
  }
  static Proto* MutableResource(WatchResponse* response) {
    return response->mutable_attachment();
  }
};

}  // namespace eoip

#endif  // EOIP_SERVICE_TRAITS_H_
