// SPDX-License-Identifier: Apache-2.0
//
// eoip.v1.AgentService; the .proto says what it does. Thread-safe.
#ifndef EOIP_SERVICE_AGENT_SERVICE_H_
#define EOIP_SERVICE_AGENT_SERVICE_H_

#include <string>

#include "absl/time/time.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "service/resource_methods.h"

namespace eoip {

class AgentServiceImpl final : public v1::AgentService::Service {
 public:
  AgentServiceImpl(const Backend& backend, std::string node,
                   std::string version, absl::Time start)
      : backend_(backend),
        node_(std::move(node)),
        version_(std::move(version)),
        start_(start) {}

  grpc::Status GetAgentStatus(grpc::ServerContext* context,
                              const v1::GetAgentStatusRequest* request,
                              v1::AgentStatus* response) override;
  grpc::Status ListWorkers(grpc::ServerContext* context,
                           const v1::ListWorkersRequest* request,
                           v1::ListWorkersResponse* response) override;

 private:
  const Backend backend_;
  const std::string node_;
  const std::string version_;
  const absl::Time start_;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_AGENT_SERVICE_H_
