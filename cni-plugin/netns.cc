// SPDX-License-Identifier: Apache-2.0
#include "netns.h"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "cni_error.h"

namespace eoip::cni {
namespace {

constexpr char kOwnNetns[] = "/proc/thread-self/ns/net";

absl::Status NetnsError(const std::string& path, absl::string_view why) {
  return CniError(
      CniCode::kNetns,
      absl::StrCat("CNI_NETNS: '", absl::CHexEscape(path), "': ", why));
}

}  // namespace

absl::StatusOr<UniqueFd> OpenNetns(const std::string& path, bool allow_own) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return NetnsError(path, strerror(errno));
  if (::ioctl(fd.get(), NS_GET_NSTYPE) != CLONE_NEWNET) {
    return NetnsError(path, "is no network namespace");
  }
  struct stat pod {};
  struct stat own {};
  if (::fstat(fd.get(), &pod) != 0 || ::stat(kOwnNetns, &own) != 0) {
    return NetnsError(path, strerror(errno));
  }
  if (!allow_own && pod.st_dev == own.st_dev && pod.st_ino == own.st_ino) {
    return NetnsError(path,
                      "plugin's netns and netns from CNI_NETNS should not be "
                      "the same");
  }
  return fd;
}

absl::Status RunInNetns(int netns_fd,
                        const std::function<absl::Status()>& body) {
  UniqueFd own(::open(kOwnNetns, O_RDONLY | O_CLOEXEC));
  if (!own.valid()) return ErrnoToStatus(errno, kOwnNetns);
  if (::setns(netns_fd, CLONE_NEWNET) != 0) {
    return ErrnoToStatus(errno, "enter the pod's network namespace");
  }
  const absl::Status status = body();
  if (::setns(own.get(), CLONE_NEWNET) != 0) {
    return ErrnoToStatus(errno, "return to the host's network namespace");
  }
  return status;
}

}  // namespace eoip::cni
