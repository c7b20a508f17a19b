// SPDX-License-Identifier: Apache-2.0
//
// What a confined process may not do any more, tried in a child.
#include "tapd/confine.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

// Confines a child and makes the call there: its errno, 0 where it went well.
int TryConfined(long (*call)()) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!Confine().ok()) ::_exit(255);
    errno = 0;
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFEXITED(status)) << "signal " << WTERMSIG(status);
  return WEXITSTATUS(status);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EOIP_NO_FILTER "sanitizers need calls that the filter refuses"
#endif

TEST(Confine, RefusesSystemCallsThatForwardingDoesNotNeed) {
#ifdef EOIP_NO_FILTER
  GTEST_SKIP() << EOIP_NO_FILTER;
#endif
  struct Case {
    const char* name;
    long (*call)();
  };
  const Case cases[] = {
      {"execve",
       [] {
         char* const none[] = {nullptr};
         return long{::execve("/bin/true", none, none)};
       }},
      {"ptrace", [] { return ::ptrace(PTRACE_TRACEME, 0, 0, 0); }},
      {"mount",
       [] { return ::syscall(SYS_mount, "", "/", "tmpfs", 0, nullptr); }},
      {"setns", [] { return ::syscall(SYS_setns, 0, 0); }},
      {"unshare", [] { return ::syscall(SYS_unshare, 0); }},
      {"bpf", [] { return ::syscall(SYS_bpf, 0, nullptr, 0); }},
      {"init_module",
       [] { return ::syscall(SYS_init_module, nullptr, 0, ""); }},
      {"kill", [] { return ::syscall(SYS_kill, ::getpid(), 0); }},
      {"setuid", [] { return ::syscall(SYS_setuid, 0); }},
      {"chmod", [] { return ::syscall(SYS_fchmodat, -1, "/", 0); }},
      {"process_vm_writev",
       [] { return ::syscall(SYS_process_vm_writev, 0, 0, 0, 0, 0, 0); }},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(TryConfined(c.call), ENOSYS) << c.name;
  }
}

TEST(Confine, LeavesWhatForwardingNeeds) {
  EXPECT_EQ(TryConfined([] { return ::syscall(SYS_getpid); }), 0);
  EXPECT_EQ(TryConfined([] {
              int fds[2];
              return long{::pipe2(fds, 0)};
            }),
            0);
}

}  // namespace
}  // namespace eoip::tapd
