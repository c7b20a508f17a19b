// SPDX-License-Identifier: Apache-2.0
//
// eoip-tapd. Exit codes: 0 told to stop or replaced, 1 failed, 2 usage.
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
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

// Runs until a signal ends it or a successor has taken over.
class Daemon {
 public:
  Daemon(const Parts& parts, Starter starter, UniqueFd signals)
      : parts_(parts),
        starter_(std::move(starter)),
        signals_(std::move(signals)) {}

  // The signal; 0: a successor has taken over.
  int Run() {
    while (true) {
      pollfd fds[2] = {{signals_.get(), POLLIN, 0},
                       {successor_ ? successor_->fd() : -1, POLLIN, 0}};
      int timeout_ms = -1;
      if (successor_) {
        timeout_ms = static_cast<int>(std::max<int64_t>(
            0, absl::ToInt64Milliseconds(successor_due_ - absl::Now())));
      }
      const int n = ::poll(fds, 2, timeout_ms);
      if (n < 0) continue;
      if (successor_ && (fds[1].revents != 0 || n == 0) && HandOver()) return 0;
      signalfd_siginfo info;
      if (fds[0].revents == 0 ||
          ::read(signals_.get(), &info, sizeof(info)) != sizeof(info)) {
        continue;
      }
      if (info.ssi_signo != SIGUSR2) return static_cast<int>(info.ssi_signo);
      StartSuccessor();
    }
  }

 private:
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
  }

  bool HandOver() {
    const absl::StatusOr<pid_t> pid = successor_->GiveTo(parts_);
    successor_.reset();
    if (!pid.ok()) {
      LogError("hot restart: the successor failed, this process goes on: ",
               pid.status().message());
      return false;
    }
    ::sd_notifyf(0, "MAINPID=%d", static_cast<int>(*pid));
    LogInfo("hot restart: process ", *pid, " has taken over");
    return true;
  }

  const Parts parts_;
  const Starter starter_;
  const UniqueFd signals_;
  std::optional<Predecessor> successor_;
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
  const bool successor = predecessor.valid();
  if (successor && ::fcntl(predecessor.get(), F_SETFD, FD_CLOEXEC) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("--take-over ", flags.take_over));
  }
  EOIP_ASSIGN_OR_RETURN(Starter starter,
                        Starter::Fork(ProgramPath(), SuccessorArgs(args)));
  EOIP_ASSIGN_OR_RETURN(UniqueFd signals, OpenSignals());
  // gRPC's threads would each get an arena of their own.
  ::mallopt(M_ARENA_MAX, 2);

  EOIP_RETURN_IF_ERROR(Confine());
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
  LogInfo("eoip-tapd ", EOIP_VERSION_STRING, " serves ", flags.socket);
  // The predecessor tells systemd of a successor.
  if (!successor) ::sd_notify(0, "READY=1");
  Daemon daemon(parts, std::move(starter), std::move(signals));
  const int signal_number = daemon.Run();
  if (signal_number == 0) {
    // Destructors would take the links away.
    server.reset();
    ::_exit(0);
  }
  ::sd_notify(0, "STOPPING=1");
  service.StopChanges();
  server.reset();
  forwarder.reset();
  LogInfo("stopped by signal ", signal_number);
  return absl::OkStatus();
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
