// SPDX-License-Identifier: Apache-2.0
//
// The gRPC edge: the only file here, with tunnel_config.cc, that knows protos
// as requests.
#ifndef EOIP_TAPD_SERVICE_H_
#define EOIP_TAPD_SERVICE_H_

#include <atomic>

#include "eoip/tapd/v1/tapd.grpc.pb.h"
#include "tapd/forwarder.h"

namespace eoip::tapd {

class Service final : public v1::TapdService::Service {
 public:
  // forwarder must outlive the service. Thread-safe.
  explicit Service(Forwarder* forwarder);

  grpc::Status GetInfo(grpc::ServerContext* context,
                       const v1::GetInfoRequest* request,
                       v1::Info* response) override;
  grpc::Status PutTunnel(grpc::ServerContext* context,
                         const v1::PutTunnelRequest* request,
                         v1::TapTunnel* response) override;
  grpc::Status DeleteTunnels(grpc::ServerContext* context,
                             const v1::DeleteTunnelsRequest* request,
                             v1::DeleteTunnelsResponse* response) override;
  grpc::Status ListTunnels(grpc::ServerContext* context,
                           const v1::ListTunnelsRequest* request,
                           v1::ListTunnelsResponse* response) override;

  // The predecessor's, whose tunnels these are. Before the first call.
  uint64_t start_time_ms() const { return start_time_ms_; }
  void set_start_time_ms(uint64_t ms) { start_time_ms_ = ms; }

  // From now on changes are refused with UNAVAILABLE.
  void StopChanges() { stopping_ = true; }

 private:
  Forwarder* forwarder_;
  uint64_t start_time_ms_;
  std::atomic<bool> stopping_{false};
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_SERVICE_H_
