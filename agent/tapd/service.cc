// SPDX-License-Identifier: Apache-2.0
#include "tapd/service.h"

#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace eoip::tapd {
namespace {

// The codes of both are numbered alike.
grpc::Status ToGrpc(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()),
                      std::string(status.message()));
}

grpc::Status Stopping() {
  return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                      "eoip-tapd is shutting down");
}

}  // namespace

Service::Service(Forwarder* forwarder)
    : forwarder_(forwarder),
      start_time_ms_(static_cast<uint64_t>(absl::ToUnixMillis(absl::Now()))) {}

grpc::Status Service::GetInfo(grpc::ServerContext*, const v1::GetInfoRequest*,
                              v1::Info* response) {
  response->set_version(EOIP_VERSION_STRING);
  response->set_start_time_ms(start_time_ms_);
  forwarder_->FillInfo(response);
  return grpc::Status::OK;
}

grpc::Status Service::PutTunnel(grpc::ServerContext*,
                                const v1::PutTunnelRequest* request,
                                v1::TapTunnel* response) {
  if (stopping_) return Stopping();
  absl::StatusOr<TunnelConfig> config = ParseTunnelConfig(request->config());
  if (!config.ok()) return ToGrpc(config.status());
  absl::StatusOr<v1::TapTunnel> tunnel = forwarder_->Put(*config);
  if (!tunnel.ok()) return ToGrpc(tunnel.status());
  *response = *std::move(tunnel);
  return grpc::Status::OK;
}

grpc::Status Service::DeleteTunnels(grpc::ServerContext*,
                                    const v1::DeleteTunnelsRequest* request,
                                    v1::DeleteTunnelsResponse*) {
  if (stopping_) return Stopping();
  return ToGrpc(
      forwarder_->Delete({request->names().begin(), request->names().end()}));
}

grpc::Status Service::ListTunnels(grpc::ServerContext*,
                                  const v1::ListTunnelsRequest* request,
                                  v1::ListTunnelsResponse* response) {
  for (v1::TapTunnel& tunnel :
       forwarder_->List({request->names().begin(), request->names().end()})) {
    *response->add_tunnels() = std::move(tunnel);
  }
  return grpc::Status::OK;
}

}  // namespace eoip::tapd
