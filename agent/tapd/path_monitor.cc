// SPDX-License-Identifier: Apache-2.0
#include "tapd/path_monitor.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "base/status.h"

namespace eoip::tapd {
namespace {

absl::StatusOr<UniqueFd> OpenMonitor(int protocol,
                                     const std::vector<int>& groups) {
  UniqueFd fd(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol));
  if (!fd.valid()) return ErrnoToStatus(errno, "netlink socket");
  // A socket without an address of its own passes for the kernel, which gets no
  // messages of the kernel's.
  sockaddr_nl any{};
  any.nl_family = AF_NETLINK;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&any), sizeof(any)) != 0) {
    return ErrnoToStatus(errno, "bind a netlink socket");
  }
  for (int group : groups) {
    if (::setsockopt(fd.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
                     sizeof(group)) != 0) {
      return ErrnoToStatus(errno, "listen to netlink messages");
    }
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PathMonitor>> PathMonitor::Open() {
  std::unique_ptr<PathMonitor> monitor(new PathMonitor());
  EOIP_ASSIGN_OR_RETURN(
      monitor->route_,
      OpenMonitor(NETLINK_ROUTE,
                  {RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR,
                   RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                   RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE}));
  // A kernel without IPsec has no policies.
  const UniqueFd xfrm(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_XFRM));
  if (xfrm.valid()) {
    EOIP_ASSIGN_OR_RETURN(monitor->xfrm_,
                          OpenMonitor(NETLINK_XFRM, {XFRMNLGRP_POLICY}));
  }
  monitor->both_.reset(::epoll_create1(EPOLL_CLOEXEC));
  for (const UniqueFd* fd : {&monitor->route_, &monitor->xfrm_}) {
    if (!fd->valid()) continue;
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(monitor->both_.get(), EPOLL_CTL_ADD, fd->get(), &event) !=
        0) {
      return ErrnoToStatus(errno, "watch netlink");
    }
  }
  return monitor;
}

void PathMonitor::Drain() {
  char buffer[8192];
  bool any = false;
  for (const UniqueFd* fd : {&route_, &xfrm_}) {
    if (!fd->valid()) continue;
    // What was lost (ENOBUFS) is a change as well.
    while (::recv(fd->get(), buffer, sizeof(buffer), MSG_DONTWAIT) >= 0 ||
           errno == ENOBUFS || errno == EINTR) {
      any = true;
    }
  }
  if (any) ++generation_;
}

}  // namespace eoip::tapd
