// SPDX-License-Identifier: Apache-2.0
#include <sys/wait.h>
#include <unistd.h>

#include <optional>

#include "absl/time/clock.h"
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

// Deletes the host's end, and the pod's with it. The kernel takes both away in
// a few milliseconds; the call that asks for it then waits 10 to 20 ms more,
// for memory to free (rcu_barrier in netdev_run_todo). A child makes that call.
class LinkRemoval {
 public:
  // Nothing is done where the link is not this container's.
  absl::Status Start(const Request& request, const std::string& name);
  // Returns when neither end is there any more.
  absl::Status Finish();

 private:
  [[noreturn]] void RunChild();

  std::optional<RtnlSocket> host_;
  uint32_t ifindex_ = 0;  // 0: nothing to remove
  pid_t child_ = -1;
};

absl::Status LinkRemoval::Start(const Request& request,
                                const std::string& name) {
  EOIP_ASSIGN_OR_RETURN(host_, RtnlSocket::Open());
  const auto link = GetLink(*host_, name);
  if (absl::IsNotFound(link.status())) return absl::OkStatus();
  if (!link.ok()) return link.status();
  if (!IsHostEndOf(*link, request.ifname, request.container_id)) {
    LogWarning("link ", name, " belongs to somebody else and stays");
    return absl::OkStatus();
  }
  ifindex_ = link->ifindex;
  child_ = ::fork();
  if (child_ == 0) RunChild();
  return absl::OkStatus();
}

void LinkRemoval::RunChild() {
  // It may outlive this call: it must not hold the runtime's pipes open, nor
  // the attachment.
  ::close_range(0, ~0U, 0);
  auto host = RtnlSocket::Open();
  if (host.ok()) DeleteLink(*host, ifindex_).IgnoreError();
  ::_exit(0);
}

absl::Status LinkRemoval::Finish() {
  constexpr absl::Duration kPause = absl::Microseconds(500);
  if (ifindex_ == 0) return absl::OkStatus();
  // Each look waits while the kernel is at it.
  while (child_ > 0 && ::waitpid(child_, nullptr, WNOHANG) == 0) {
    if (absl::IsNotFound(GetLink(*host_, ifindex_).status())) {
      return absl::OkStatus();
    }
    absl::SleepFor(kPause);
  }
  // No child, or one that could not: then this says why.
  const absl::Status status = DeleteLink(*host_, ifindex_);
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

void ForgetAttachment(const Request& request, const std::string& name) {
  if (request.network.empty()) return;
  Agent agent(request);
  const absl::Status forgotten =
      agent.DeleteAttachment(agent.AttachmentName(name));
  if (!forgotten.ok()) {
    LogWarning("the agent forgets the attachment when it sees the link go: ",
               forgotten.message());
  }
}

}  // namespace

absl::Status Del(const Request& request) {
  const std::string name = HostLinkName(request.container_id, request.ifname);
  EOIP_ASSIGN_OR_RETURN(UniqueFd lock, TakeAttachment(name, kWaitForOther));
  absl::Status released;
  // It gives its lease back over the port.
  const bool over_the_port = request.ipam_type == "dhcp";
  if (over_the_port) released = ReleaseAddresses(request);
  LinkRemoval removal;
  absl::Status deleted = removal.Start(request, name);
  if (!over_the_port) released = ReleaseAddresses(request);
  ForgetAttachment(request, name);
  if (deleted.ok()) deleted = removal.Finish();
  return Join(deleted, released);
}

}  // namespace eoip::cni
