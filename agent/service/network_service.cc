// SPDX-License-Identifier: Apache-2.0
#include "service/network_service.h"

#include <string>

#include "model/names.h"
#include "service/call.h"

namespace eoip {

// A datapath that fails is state, so Apply's own answer is not the call's.
grpc::Status NetworkServiceImpl::Answer(
    const absl::StatusOr<Methods::Written>& written,
    const grpc::ServerContext& context, v1::Network* response) {
  if (!written.ok()) return ToGrpc(written.status());
  if (written->changed) {
    methods_
        .Apply(written->created ? "created" : "updated", written->key,
               ApplyDeadline(context))
        .IgnoreError();
  }
  auto now = methods_.Now(*written);
  if (!now.ok()) return ToGrpc(now.status());
  *response = *std::move(now);
  return grpc::Status::OK;
}

grpc::Status NetworkServiceImpl::CreateNetwork(
    grpc::ServerContext* context, const v1::CreateNetworkRequest* request,
    v1::Network* response) {
  LogCall(*context, "CreateNetwork", request->network().name());
  return Answer(methods_.Create(request->network(), request->validate_only(),
                                /*repeat_is_ok=*/false),
                *context, response);
}

grpc::Status NetworkServiceImpl::GetNetwork(
    grpc::ServerContext* context, const v1::GetNetworkRequest* request,
    v1::Network* response) {
  LogCall(*context, "GetNetwork", request->name());
  auto network = methods_.Get(request->name());
  if (!network.ok()) return ToGrpc(network.status());
  *response = *std::move(network);
  return grpc::Status::OK;
}

grpc::Status NetworkServiceImpl::ListNetworks(
    grpc::ServerContext* context, const v1::ListNetworksRequest* request,
    v1::ListNetworksResponse* response) {
  LogCall(*context, "ListNetworks", "");
  auto page = methods_.List(request->page_size(), request->page_token(), "",
                            [](const std::string&) { return true; });
  if (!page.ok()) return ToGrpc(page.status());
  for (v1::Network& network : page->resources) {
    *response->add_networks() = std::move(network);
  }
  response->set_next_page_token(page->next_token);
  return grpc::Status::OK;
}

grpc::Status NetworkServiceImpl::UpdateNetwork(
    grpc::ServerContext* context, const v1::UpdateNetworkRequest* request,
    v1::Network* response) {
  LogCall(*context, "UpdateNetwork", request->network().name());
  return Answer(
      methods_.Update(request->network(), request->update_mask(),
                      request->allow_missing(), request->validate_only()),
      *context, response);
}

grpc::Status NetworkServiceImpl::DeleteNetwork(
    grpc::ServerContext* context, const v1::DeleteNetworkRequest* request,
    google::protobuf::Empty*) {
  LogCall(*context, "DeleteNetwork", request->name());
  const auto deleted =
      methods_.Delete(request->name(), request->etag(),
                      request->allow_missing(), request->validate_only());
  if (!deleted.ok()) return ToGrpc(deleted.status());
  if (deleted->changed) {
    methods_.Apply("deleted", deleted->key, ApplyDeadline(*context))
        .IgnoreError();
  }
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<v1::WatchNetworksResponse>*
NetworkServiceImpl::WatchNetworks(grpc::CallbackServerContext* context,
                                  const v1::WatchNetworksRequest* request) {
  LogCall(*context, "WatchNetworks", request->name());
  const std::string wanted = request->name();
  if (!wanted.empty()) {
    const auto id = ParseNetworkName("name", wanted);
    if (!id.ok()) {
      return new FailedWatch<v1::WatchNetworksResponse>(id.status());
    }
  }
  return methods_.hub().Watch([wanted](const std::string& name) {
    return wanted.empty() || name == wanted;
  });
}

}  // namespace eoip
