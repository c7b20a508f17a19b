// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent.h"
#include "cni_error.h"
#include "commands.h"
#include "ipam.h"
#include "net_conf.h"

namespace eoip::cni {
namespace {

// A kubelet asks every few seconds and waits; a hung agent is told as such
// within a second.
constexpr absl::Duration kTimeout = absl::Milliseconds(800);

absl::Status NotAvailable(absl::string_view why) {
  return CniError(CniCode::kNotAvailable, why);
}

// OK: at least one datapath can carry tunnels.
absl::Status DatapathStatus(const v1::AgentStatus& status) {
  std::string reasons;
  for (const v1::DatapathStatus& datapath : status.datapaths()) {
    if (datapath.available()) return absl::OkStatus();
    absl::StrAppend(&reasons, reasons.empty() ? "" : "; ",
                    v1::Datapath_Name(datapath.datapath()), ": ",
                    datapath.reason());
  }
  return NotAvailable(absl::StrCat("no datapath is available: ", reasons));
}

absl::Status AgentStatus(const Request& request, absl::Time deadline) {
  Agent agent(request);
  const auto status = agent.GetStatus(deadline - absl::Now());
  if (!status.ok()) return NotAvailable(status.status().message());
  if (!status->ready()) {
    return NotAvailable(
        absl::StrCat("the agent is not ready: ", status->ready_reason()));
  }
  const auto network = agent.GetNetwork(deadline - absl::Now());
  // The first ADD makes it.
  if (At(request.conf, {"network"}).is_object() &&
      CniDetailsOf(network.status()) == "NOT_FOUND") {
    return DatapathStatus(*status);
  }
  if (!network.ok()) return NotAvailable(network.status().message());
  const v1::NetworkStatus& state = network->status();
  if (state.state() != v1::NetworkStatus::ACTIVE &&
      state.state() != v1::NetworkStatus::DEGRADED) {
    return NotAvailable(absl::StrCat(
        "network ", request.network, " is ",
        v1::NetworkStatus::State_Name(state.state()), ": ", state.reason()));
  }
  if (state.tunnels() > 0) {
    EOIP_RETURN_IF_ERROR(DatapathStatus(*status));
  }
  if (state.tunnels() > 0 && state.tunnels_active() == 0) {
    return CniError(
        CniCode::kLimited,
        absl::StrCat("all ", state.tunnels(), " tunnels of network ",
                     request.network, " are down: ", state.reason()));
  }
  return absl::OkStatus();
}

absl::Status IpamStatus(const Request& request, absl::Time deadline) {
  if (request.ipam_type.empty()) return absl::OkStatus();
  const absl::Status status =
      RunIpam(request, "STATUS", deadline - absl::Now()).status();
  const uint32_t code = CniCodeOf(status);
  // 4: a plugin of before specification 1.1.0 does not know the command, which
  // says nothing about its ADD.
  if (status.ok() || code == static_cast<uint32_t>(CniCode::kEnvironment)) {
    return absl::OkStatus();
  }
  if (code == static_cast<uint32_t>(CniCode::kNotAvailable) ||
      code == static_cast<uint32_t>(CniCode::kLimited)) {
    return status;
  }
  return NotAvailable(status.message());
}

}  // namespace

absl::Status Status(const Request& request) {
  const absl::Time deadline = absl::Now() + kTimeout;
  EOIP_RETURN_IF_ERROR(ParseConfig(request).status());
  EOIP_RETURN_IF_ERROR(AgentStatus(request, deadline));
  return IpamStatus(request, deadline);
}

}  // namespace eoip::cni
