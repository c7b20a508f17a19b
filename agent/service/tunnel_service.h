// SPDX-License-Identifier: Apache-2.0
//
// eoip.v1.TunnelService; the .proto says what its methods do. Thread-safe.
#ifndef EOIP_SERVICE_TUNNEL_SERVICE_H_
#define EOIP_SERVICE_TUNNEL_SERVICE_H_

#include <vector>

#include "eoip/v1/tunnel.grpc.pb.h"
#include "service/resource_methods.h"

namespace eoip {

// Calls wait on threads of the server's own; a watch has none.
class TunnelServiceImpl final
    : public v1::TunnelService::WithCallbackMethod_WatchTunnels<
          v1::TunnelService::Service> {
 public:
  using Methods = ResourceMethods<TunnelTraits>;
  explicit TunnelServiceImpl(Methods* methods) : methods_(*methods) {}

  grpc::Status CreateTunnel(grpc::ServerContext* context,
                            const v1::CreateTunnelRequest* request,
                            v1::Tunnel* response) override;
  grpc::Status GetTunnel(grpc::ServerContext* context,
                         const v1::GetTunnelRequest* request,
                         v1::Tunnel* response) override;
  grpc::Status ListTunnels(grpc::ServerContext* context,
                           const v1::ListTunnelsRequest* request,
                           v1::ListTunnelsResponse* response) override;
  grpc::Status UpdateTunnel(grpc::ServerContext* context,
                            const v1::UpdateTunnelRequest* request,
                            v1::Tunnel* response) override;
  grpc::Status DeleteTunnel(grpc::ServerContext* context,
                            const v1::DeleteTunnelRequest* request,
                            google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::WatchTunnelsResponse>* WatchTunnels(
      grpc::CallbackServerContext* context,
      const v1::WatchTunnelsRequest* request) override;

 private:
  // Fills in what changes all the time: counters and last_heard.
  void AddReadings(const std::vector<v1::Tunnel*>& tunnels) const;
  grpc::Status Answer(const absl::StatusOr<Methods::Written>& written,
                      const grpc::ServerContext& context, v1::Tunnel* response);

  Methods& methods_;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_TUNNEL_SERVICE_H_
