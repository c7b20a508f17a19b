// SPDX-License-Identifier: Apache-2.0
#include "tapd/flags.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "tapd/forwarder.h"

namespace eoip::tapd {

const char kUsage[] =
    R"(usage: eoip-tapd [--socket PATH] [--workers N] [--fast-send on|off]
                 [--busy-poll USEC] [--log-level LEVEL]
                 [--replace on|off] [--ready-file PATH]

Carries EoIP and EoIPv6 tunnels in user space, as eoip-agent tells it over a
unix socket.

  --socket PATH      control socket (default /run/eoip/tapd.sock)
  --workers N        forwarding threads (default 1)
  --fast-send on|off send past the IP stack where the route is plain, so that
                     output hooks of nftables see few packets (default on)
  --busy-poll USEC   look for packets up to this long before sleeping, where
                     they come that close together; 0 never (default 50)
  --log-level LEVEL  error, warning, info or debug (default info)
  --replace on|off   if another eoip-tapd serves the socket, take over from it, in
                     another container too, as a hot restart does; the other one
                     then waits for its end (default off: that is an error)
  --ready-file PATH  a file that exists while this process serves (default none)
  --take-over FD     for its own use: take over from the process at the other
                     end of the descriptor

SIGUSR2: hot restart. The program that is now at the path of this one takes over
tunnels, links, sockets and counters; if it cannot, this one goes on.

  --version          print the version
  --help             print this text
)";

namespace {

constexpr int kMaxBusyPollUs = 1000;

absl::Status SetOnOff(absl::string_view name, absl::string_view value,
                      bool* on) {
  if (value != "on" && value != "off") {
    return absl::InvalidArgumentError(
        absl::StrCat("--", name, " ", value, ": must be on or off"));
  }
  *on = value == "on";
  return absl::OkStatus();
}

absl::Status SetFlag(absl::string_view name, absl::string_view value,
                     Flags* flags) {
  if (name == "socket") {
    flags->socket = std::string(value);
    return absl::OkStatus();
  }
  if (name == "workers") {
    int n = 0;
    if (!absl::SimpleAtoi(value, &n) || n < 1 || n > kMaxWorkers) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--workers ", value, ": must be a number from 1 to ", kMaxWorkers));
    }
    flags->workers = n;
    return absl::OkStatus();
  }
  if (name == "take-over") {
    int fd = 0;
    if (!absl::SimpleAtoi(value, &fd) || fd < 3) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--take-over ", value, ": must be a descriptor from 3 on"));
    }
    flags->take_over = fd;
    return absl::OkStatus();
  }
  if (name == "fast-send") return SetOnOff(name, value, &flags->fast_send);
  if (name == "replace") return SetOnOff(name, value, &flags->replace);
  if (name == "ready-file") {
    if (value.empty()) {
      return absl::InvalidArgumentError("--ready-file: must be a path");
    }
    flags->ready_file = std::string(value);
    return absl::OkStatus();
  }
  if (name == "busy-poll") {
    int us = 0;
    if (!absl::SimpleAtoi(value, &us) || us < 0 || us > kMaxBusyPollUs) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--busy-poll ", value,
          ": must be a number of microseconds from 0 to ", kMaxBusyPollUs));
    }
    flags->busy_poll_us = us;
    return absl::OkStatus();
  }
  if (name == "log-level") {
    if (value != "error" && value != "warning" && value != "info" &&
        value != "debug") {
      return absl::InvalidArgumentError(absl::StrCat(
          "--log-level ", value, ": must be error, warning, info or debug"));
    }
    flags->log_level = std::string(value);
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("--", name, ": no such flag"));
}

}  // namespace

absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& args) {
  Flags flags;
  for (size_t i = 0; i < args.size(); ++i) {
    absl::string_view arg = args[i];
    if (!absl::ConsumePrefix(&arg, "--")) {
      return absl::InvalidArgumentError(
          absl::StrCat(args[i], ": flags start with --"));
    }
    if (arg == "help") {
      flags.help = true;
      continue;
    }
    if (arg == "version") {
      flags.version = true;
      continue;
    }
    const size_t equals = arg.find('=');
    if (equals != absl::string_view::npos) {
      EOIP_RETURN_IF_ERROR(
          SetFlag(arg.substr(0, equals), arg.substr(equals + 1), &flags));
      continue;
    }
    if (i + 1 == args.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", arg, ": needs a value"));
    }
    EOIP_RETURN_IF_ERROR(SetFlag(arg, args[++i], &flags));
  }
  return flags;
}

}  // namespace eoip::tapd
