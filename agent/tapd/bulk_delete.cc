// SPDX-License-Identifier: Apache-2.0
#include "tapd/bulk_delete.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>

#include "base/status.h"
#include "base/unique_fd.h"

namespace eoip::tapd {
namespace {

struct GroupRequest {
  nlmsghdr header{};
  ifinfomsg link{};
  rtattr attribute{};
  uint32_t group = 0;
};
static_assert(sizeof(GroupRequest) ==
              NLMSG_SPACE(sizeof(ifinfomsg)) + RTA_SPACE(sizeof(uint32_t)));

// Sends the request and waits for its answer: 0 or an errno.
int Ask(int fd, uint16_t type, int ifindex, uint32_t group) {
  GroupRequest request;
  request.header.nlmsg_len = sizeof(request);
  request.header.nlmsg_type = type;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  request.link.ifi_index = ifindex;
  request.attribute.rta_len = RTA_LENGTH(sizeof(uint32_t));
  request.attribute.rta_type = IFLA_GROUP;
  request.group = group;
  if (::send(fd, &request, sizeof(request), 0) < 0) return errno;
  alignas(nlmsghdr) char reply[4096];
  const ssize_t n = ::recv(fd, reply, sizeof(reply), 0);
  if (n < 0) return errno;
  const auto* header = reinterpret_cast<const nlmsghdr*>(reply);
  if (!NLMSG_OK(header, static_cast<unsigned int>(n)) ||
      header->nlmsg_type != NLMSG_ERROR) {
    return EPROTO;
  }
  return -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
}

}  // namespace

absl::Status DeleteLinks(const std::vector<uint32_t>& ifindices) {
  UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd.valid()) return ErrnoToStatus(errno, "netlink socket");
  // A group that nobody else uses: the top bit is set and the rest is random.
  uint32_t group = 0;
  if (::getrandom(&group, sizeof(group), 0) != sizeof(group)) {
    return ErrnoToStatus(errno, "random number");
  }
  group |= 0x80000000u;
  bool any = false;
  for (uint32_t ifindex : ifindices) {
    const int error =
        Ask(fd.get(), RTM_NEWLINK, static_cast<int>(ifindex), group);
    if (error != 0 && error != ENODEV) {
      return ErrnoToStatus(error, "set the group of a link");
    }
    any |= error == 0;
  }
  if (!any) return absl::OkStatus();
  const int error = Ask(fd.get(), RTM_DELLINK, 0, group);
  return ErrnoToStatus(error, "delete a group of links");
}

}  // namespace eoip::tapd
