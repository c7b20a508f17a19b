// SPDX-License-Identifier: Apache-2.0
#include "tapd/starter.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/status.h"

namespace eoip::tapd {
namespace {

constexpr int kChannel = 3;

// The request is one byte with a descriptor; -1: there will be no more.
int ReceiveRequest(int fd) {
  char byte;
  iovec iov{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  ssize_t n;
  do {
    n = ::recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  } while (n < 0 && errno == EINTR);
  const cmsghdr* header = n > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int channel;
  std::memcpy(&channel, CMSG_DATA(header), sizeof(channel));
  return channel;
}

// In the child that becomes the successor.
[[noreturn]] void Exec(const std::string& program, char* const argv[],
                       int channel) {
  ::signal(SIGCHLD, SIG_DFL);
  ::signal(SIGUSR2, SIG_DFL);
  if (channel == kChannel) {
    ::fcntl(channel, F_SETFD, 0);
  } else if (::dup2(channel, kChannel) < 0) {
    ::_exit(127);
  }
  ::execv(program.c_str(), argv);
  std::fprintf(stderr, "eoip-tapd: cannot start %s: %s\n", program.c_str(),
               std::strerror(errno));
  ::_exit(127);
}

[[noreturn]] void Run(int fd, const std::string& program,
                      std::vector<std::string> args) {
  // What this process has inherited is not its own; above all a channel to a
  // predecessor must close when the real process closes it.
  if (fd != kChannel) {
    ::dup2(fd, kChannel);
    fd = kChannel;
  }
  ::close_range(kChannel + 1, ~0u, 0);
  ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  ::prctl(PR_SET_NAME, "tapd-starter");
  // Children need no wait; a signal to the whole group is not for this one.
  ::signal(SIGCHLD, SIG_IGN);
  ::signal(SIGUSR2, SIG_IGN);
  args.insert(args.begin(), program);
  args.insert(args.end(), {"--take-over", std::to_string(kChannel)});
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);
  while (true) {
    const int channel = ReceiveRequest(fd);
    if (channel < 0) ::_exit(0);
    if (::fork() == 0) Exec(program, argv.data(), channel);
    ::close(channel);
  }
}

}  // namespace

absl::StatusOr<Starter> Starter::Fork(std::string program,
                                      std::vector<std::string> args) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
    return ErrnoToStatus(errno, "pair of sockets");
  }
  UniqueFd ours(fds[0]), theirs(fds[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoToStatus(errno, "start the starter");
  if (pid == 0) Run(theirs.get(), program, std::move(args));
  return Starter(std::move(ours));
}

absl::Status Starter::Start(UniqueFd channel) const {
  char byte = 0;
  iovec iov{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &iov;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = channel.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  if (::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) < 0) {
    return ErrnoToStatus(errno, "ask the starter");
  }
  return absl::OkStatus();
}

std::string ProgramPath() {
  char path[PATH_MAX];
  const ssize_t n = ::readlink("/proc/self/exe", path, sizeof(path));
  if (n > 0) return std::string(path, static_cast<size_t>(n));
  // A chroot without /proc: the name that execve(2) was given.
  return reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
}

}  // namespace eoip::tapd
