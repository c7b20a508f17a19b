// SPDX-License-Identifier: Apache-2.0
#include "tapd/testing/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/status.h"

namespace eoip::tapd::testing {

absl::StatusOr<Netns> Netns::Create() {
  UniqueFd fd;
  int error = 0;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      error = errno;
      return;
    }
    fd.reset(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  }).join();
  if (error != 0) return ErrnoToStatus(error, "make a network namespace");
  Netns ns(std::move(fd));
  if (!ns.Exec("ip link set lo up")) {
    return absl::InternalError("loopback does not come up");
  }
  return ns;
}

void Netns::Run(const std::function<void()>& fn) const {
  std::thread([&] {
    if (::setns(fd_.get(), CLONE_NEWNET) != 0) std::abort();
    fn();
  }).join();
}

bool Netns::Exec(const std::string& command) const {
  int status = -1;
  // popen's child inherits the namespace of the thread.
  Run([&] { status = ::system(command.c_str()); });
  return status == 0;
}

std::string Netns::Output(const std::string& command) const {
  std::string output;
  Run([&] {
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return;
    char buffer[4096];
    size_t n;
    while ((n = ::fread(buffer, 1, sizeof(buffer), pipe)) > 0) {
      output.append(buffer, n);
    }
    ::pclose(pipe);
  });
  return output;
}

pid_t Netns::Spawn(const std::vector<std::string>& argv,
                   const std::function<void()>& prepare) const {
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent || ::setns(fd_.get(), CLONE_NEWNET) != 0) {
    ::_exit(127);
  }
  if (prepare) prepare();
  std::vector<char*> args;
  for (const std::string& arg : argv) {
    args.push_back(const_cast<char*>(arg.c_str()));
  }
  args.push_back(nullptr);
  ::execv(args[0], args.data());
  ::_exit(127);
}

}  // namespace eoip::tapd::testing
