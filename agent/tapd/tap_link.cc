// SPDX-License-Identifier: Apache-2.0
#include "tapd/tap_link.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip::tapd {
namespace {

constexpr unsigned int kTcpOffload =
    TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
// TUN_F_USO4 and TUN_F_USO6 of newer linux/if_tun.h.
constexpr unsigned int kUdpOffload = 0x20 | 0x40;

ifreq MakeRequest(const std::string& name) {
  ifreq request{};
  std::copy_n(name.begin(), std::min<size_t>(name.size(), IFNAMSIZ - 1),
              request.ifr_name);
  return request;
}

// One queue of the link; first: the link must not exist yet.
absl::StatusOr<UniqueFd> OpenQueue(const TapLink::Options& options,
                                   bool first) {
  UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    const int error = errno;
    absl::Status status = ErrnoToStatus(error, "open /dev/net/tun");
    if (error == ENOENT || error == ENXIO || error == ENODEV) {
      return absl::FailedPreconditionError(status.message());
    }
    return status;
  }
  ifreq request = MakeRequest(options.name);
  int flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (first) flags |= IFF_TUN_EXCL;
  if (options.queues > 1) flags |= IFF_MULTI_QUEUE;
  request.ifr_flags = static_cast<short>(flags);
  if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    // What EXCL answers for any link of that name, also a foreign one.
    if (first && errno == EBUSY) {
      return absl::AlreadyExistsError(
          absl::StrCat("link ", options.name, " exists and is not ours"));
    }
    return ErrnoToStatus(errno, absl::StrCat("create TAP ", options.name));
  }
  return fd;
}

absl::Status SetMacAndMtu(const TapLink::Options& options, int tap_fd) {
  ifreq request = MakeRequest(options.name);
  request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::copy(options.mac.begin(), options.mac.end(), request.ifr_hwaddr.sa_data);
  if (::ioctl(tap_fd, SIOCSIFHWADDR, &request) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("set MAC of ", options.name));
  }
  UniqueFd control(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!control.valid()) return ErrnoToStatus(errno, "control socket");
  request = MakeRequest(options.name);
  request.ifr_mtu = static_cast<int>(options.mtu);
  if (::ioctl(control.get(), SIOCSIFMTU, &request) != 0) {
    return ErrnoToStatus(
        errno, absl::StrCat("set MTU ", options.mtu, " of ", options.name));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TapLink> TapLink::Create(const Options& options) {
  TapLink link;
  for (int i = 0; i < options.queues; ++i) {
    EOIP_ASSIGN_OR_RETURN(UniqueFd fd, OpenQueue(options, i == 0));
    link.queues_.push_back(std::move(fd));
  }
  for (int i = 0; options.queues > 1 && i < options.queues; ++i) {
    EOIP_ASSIGN_OR_RETURN(UniqueFd writer, OpenQueue(options, false));
    ifreq request{};
    request.ifr_flags = IFF_DETACH_QUEUE;
    if (::ioctl(writer.get(), TUNSETQUEUE, &request) != 0) {
      return ErrnoToStatus(errno, "detach a queue of a TAP");
    }
    link.writers_.push_back(std::move(writer));
  }
  const int fd = link.queues_[0].get();
  EOIP_RETURN_IF_ERROR(SetMacAndMtu(options, fd));
  link.udp_super_frames_ =
      ::ioctl(fd, TUNSETOFFLOAD, kTcpOffload | kUdpOffload) == 0;
  EOIP_RETURN_IF_ERROR(link.SetOffload(options.offload));
  link.ifindex_ = ::if_nametoindex(options.name.c_str());
  if (link.ifindex_ == 0) {
    return ErrnoToStatus(errno, absl::StrCat("index of ", options.name));
  }
  return link;
}

absl::StatusOr<TapLink> TapLink::Adopt(std::vector<UniqueFd> queues,
                                       std::vector<UniqueFd> writers,
                                       uint32_t ifindex,
                                       bool udp_super_frames) {
  for (const auto* descriptors : {&queues, &writers}) {
    for (const UniqueFd& fd : *descriptors) {
      ifreq request{};
      const bool tap = ::ioctl(fd.get(), TUNGETIFF, &request) == 0
                           ? (request.ifr_flags & IFF_TAP) != 0
                           : errno == EBADFD;
      if (!tap) {
        return absl::InvalidArgumentError("a descriptor is no queue of a TAP");
      }
    }
  }
  TapLink link;
  link.queues_ = std::move(queues);
  link.writers_ = std::move(writers);
  link.ifindex_ = ifindex;
  link.udp_super_frames_ = udp_super_frames;
  return link;
}

absl::Status TapLink::SetCarrier(bool up) const {
  int value = up ? 1 : 0;
  if (::ioctl(queues_[0].get(), TUNSETCARRIER, &value) == 0) {
    return absl::OkStatus();
  }
  if (errno == EBADFD) return absl::NotFoundError("the link was deleted");
  return ErrnoToStatus(errno, "set the carrier");
}

absl::Status TapLink::SetOffload(bool on) const {
  unsigned int flags = 0;
  if (on) flags = udp_super_frames_ ? kTcpOffload | kUdpOffload : kTcpOffload;
  if (::ioctl(queues_[0].get(), TUNSETOFFLOAD, flags) == 0) {
    return absl::OkStatus();
  }
  if (errno == EBADFD) return absl::NotFoundError("the link was deleted");
  return ErrnoToStatus(errno, "set the offload of the TAP");
}

}  // namespace eoip::tapd
