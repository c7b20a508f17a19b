// SPDX-License-Identifier: Apache-2.0
//
// eoip: CNI plugin that puts pods on the agent's networks.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "cni_error.h"
#include "commands.h"
#include "request.h"
#include "result.h"
#include "set_lease.h"

namespace eoip::cni {
namespace {

std::string GetVariable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? "" : value;
}

// Descriptors 0 to 2 must not be taken by a socket that something then writes
// text to.
bool OpenStandardDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", O_RDWR) != fd) {
      return false;
    }
  }
  return true;
}

bool WriteOutput(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n =
        ::write(STDOUT_FILENO, text.data() + done, text.size() - done);
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) done += static_cast<size_t>(n);
  }
  return true;
}

int Fail(const absl::Status& error, const std::string& version) {
  WriteOutput(PrintError(error, version) + "\n");
  return 1;
}

// What the command prints.
absl::StatusOr<std::string> Execute(const Request& request) {
  absl::Status status;
  switch (request.command) {
    case Command::kAdd: {
      EOIP_ASSIGN_OR_RETURN(Result result, Add(request));
      return PrintResult(result, request.version) + "\n";
    }
    case Command::kDel:
      status = Del(request);
      break;
    case Command::kCheck:
      status = Check(request);
      break;
    case Command::kGc:
      status = Gc(request);
      break;
    case Command::kStatus:
      status = Status(request);
      break;
  }
  if (!status.ok()) return status;
  return "";
}

// Standard error is the runtime's, often a person's terminal: one line, and
// only for calls that somebody traces.
void LogTraced(const std::string& command, const Request& request,
               absl::Time start, const absl::Status& status) {
  if (request.traceparent.empty()) return;
  LogInfo(command, " container=", request.container_id,
          " ifname=", request.ifname, " network=", request.network,
          " name=", request.name, " traceparent=", request.traceparent,
          " took=", absl::FormatDuration(absl::Now() - start),
          " result=", status.ok() ? "ok" : absl::StrCat(status.message()));
}

int Run() {
  const absl::Time start = absl::Now();
  const std::string command = GetVariable("CNI_COMMAND");
  if (command.empty()) {
    fprintf(stderr,
            "CNI plugin eoip %s: puts pods on Layer-2 networks of eoip-agent\n"
            "CNI protocol versions supported: %s\n",
            EOIP_VERSION_STRING,
            absl::StrJoin(kSupportedVersions, ", ").c_str());
    return 0;
  }

  absl::StatusOr<Request> request = ParseEnvironment(command, GetVariable);
  if (!request.ok()) return Fail(request.status(), "");
  absl::StatusOr<std::string> input = ReadAll(STDIN_FILENO);
  if (!input.ok()) return Fail(input.status(), "");
  const absl::Status parsed = ParseInput(*std::move(input), *request);
  if (!parsed.ok()) return Fail(parsed, request->version);

  const absl::StatusOr<std::string> output = Execute(*request);
  LogTraced(command, *request, start, output.status());
  if (!output.ok()) return Fail(output.status(), request->version);
  return WriteOutput(*output) ? 0 : 1;
}

// Before the constructors of the libraries, which take longer than the rest
// of a VERSION and are of no use to it. Runtimes ask often.
[[gnu::constructor(101)]] void AnswerVersion() {
  const char* command = std::getenv("CNI_COMMAND");
  if (command == nullptr || strcmp(command, "VERSION") != 0) return;
  const std::string text = PrintVersion();
  ::_exit(::write(STDOUT_FILENO, text.data(), text.size()) ==
                  static_cast<ssize_t>(text.size())
              ? 0
              : 1);
}

}  // namespace
}  // namespace eoip::cni

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  if (!eoip::cni::OpenStandardDescriptors()) return 1;
  // Runtimes give no arguments.
  if (argc > 1 && strcmp(argv[1], "set-lease") == 0) {
    const absl::Status status = eoip::cni::SetLease({argv + 2, argv + argc});
    if (status.ok()) return puts("done") == EOF ? 1 : 0;
    fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  const int code = eoip::cni::Run();
  fflush(stderr);
  // What would be torn down now the kernel frees faster.
  ::_exit(code);
}
