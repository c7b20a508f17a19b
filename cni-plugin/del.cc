// SPDX-License-Identifier: Apache-2.0
#include "absl/strings/str_cat.h"
#include "agent.h"
#include "base/log.h"
#include "base/status.h"
#include "cni_error.h"
#include "commands.h"
#include "in_flight.h"
#include "ipam.h"
#include "links.h"
#include "net_conf.h"
#include "pod_link.h"

namespace eoip::cni {
namespace {

constexpr absl::Duration kWaitForOther = absl::Seconds(5);

absl::Status ReleaseAddresses(const Request& request) {
  if (request.ipam_type.empty()) return absl::OkStatus();
  return RunIpam(request, "DEL").status();
}

absl::Status DeleteHostLink(const Request& request, const std::string& name) {
  EOIP_ASSIGN_OR_RETURN(RtnlSocket host, RtnlSocket::Open());
  const auto link = GetLink(host, name);
  if (absl::IsNotFound(link.status())) return absl::OkStatus();
  if (!link.ok()) return link.status();
  if (!IsHostEndOf(*link, request.ifname, request.container_id)) {
    LogWarning("link ", name, " belongs to somebody else and stays");
    return absl::OkStatus();
  }
  const absl::Status status = DeleteLink(host, link->ifindex);
  // The pod's namespace may have been ending at the same time.
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

}  // namespace

absl::Status Del(const Request& request) {
  const std::string name = HostLinkName(request.container_id, request.ifname);
  EOIP_ASSIGN_OR_RETURN(UniqueFd lock, TakeAttachment(name, kWaitForOther));
  const absl::Status released = ReleaseAddresses(request);
  const absl::Status deleted = DeleteHostLink(request, name);
  if (!request.network.empty()) {
    Agent agent(request);
    const absl::Status forgotten =
        agent.DeleteAttachment(agent.AttachmentName(name));
    if (!forgotten.ok()) {
      LogWarning("the agent forgets the attachment when it sees the link go: ",
                 forgotten.message());
    }
  }
  return Join(deleted, released);
}

}  // namespace eoip::cni
