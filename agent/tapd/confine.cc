// SPDX-License-Identifier: Apache-2.0
#include "tapd/confine.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/status.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define EOIP_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define EOIP_SANITIZED 1
#endif
#endif

namespace eoip::tapd {
namespace {

constexpr uint32_t kKept = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;

absl::Status DropCapabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2]{};
  if (::syscall(SYS_capget, &header, data) != 0) {
    return ErrnoToStatus(errno, "read the capabilities");
  }
  // The bounding set first: that takes CAP_SETPCAP. Without it the set cannot
  // be changed, but then nothing here could give capabilities back either.
  const bool may_bound = (data[0].effective & 1u << CAP_SETPCAP) != 0;
  for (int cap = 0; may_bound && ::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0;
       ++cap) {
    const bool keep = cap == CAP_NET_ADMIN || cap == CAP_NET_RAW;
    if (!keep && ::prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) != 0) {
      return ErrnoToStatus(errno, "limit the capabilities");
    }
  }
  const uint32_t kept = data[0].permitted & kKept;
  data[0] = {kept, kept, data[0].inheritable & kKept};
  data[1] = {0, 0, 0};
  if (::syscall(SYS_capset, &header, data) != 0) {
    return ErrnoToStatus(errno, "drop capabilities");
  }
  return absl::OkStatus();
}

#ifndef EOIP_SANITIZED
#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr uint32_t kArch = AUDIT_ARCH_RISCV64;
#else
// No filter on machines where the list was not thought through.
constexpr uint32_t kArch = 0;
#endif

// What the forwarder, gRPC and the C library use. Old calls that new machines
// do not have are left out there.
const std::vector<long>& AllowedCalls() {
  static const auto* calls = new std::vector<long>{
      // Data path, most frequent first: the filter is a list.
      SYS_read, SYS_writev, SYS_recvmmsg, SYS_sendmmsg, SYS_epoll_pwait,
#ifdef SYS_epoll_wait
      SYS_epoll_wait,
#endif
      SYS_ppoll,
#ifdef SYS_poll
      SYS_poll,
#endif
      SYS_futex, SYS_write, SYS_readv, SYS_sendmsg, SYS_recvmsg, SYS_sendto,
      SYS_recvfrom, SYS_clock_gettime, SYS_gettimeofday, SYS_ioctl,
      // Descriptors.
      SYS_close, SYS_openat, SYS_fcntl, SYS_dup, SYS_fstat, SYS_newfstatat,
      SYS_statx, SYS_lseek, SYS_epoll_create1, SYS_epoll_ctl, SYS_eventfd2,
      SYS_pipe2, SYS_flock, SYS_unlinkat, SYS_renameat2, SYS_umask,
      SYS_faccessat, SYS_readlinkat, SYS_getcwd,
#ifdef SYS_renameat
      SYS_renameat,
#endif
#ifdef SYS_rename
      SYS_rename, SYS_unlink, SYS_stat, SYS_lstat, SYS_access, SYS_readlink,
      SYS_open, SYS_pipe, SYS_epoll_create, SYS_time,
#endif
      // Sockets.
      SYS_socket, SYS_socketpair, SYS_bind, SYS_connect, SYS_listen, SYS_accept,
      SYS_accept4, SYS_setsockopt, SYS_getsockopt, SYS_getsockname,
      SYS_getpeername, SYS_shutdown,
      // Memory, threads, signals, the process itself.
      SYS_mmap, SYS_munmap, SYS_mprotect, SYS_mremap, SYS_madvise, SYS_brk,
      SYS_clone, SYS_clone3, SYS_exit, SYS_exit_group, SYS_set_robust_list,
      SYS_set_tid_address, SYS_rseq, SYS_membarrier, SYS_sched_yield,
      SYS_sched_getaffinity, SYS_sched_getparam, SYS_sched_getscheduler,
      SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn,
      SYS_rt_sigtimedwait, SYS_sigaltstack, SYS_restart_syscall, SYS_tgkill,
      SYS_getpid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
      SYS_getrandom, SYS_nanosleep, SYS_clock_nanosleep, SYS_clock_getres,
      SYS_prctl, SYS_prlimit64, SYS_getrusage, SYS_sysinfo, SYS_uname};
  return *calls;
}

absl::Status FilterSystemCalls() {
  if (kArch == 0) return absl::OkStatus();
  std::vector<sock_filter> code = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
  };
  for (long call : AllowedCalls()) {
    code.push_back(
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(call), 0, 1));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
  const sock_fprog program{static_cast<unsigned short>(code.size()),
                           code.data()};
  if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    return ErrnoToStatus(errno, "filter system calls");
  }
  return absl::OkStatus();
}
#endif  // EOIP_SANITIZED

}  // namespace

absl::Status Confine() {
  EOIP_RETURN_IF_ERROR(DropCapabilities());
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return ErrnoToStatus(errno, "refuse new privileges");
  }
#ifndef EOIP_SANITIZED
  return FilterSystemCalls();
#else
  return absl::OkStatus();
#endif
}

}  // namespace eoip::tapd
