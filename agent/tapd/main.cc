// SPDX-License-Identifier: Apache-2.0
//
// eoip-tapd. Exit codes: 0 told to stop, 1 failed, 2 usage.
#include <malloc.h>
#include <signal.h>
#include <systemd/sd-daemon.h>

#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "tapd/confine.h"
#include "tapd/control_server.h"
#include "tapd/flags.h"
#include "tapd/forwarder.h"
#include "tapd/service.h"

namespace eoip::tapd {
namespace {

int Serve(const Flags& flags) {
  // Blocked before any thread starts, so that only sigwait takes them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGTERM);
  sigaddset(&stop_signals, SIGINT);
  ::pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // gRPC's threads would each get an arena of their own.
  ::mallopt(M_ARENA_MAX, 2);

  const absl::Status confined = Confine();
  if (!confined.ok()) {
    LogError(confined.message());
    return 1;
  }
  auto forwarder = Forwarder::Start(
      {flags.workers, flags.fast_send, int64_t{flags.busy_poll_us} * 1000});
  if (!forwarder.ok()) {
    LogError(forwarder.status().message());
    return 1;
  }
  Service service(forwarder->get());
  auto server = ControlServer::Start(flags.socket, &service);
  if (!server.ok()) {
    LogError(server.status().message());
    return 1;
  }
  LogInfo("eoip-tapd ", EOIP_VERSION_STRING, " serves ", flags.socket);
  ::sd_notify(0, "READY=1");
  int signal_number = 0;
  ::sigwait(&stop_signals, &signal_number);
  ::sd_notify(0, "STOPPING=1");
  service.StopChanges();
  server->reset();
  forwarder->reset();
  LogInfo("stopped by signal ", signal_number);
  return 0;
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
  return Serve(*flags);
}

}  // namespace
}  // namespace eoip::tapd

int main(int argc, char** argv) {
  return eoip::tapd::Main(std::vector<std::string>(argv + 1, argv + argc));
}
