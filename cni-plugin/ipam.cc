// SPDX-License-Identifier: Apache-2.0
#include "ipam.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "cni_error.h"
#include "ip_prefix.h"

extern char** environ;

namespace eoip::cni {
namespace {

// A file rather than a pipe: nobody has to feed it, and a plugin that never
// reads its input blocks nobody.
absl::StatusOr<UniqueFd> InputFile(const std::string& data) {
  UniqueFd fd(::memfd_create("cni-stdin", MFD_CLOEXEC));
  if (!fd.valid()) return ErrnoToStatus(errno, "memfd_create");
  size_t done = 0;
  while (done < data.size()) {
    const ssize_t n = ::write(fd.get(), data.data() + done, data.size() - done);
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "write");
    if (n > 0) done += static_cast<size_t>(n);
  }
  if (::lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoToStatus(errno, "lseek");
  return fd;
}

std::vector<std::string> EnvironmentWith(const std::string& command) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!absl::StartsWith(*entry, "CNI_COMMAND=")) variables.push_back(*entry);
  }
  variables.push_back("CNI_COMMAND=" + command);
  return variables;
}

absl::StatusOr<pid_t> Spawn(const std::string& file, const std::string& command,
                            int input, int output, bool own_group) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  if (own_group) {
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  const std::vector<std::string> variables = EnvironmentWith(command);
  std::vector<char*> envp;
  for (const std::string& variable : variables) {
    envp.push_back(const_cast<char*>(variable.c_str()));
  }
  envp.push_back(nullptr);
  char* argv[] = {const_cast<char*>(file.c_str()), nullptr};
  pid_t pid = -1;
  int error = 0;
  // ETXTBSY: the file is just being replaced.
  for (int i = 0; i < 50; ++i) {
    error = ::posix_spawn(&pid, file.c_str(), &actions, &attributes, argv,
                          envp.data());
    if (error != ETXTBSY) break;
    absl::SleepFor(absl::Milliseconds(100));
  }
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoToStatus(error, absl::StrCat("run ", file));
  return pid;
}

// Reads until the writers are gone; false: the deadline came first.
absl::StatusOr<bool> ReadOutput(int fd, absl::Time deadline,
                                std::string* output) {
  while (true) {
    int wait_ms = -1;
    if (deadline != absl::InfiniteFuture()) {
      wait_ms =
          static_cast<int>(absl::ToInt64Milliseconds(deadline - absl::Now()));
      if (wait_ms <= 0) return false;
    }
    pollfd poller{fd, POLLIN, 0};
    const int ready = ::poll(&poller, 1, wait_ms);
    if (ready < 0 && errno != EINTR) return ErrnoToStatus(errno, "poll");
    if (ready <= 0) continue;
    char buffer[16384];
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n == 0) return true;
    if (n < 0 && errno != EINTR) return ErrnoToStatus(errno, "read");
    if (n > 0) output->append(buffer, static_cast<size_t>(n));
  }
}

int WaitFor(pid_t pid) {
  int state = 0;
  while (::waitpid(pid, &state, 0) < 0 && errno == EINTR) {
  }
  return state;
}

absl::Status PluginError(const std::string& name, int state,
                         const std::string& output) {
  uint32_t code = 0;
  if (const auto error = ParseJson("error", output); error.ok()) {
    JsonReader(*error).Read("code", &code);
    if (code != 0) {
      return CniError(
          code,
          absl::StrCat("IPAM plugin ", name, ": ", TextOf(At(*error, {"msg"}))),
          TextOf(At(*error, {"details"})));
    }
  }
  const std::string how =
      WIFSIGNALED(state)
          ? absl::StrCat("was killed by signal ", WTERMSIG(state))
          : absl::StrCat("ended with ", WEXITSTATUS(state));
  return CniError(
      CniCode::kDecode,
      absl::StrCat("IPAM plugin ", name, " ", how, " and printed no error"),
      absl::CHexEscape(output.substr(0, 200)));
}

}  // namespace

absl::StatusOr<std::string> FindPlugin(const std::string& name,
                                       const std::string& path) {
  for (absl::string_view directory :
       absl::StrSplit(path, ':', absl::SkipEmpty())) {
    std::string file = absl::StrCat(directory, "/", name);
    struct stat status {};
    if (::stat(file.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
        ::access(file.c_str(), X_OK) == 0) {
      return file;
    }
  }
  return CniError(CniCode::kConfig,
                  absl::StrCat("ipam.type: '", absl::CHexEscape(name),
                               "': no such plugin in CNI_PATH '",
                               absl::CHexEscape(path), "'"));
}

absl::StatusOr<IpamRun> IpamRun::Start(const Request& request,
                                       const std::string& command,
                                       absl::Duration timeout) {
  IpamRun run;
  run.name_ = request.ipam_type;
  run.timeout_ = timeout;
  run.deadline_ = absl::Now() + timeout;
  EOIP_ASSIGN_OR_RETURN(std::string file,
                        FindPlugin(request.ipam_type, request.path));
  EOIP_ASSIGN_OR_RETURN(UniqueFd input, InputFile(request.stdin_data));
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe");
  run.output_ = UniqueFd(pipe_fds[0]);
  UniqueFd write_end(pipe_fds[1]);
  EOIP_ASSIGN_OR_RETURN(run.pid_,
                        Spawn(file, command, input.get(), write_end.get(),
                              timeout != absl::InfiniteDuration()));
  return run;
}

absl::StatusOr<std::string> IpamRun::Finish() {
  std::string output;
  absl::StatusOr<bool> whole = ReadOutput(output_.get(), deadline_, &output);
  if (!whole.ok() || !*whole) {
    // What is killed is killed with its children: one that lives on holds the
    // caller's standard error open.
    const bool own_group = timeout_ != absl::InfiniteDuration();
    ::kill(own_group ? -pid_ : pid_, SIGKILL);
  }
  const int state = WaitFor(pid_);
  if (!whole.ok()) return whole.status();
  if (!*whole) {
    return CniError(CniCode::kTryAgain,
                    absl::StrCat("IPAM plugin ", name_, " was not done after ",
                                 absl::FormatDuration(timeout_)));
  }
  if (WIFEXITED(state) && WEXITSTATUS(state) == 0) return output;
  return PluginError(name_, state, output);
}

absl::StatusOr<std::string> RunIpam(const Request& request,
                                    const std::string& command,
                                    absl::Duration timeout) {
  EOIP_ASSIGN_OR_RETURN(IpamRun run, IpamRun::Start(request, command, timeout));
  return run.Finish();
}

absl::StatusOr<Result> ParseIpamResult(const Request& request,
                                       const std::string& output) {
  const std::string what =
      absl::StrCat("result of the IPAM plugin ", request.ipam_type);
  EOIP_ASSIGN_OR_RETURN(const Json json, ParseJson(what, output));
  EOIP_ASSIGN_OR_RETURN(Result result, ParseResult(what, json));
  if (result.ips.empty()) {
    return CniError(CniCode::kDecode, absl::StrCat(what, " has no address"));
  }
  for (const Ip& ip : result.ips) {
    if (auto prefix = ParsePrefix(ip.address); !prefix.ok()) {
      return CniError(CniCode::kDecode,
                      absl::StrCat(what, ": ips: ", prefix.status().message()));
    }
  }
  return result;
}

}  // namespace eoip::cni
