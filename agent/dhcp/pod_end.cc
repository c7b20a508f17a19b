// SPDX-License-Identifier: Apache-2.0
#include "dhcp/pod_end.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace eoip {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(5);
constexpr size_t kMaxOutput = 1000;
constexpr absl::string_view kDone = "done\n";

void AddLease(const Lease& lease, absl::string_view prefix,
              std::vector<std::string>& words) {
  words.push_back(absl::StrCat(prefix, "address=", lease.address.ToString(),
                               "/", lease.prefix_length));
  for (const LeaseRoute& route : lease.routes) {
    std::string word =
        absl::StrCat(prefix, "route=", route.destination.ToString(), "/",
                     route.prefix_length);
    if (!route.gateway.IsUnspecified()) {
      absl::StrAppend(&word, ",", route.gateway.ToString());
    }
    words.push_back(std::move(word));
  }
}

std::vector<std::string> WordsOf(const std::string& plugin,
                                 const PodChange& change) {
  std::vector<std::string> words{
      plugin, "set-lease", absl::StrCat("netns=", change.attachment.netns),
      absl::StrCat("ifname=", change.attachment.ifname),
      absl::StrCat("host-link=", change.attachment.host_link)};
  if (change.replace_all) words.push_back("replace=all");
  if (change.before) AddLease(*change.before, "old-", words);
  if (change.after) AddLease(*change.after, "", words);
  return words;
}

// The end of output, as one line.
std::string OneLine(std::string output) {
  absl::StripAsciiWhitespace(&output);
  const size_t line = output.rfind('\n');
  return line == std::string::npos ? output : output.substr(line + 1);
}

// Reads until the other end closes. False: not in time.
bool ReadOutput(int fd, absl::Time deadline, std::string& output) {
  char buffer[512];
  while (true) {
    const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
    pollfd poll{fd, POLLIN, 0};
    const int ready = left > 0 ? ::poll(&poll, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t size = ::read(fd, buffer, sizeof(buffer));
    if (size <= 0) return true;
    if (output.size() < kMaxOutput) {
      output.append(buffer, static_cast<size_t>(size));
    }
  }
}

absl::StatusOr<pid_t> Spawn(const std::vector<std::string>& words, int out) {
  std::vector<char*> argv;
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  char* const environment[] = {nullptr};
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY,
                                   0);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
  // The agent's threads block signals; a child must not.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, argv[0], &files, &attributes,
                                  argv.data(), environment);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoToStatus(error, words[0]);
  return pid;
}

}  // namespace

absl::Status ChangePodEnd(const std::string& plugin, const PodChange& change) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "pipe");
  UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const auto pid = Spawn(WordsOf(plugin, change), out.get());
  if (!pid.ok()) {
    return absl::FailedPreconditionError(pid.status().message());
  }
  out.reset();
  std::string output;
  const bool in_time = ReadOutput(in.get(), absl::Now() + kPatience, output);
  if (!in_time) ::kill(*pid, SIGKILL);
  int result = 0;
  while (::waitpid(*pid, &result, 0) < 0 && errno == EINTR) {
  }
  // A plugin that is too old to know the command explains itself and exits 0.
  if (in_time && WIFEXITED(result) && WEXITSTATUS(result) == 0 &&
      output == kDone) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      plugin, " set-lease: ", in_time ? OneLine(std::move(output)) : "hangs"));
}

}  // namespace eoip
