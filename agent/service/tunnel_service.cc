// SPDX-License-Identifier: Apache-2.0
#include "service/tunnel_service.h"

#include <map>
#include <string>

#include "absl/time/clock.h"
#include "model/names.h"
#include "service/call.h"
#include "service/convert.h"

namespace eoip {

void TunnelServiceImpl::AddReadings(
    const std::vector<v1::Tunnel*>& tunnels) const {
  std::vector<std::string> ids;
  for (const v1::Tunnel* tunnel : tunnels) {
    if (auto id = ParseTunnelName("name", tunnel->name()); id.ok()) {
      ids.push_back(*std::move(id));
    }
  }
  if (ids.empty()) return;
  const std::map<std::string, TunnelReading> readings =
      methods_.backend().applier->Read(ids);
  const absl::Time now = absl::Now();
  for (size_t i = 0; i < tunnels.size(); ++i) {
    const auto it = readings.find(ids[i]);
    if (it == readings.end()) continue;
    v1::TunnelStatus* status = tunnels[i]->mutable_status();
    *status->mutable_counters() = ToProto(it->second.counters);
    if (it->second.last_heard) {
      *status->mutable_last_heard() = ToProto(now - *it->second.last_heard);
    }
  }
}

// A datapath that fails is state, so Apply's own answer is not the call's.
grpc::Status TunnelServiceImpl::Answer(
    const absl::StatusOr<Methods::Written>& written,
    const grpc::ServerContext& context, v1::Tunnel* response) {
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

grpc::Status TunnelServiceImpl::CreateTunnel(
    grpc::ServerContext* context, const v1::CreateTunnelRequest* request,
    v1::Tunnel* response) {
  LogCall(*context, "CreateTunnel", request->tunnel().name());
  return Answer(methods_.Create(request->tunnel(), request->validate_only(),
                                /*repeat_is_ok=*/false),
                *context, response);
}

grpc::Status TunnelServiceImpl::GetTunnel(grpc::ServerContext* context,
                                          const v1::GetTunnelRequest* request,
                                          v1::Tunnel* response) {
  LogCall(*context, "GetTunnel", request->name());
  auto tunnel = methods_.Get(request->name());
  if (!tunnel.ok()) return ToGrpc(tunnel.status());
  *response = *std::move(tunnel);
  AddReadings({response});
  return grpc::Status::OK;
}

grpc::Status TunnelServiceImpl::ListTunnels(
    grpc::ServerContext* context, const v1::ListTunnelsRequest* request,
    v1::ListTunnelsResponse* response) {
  LogCall(*context, "ListTunnels", "");
  auto page = methods_.List(request->page_size(), request->page_token(), "",
                            [](const std::string&) { return true; });
  if (!page.ok()) return ToGrpc(page.status());
  std::vector<v1::Tunnel*> tunnels;
  for (v1::Tunnel& tunnel : page->resources) {
    tunnels.push_back(response->add_tunnels());
    *tunnels.back() = std::move(tunnel);
  }
  AddReadings(tunnels);
  response->set_next_page_token(page->next_token);
  return grpc::Status::OK;
}

grpc::Status TunnelServiceImpl::UpdateTunnel(
    grpc::ServerContext* context, const v1::UpdateTunnelRequest* request,
    v1::Tunnel* response) {
  LogCall(*context, "UpdateTunnel", request->tunnel().name());
  return Answer(
      methods_.Update(request->tunnel(), request->update_mask(),
                      request->allow_missing(), request->validate_only()),
      *context, response);
}

grpc::Status TunnelServiceImpl::DeleteTunnel(
    grpc::ServerContext* context, const v1::DeleteTunnelRequest* request,
    google::protobuf::Empty*) {
  LogCall(*context, "DeleteTunnel", request->name());
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

grpc::ServerWriteReactor<v1::WatchTunnelsResponse>*
TunnelServiceImpl::WatchTunnels(grpc::CallbackServerContext* context,
                                const v1::WatchTunnelsRequest* request) {
  LogCall(*context, "WatchTunnels", request->name());
  const std::string wanted = request->name();
  if (!wanted.empty()) {
    const auto id = ParseTunnelName("name", wanted);
    if (!id.ok()) {
      return new FailedWatch<v1::WatchTunnelsResponse>(id.status());
    }
  }
  return methods_.hub().Watch([wanted](const std::string& name) {
    return wanted.empty() || name == wanted;
  });
}

}  // namespace eoip
