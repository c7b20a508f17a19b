// SPDX-License-Identifier: Apache-2.0
//
// For tests: a network namespace of the test's own. It is gone, with all its
// links, when the last socket and thread in it is.
#ifndef EOIP_NETLINK_TEST_NETNS_H_
#define EOIP_NETLINK_TEST_NETNS_H_

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace eoip {

// Moves the calling thread, and threads that it starts from now on, into a new
// network namespace; without root also into a new user namespace, which the
// kernel allows to a program of one thread only.
inline absl::Status EnterNewNetns() {
  if (unshare(CLONE_NEWNET) == 0) return absl::OkStatus();
  if (errno != EPERM) return ErrnoToStatus(errno, "unshare(CLONE_NEWNET)");
  const uid_t uid = geteuid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return ErrnoToStatus(errno, "unshare(CLONE_NEWUSER | CLONE_NEWNET)");
  }
  const std::string map = absl::StrCat("0 ", uid, " 1\n");
  const UniqueFd file(open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC));
  if (write(file.get(), map.data(), map.size()) !=
      static_cast<ssize_t>(map.size())) {
    return ErrnoToStatus(errno, "write /proc/self/uid_map");
  }
  return absl::OkStatus();
}

}  // namespace eoip

#endif  // EOIP_NETLINK_TEST_NETNS_H_
