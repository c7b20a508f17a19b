// SPDX-License-Identifier: Apache-2.0
//
// eoip-tapd. Exit codes: 0 told to stop or replaced, 1 failed, 2 usage.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "tapd/confine.h"
#include "tapd/control_server.h"
#include "tapd/flags.h"
#include "tapd/forwarder.h"
#include "tapd/handover.h"
#include "tapd/service.h"
#include "tapd/starter.h"

namespace eoip::tapd {
namespace {

// How long a successor may take to start.
constexpr absl::Duration kStartTimeout = absl::Seconds(30);

// A file that exists while this process serves: for probes, which may see
// another one's socket at the same path.
class ReadyFile {
 public:
  // path empty: no file.
  explicit ReadyFile(std::string path) : path_(std::move(path)) {}
  ~ReadyFile() {
    if (created_) Remove();
  }

  // Removes what an earlier process left. ALREADY_EXISTS: that is something
  // else, and stays.
  absl::Status Clear() {
    struct stat st;
    if (path_.empty() || ::lstat(path_.c_str(), &st) != 0) {
      return absl::OkStatus();
    }
    if (!S_ISREG(st.st_mode) || st.st_size != 0) {
      return absl::AlreadyExistsError(absl::StrCat(
          "--ready-file ", path_, ": exists and is not an empty file"));
    }
    Remove();
    return absl::OkStatus();
  }
  absl::Status Create() {
    if (path_.empty()) return absl::OkStatus();
    const UniqueFd fd(::open(
        path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
    created_ = fd.valid();
    if (created_) return absl::OkStatus();
    return ErrnoToStatus(errno, absl::StrCat("--ready-file ", path_));
  }
  void Remove() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

 private:
  const std::string path_;
  bool created_ = false;
};

// Runs until a signal ends it or a successor has taken over.
class Daemon {
 public:
  enum class End { kStopped, kReplaced, kReplacedFromOutside };

  Daemon(const Parts& parts, Starter starter, HandoverListener listener,
         UniqueFd signals)
      : parts_(parts),
        starter_(std::move(starter)),
        listener_(std::move(listener)),
        signals_(std::move(signals)) {}

  End Run() {
    while (true) {
      // One successor at a time.
      pollfd fds[3] = {{signals_.get(), POLLIN, 0},
                       {successor_ ? successor_->fd() : -1, POLLIN, 0},
                       {successor_ ? -1 : listener_.fd(), POLLIN, 0}};
      int timeout_ms = -1;
      if (successor_) {
        timeout_ms = static_cast<int>(std::max<int64_t>(
            0, absl::ToInt64Milliseconds(successor_due_ - absl::Now())));
      }
      const int n = ::poll(fds, 3, timeout_ms);
      if (n < 0) continue;
      if (successor_ && (fds[1].revents != 0 || n == 0) && HandOver()) {
        return from_outside_ ? End::kReplacedFromOutside : End::kReplaced;
      }
      if (fds[2].revents != 0) AcceptSuccessor();
      const int signal_number = fds[0].revents != 0 ? ReadSignal() : 0;
      if (signal_number == SIGUSR2) {
        StartSuccessor();
      } else if (signal_number != 0) {
        LogInfo("stopped by signal ", signal_number);
        return End::kStopped;
      }
    }
  }

  // Until the process is told to end.
  void AwaitStop() {
    while (true) {
      pollfd fd{signals_.get(), POLLIN, 0};
      if (::poll(&fd, 1, -1) < 0) continue;
      const int signal_number = ReadSignal();
      if (signal_number != 0 && signal_number != SIGUSR2) return;
    }
  }

 private:
  // 0: there is none.
  int ReadSignal() {
    signalfd_siginfo info;
    if (::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) return 0;
    return static_cast<int>(info.ssi_signo);
  }

  void AcceptSuccessor() {
    absl::StatusOr<Predecessor> asked = Predecessor::Accept(listener_);
    if (!asked.ok()) {
      LogWarning("hot restart: ", asked.status().message());
      return;
    }
    successor_ = *std::move(asked);
    successor_due_ = absl::Now() + kStartTimeout;
    from_outside_ = true;
  }

  void StartSuccessor() {
    if (successor_) {
      LogWarning("hot restart: one is going on already");
      return;
    }
    // The container would end with this process, and the successor with it.
    absl::Status status = absl::FailedPreconditionError(
        "process 1 of a PID namespace cannot be replaced");
    if (::getpid() != 1) {
      absl::StatusOr<Predecessor> started = Predecessor::Start(starter_);
      status = started.status();
      if (started.ok()) successor_ = *std::move(started);
    }
    if (!status.ok()) LogError("hot restart: ", status.message());
    successor_due_ = absl::Now() + kStartTimeout;
    from_outside_ = false;
  }

  bool HandOver() {
    const absl::StatusOr<pid_t> pid = successor_->GiveTo(parts_);
    successor_.reset();
    if (!pid.ok()) {
      LogError("hot restart: the successor failed, this process goes on: ",
               pid.status().message());
      return false;
    }
    listener_.LeavePath();
    if (from_outside_) {
      // It has service manager and process ids of its own.
      LogInfo("hot restart: another service's process has taken over");
      return true;
    }
    ::sd_notifyf(0, "MAINPID=%d", static_cast<int>(*pid));
    LogInfo("hot restart: process ", *pid, " has taken over");
    return true;
  }

  const Parts parts_;
  const Starter starter_;
  HandoverListener listener_;
  const UniqueFd signals_;
  std::optional<Predecessor> successor_;
  bool from_outside_ = false;
  absl::Time successor_due_;
};

// Blocked before any thread starts, so that only the descriptor gets them.
absl::StatusOr<UniqueFd> OpenSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal_number : {SIGTERM, SIGINT, SIGUSR2}) {
    sigaddset(&signals, signal_number);
  }
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return ErrnoToStatus(errno, "open a signal descriptor");
  return fd;
}

// The program's arguments without those that are for one process only.
std::vector<std::string> SuccessorArgs(const std::vector<std::string>& args) {
  std::vector<std::string> kept;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i] == "--take-over") {
      ++i;
    } else if (!absl::StartsWith(args[i], "--take-over=")) {
      kept.push_back(args[i]);
    }
  }
  return kept;
}

absl::Status Serve(const Flags& flags, const std::vector<std::string>& args) {
  UniqueFd predecessor(flags.take_over);
  // Of this one's own service: it tells systemd.
  const bool same_service = predecessor.valid();
  if (same_service && ::fcntl(predecessor.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("--take-over ", flags.take_over));
  }
  ReadyFile ready(flags.ready_file);
  // Of the same service it is the predecessor's, who may go on.
  if (!same_service) EOIP_RETURN_IF_ERROR(ready.Clear());
  EOIP_ASSIGN_OR_RETURN(Starter starter,
                        Starter::Fork(ProgramPath(), SuccessorArgs(args)));
  EOIP_ASSIGN_OR_RETURN(UniqueFd signals, OpenSignals());
  // gRPC's threads would each get an arena of their own.
  ::mallopt(M_ARENA_MAX, 2);

  EOIP_RETURN_IF_ERROR(Confine());
  if (!same_service && flags.replace) {
    EOIP_ASSIGN_OR_RETURN(predecessor, HandoverListener::Connect(flags.socket));
  }
  const bool successor = predecessor.valid();
  EOIP_ASSIGN_OR_RETURN(auto forwarder,
                        Forwarder::Start({flags.workers, flags.fast_send,
                                          int64_t{flags.busy_poll_us} * 1000}));
  Service service(forwarder.get());
  EOIP_ASSIGN_OR_RETURN(
      auto server, ControlServer::Start(flags.socket, &service, successor));
  const Parts parts{forwarder.get(), &service, server.get()};
  if (successor) {
    EOIP_RETURN_IF_ERROR(
        Annotate(TakeOver(std::move(predecessor), parts), "take over"));
  } else {
    EOIP_RETURN_IF_ERROR(server->Publish());
  }
  HandoverListener listener;
  absl::Status status = listener.Open(flags.socket);
  if (status.ok()) status = ready.Create();
  if (!status.ok()) {
    // A successor carries traffic by now.
    if (!successor) return status;
    LogError(status.message());
  }
  LogInfo("eoip-tapd ", EOIP_VERSION_STRING, " serves ", flags.socket);
  if (!same_service) ::sd_notify(0, "READY=1");
  Daemon daemon(parts, std::move(starter), std::move(listener),
                std::move(signals));
  const Daemon::End end = daemon.Run();
  if (end == Daemon::End::kStopped) {
    ::sd_notify(0, "STOPPING=1");
    service.StopChanges();
    server.reset();
    forwarder.reset();
    return absl::OkStatus();
  }
  server.reset();
  if (end == Daemon::End::kReplacedFromOutside) {
    // Whoever started this one would start another if it ended by itself.
    ready.Remove();
    forwarder->CloseShared();
    daemon.AwaitStop();
  }
  // Destructors would take the links away.
  ::_exit(0);
}

int Main(const std::vector<std::string>& args) {
  const absl::StatusOr<Flags> flags = ParseFlags(args);
  if (!flags.ok()) {
    std::fprintf(stderr, "eoip-tapd: %s\n%s",
                 std::string(flags.status().message()).c_str(), kUsage);
    return 2;
  }
  if (flags->help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (flags->version) {
    std::puts("eoip-tapd " EOIP_VERSION_STRING);
    return 0;
  }
  SetLogLevel(flags->log_level);
  const absl::Status status = Serve(*flags, args);
  if (status.ok()) return 0;
  LogError(status.message());
  return 1;
}

}  // namespace
}  // namespace eoip::tapd

int main(int argc, char** argv) {
  return eoip::tapd::Main(std::vector<std::string>(argv + 1, argv + argc));
}
