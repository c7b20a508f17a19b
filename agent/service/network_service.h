// SPDX-License-Identifier: Apache-2.0
//
// eoip.v1.NetworkService; the .proto says what its methods do. Thread-safe.
#ifndef EOIP_SERVICE_NETWORK_SERVICE_H_
#define EOIP_SERVICE_NETWORK_SERVICE_H_

#include "eoip/v1/network.grpc.pb.h"
#include "service/resource_methods.h"

namespace eoip {

// Calls wait on threads of the server's own; a watch has none.
class NetworkServiceImpl final
    : public v1::NetworkService::WithCallbackMethod_WatchNetworks<
          v1::NetworkService::Service> {
 public:
  using Methods = ResourceMethods<NetworkTraits>;
  explicit NetworkServiceImpl(Methods* methods) : methods_(*methods) {}

  grpc::Status CreateNetwork(grpc::ServerContext* context,
                             const v1::CreateNetworkRequest* request,
                             v1::Network* response) override;
  grpc::Status GetNetwork(grpc::ServerContext* context,
                          const v1::GetNetworkRequest* request,
                          v1::Network* response) override;
  grpc::Status ListNetworks(grpc::ServerContext* context,
                            const v1::ListNetworksRequest* request,
                            v1::ListNetworksResponse* response) override;
  grpc::Status UpdateNetwork(grpc::ServerContext* context,
                             const v1::UpdateNetworkRequest* request,
                             v1::Network* response) override;
  grpc::Status DeleteNetwork(grpc::ServerContext* context,
                             const v1::DeleteNetworkRequest* request,
                             google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::WatchNetworksResponse>* WatchNetworks(
      grpc::CallbackServerContext* context,
      const v1::WatchNetworksRequest* request) override;

 private:
  grpc::Status Answer(const absl::StatusOr<Methods::Written>& written,
                      const grpc::ServerContext& context,
                      v1::Network* response);

  Methods& methods_;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_NETWORK_SERVICE_H_
