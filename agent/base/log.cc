// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace eoip {
namespace {

std::atomic<int> max_level{static_cast<int>(LogLevel::kInfo)};

absl::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return "error";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kDebug:
      return "debug";
  }
  return "";
}

}  // namespace

bool SetLogLevel(absl::string_view name) {
  for (LogLevel level : {LogLevel::kError, LogLevel::kWarning, LogLevel::kInfo,
                         LogLevel::kDebug}) {
    if (name == NameOf(level)) {
      max_level = static_cast<int>(level);
      return true;
    }
  }
  return false;
}

void Log(LogLevel level, absl::string_view message) {
  if (static_cast<int>(level) > max_level) return;
  static const bool journal = std::getenv("JOURNAL_STREAM") != nullptr;
  std::string line =
      journal ? absl::StrCat("<", static_cast<int>(level), ">")
              : absl::StrCat(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ ",
                                              absl::Now(), absl::UTCTimeZone()),
                             NameOf(level), " ");
  const size_t start = line.size();
  absl::StrAppend(&line, message);
  std::replace(line.begin() + start, line.end(), '\n', ' ');
  line.push_back('\n');
  // One write, so that lines of several threads do not mix; a log that cannot
  // be written has nowhere to be reported.
  [[maybe_unused]] ssize_t n = ::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace eoip
