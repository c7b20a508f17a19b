// SPDX-License-Identifier: Apache-2.0
#include "tapd/raw_socket.h"

#include <linux/filter.h>
#include <linux/in6.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "eoip_wire.h"
#include "tapd/flow_filter.h"

namespace eoip::tapd {
namespace {

// Enough for the bursts of a fast sender between two wake-ups.
constexpr int kSocketBuffer = 8 << 20;

absl::Status SetInt(int fd, int level, int option, int value,
                    absl::string_view what) {
  if (::setsockopt(fd, level, option, &value, sizeof(value)) == 0) {
    return absl::OkStatus();
  }
  return ErrnoToStatus(errno, absl::StrCat("set ", what));
}

// As large as allowed: FORCE needs CAP_NET_ADMIN in the first user namespace.
void SetBuffers(int fd) {
  const int size = kSocketBuffer;
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) != 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
  }
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) != 0) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
  }
}

absl::Status AttachFilter(int fd, const std::vector<sock_filter>& code) {
  const sock_fprog program{static_cast<unsigned short>(code.size()),
                           const_cast<sock_filter*>(code.data())};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
                   sizeof(program)) != 0) {
    return ErrnoToStatus(errno, "attach a socket filter");
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenRaw(int family, int protocol) {
  UniqueFd fd(
      ::socket(family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol));
  if (!fd.valid()) {
    return absl::FailedPreconditionError(
        ErrnoToStatus(errno,
                      absl::StrCat("raw socket of IP protocol ", protocol))
            .message());
  }
  SetBuffers(fd.get());
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> OpenRawV4(int worker, int workers) {
  EOIP_ASSIGN_OR_RETURN(UniqueFd fd, OpenRaw(AF_INET, EOIP4_IPPROTO));
  EOIP_RETURN_IF_ERROR(
      AttachFilter(fd.get(), MakeFlowFilterV4(worker, workers)));
  EOIP_RETURN_IF_ERROR(SetInt(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER,
                              IP_PMTUDISC_DONT, "IP_MTU_DISCOVER"));
  EOIP_RETURN_IF_ERROR(
      SetInt(fd.get(), SOL_SOCKET, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL"));
  return fd;
}

absl::StatusOr<UniqueFd> OpenRawV4Df() {
  EOIP_ASSIGN_OR_RETURN(UniqueFd fd, OpenRaw(AF_INET, EOIP4_IPPROTO));
  EOIP_RETURN_IF_ERROR(AttachFilter(fd.get(), {BPF_STMT(BPF_RET | BPF_K, 0)}));
  EOIP_RETURN_IF_ERROR(SetInt(fd.get(), IPPROTO_IP, IP_MTU_DISCOVER,
                              IP_PMTUDISC_DO, "IP_MTU_DISCOVER"));
  return fd;
}

absl::StatusOr<UniqueFd> OpenRawV6(int worker, int workers) {
  EOIP_ASSIGN_OR_RETURN(UniqueFd fd, OpenRaw(AF_INET6, EOIP6_IPPROTO));
  EOIP_RETURN_IF_ERROR(
      AttachFilter(fd.get(), MakeFlowFilterV6(worker, workers)));
  EOIP_RETURN_IF_ERROR(SetInt(fd.get(), IPPROTO_IPV6, IPV6_MTU_DISCOVER,
                              IPV6_PMTUDISC_DONT, "IPV6_MTU_DISCOVER"));
  EOIP_RETURN_IF_ERROR(SetInt(fd.get(), IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0,
                              "IPV6_AUTOFLOWLABEL"));
  EOIP_RETURN_IF_ERROR(
      SetInt(fd.get(), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"));
  EOIP_RETURN_IF_ERROR(
      SetInt(fd.get(), IPPROTO_IPV6, IPV6_RECVTCLASS, 1, "IPV6_RECVTCLASS"));
  EOIP_RETURN_IF_ERROR(
      SetInt(fd.get(), SOL_SOCKET, SO_RXQ_OVFL, 1, "SO_RXQ_OVFL"));
  return fd;
}

absl::StatusOr<UniqueFd> OpenPacketSocket() {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "packet socket");
  SetBuffers(fd.get());
  return fd;
}

}  // namespace eoip::tapd
