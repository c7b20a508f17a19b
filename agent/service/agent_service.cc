// SPDX-License-Identifier: Apache-2.0
#include "service/agent_service.h"

#include "absl/strings/str_cat.h"
#include "service/call.h"
#include "service/convert.h"

namespace eoip {
namespace {

void AddProblem(const SetAside& aside, v1::AgentStatus* response) {
  v1::Problem* problem = response->add_problems();
  problem->set_subject(aside.resource);
  problem->set_message(absl::StrCat(
      "its state file was set aside: ", aside.reason, "; it is ", aside.file));
  *problem->mutable_time() = ToProto(aside.time);
}

}  // namespace

grpc::Status AgentServiceImpl::GetAgentStatus(grpc::ServerContext* context,
                                              const v1::GetAgentStatusRequest*,
                                              v1::AgentStatus* response) {
  LogCall(*context, "GetAgentStatus", "");
  response->set_version(version_);
  response->set_node(node_);
  *response->mutable_start_time() = ToProto(start_);

  const ReconcilerReport report = backend_.applier->Report();
  response->set_ready(report.ready);
  response->set_ready_reason(report.ready_reason);
  if (report.last_full_sync != absl::InfinitePast()) {
    *response->mutable_last_full_sync() = ToProto(report.last_full_sync);
  }
  for (const DatapathReport& datapath : report.datapaths) {
    v1::DatapathStatus* out = response->add_datapaths();
    out->set_datapath(ToProto(datapath.type));
    out->set_available(datapath.availability.available);
    out->set_reason(datapath.availability.reason);
    out->set_tunnels(datapath.tunnels);
  }
  for (const SetAside& aside : backend_.store->set_aside()) {
    AddProblem(aside, response);
  }

  if (backend_.leases != nullptr) {
    for (const SetAside& aside : backend_.leases->set_aside()) {
      AddProblem(aside, response);
    }
  }

  const Desired desired = backend_.store->Snapshot();
  response->set_tunnels(static_cast<uint32_t>(desired.tunnels.size()));
  response->set_networks(static_cast<uint32_t>(desired.networks.size()));
  response->set_attachments(static_cast<uint32_t>(desired.attachments.size()));
  const auto statuses = backend_.board->Tunnels();
  for (const auto& [id, record] : desired.tunnels) {
    const auto it = statuses.find(id);
    const TunnelState state =
        it == statuses.end() ? TunnelState::kPending : it->second.state;
    ++(*response->mutable_tunnel_states())[std::string(ToString(state))];
  }
  return grpc::Status::OK;
}

grpc::Status AgentServiceImpl::ListWorkers(grpc::ServerContext* context,
                                           const v1::ListWorkersRequest*,
                                           v1::ListWorkersResponse* response) {
  LogCall(*context, "ListWorkers", "");
  const auto reading = backend_.applier->ReadWorkers();
  if (!reading.ok()) return ToGrpc(reading.status());
  *response = ToProto(*reading);
  return grpc::Status::OK;
}

}  // namespace eoip
