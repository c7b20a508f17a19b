// SPDX-License-Identifier: Apache-2.0
//
// Log lines on stderr, one line each, for journald and container logs:
// "LEVEL message", with a systemd priority prefix ("<6>") where stderr is the
// journal ($JOURNAL_STREAM), else with a UTC time. Thread-safe.
#ifndef EOIP_BASE_LOG_H_
#define EOIP_BASE_LOG_H_

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace eoip {

enum class LogLevel { kError = 3, kWarning = 4, kInfo = 6, kDebug = 7 };

// "error", "warning", "info" or "debug"; false: none of them, unchanged.
bool SetLogLevel(absl::string_view name);

// Writes one line when level is enabled (default: info). Newlines inside the
// message are replaced, so that one call is always one line.
void Log(LogLevel level, absl::string_view message);

template <typename... Args>
void LogError(const Args&... args) {
  Log(LogLevel::kError, absl::StrCat(args...));
}
template <typename... Args>
void LogWarning(const Args&... args) {
  Log(LogLevel::kWarning, absl::StrCat(args...));
}
template <typename... Args>
void LogInfo(const Args&... args) {
  Log(LogLevel::kInfo, absl::StrCat(args...));
}
template <typename... Args>
void LogDebug(const Args&... args) {
  Log(LogLevel::kDebug, absl::StrCat(args...));
}

}  // namespace eoip

#endif  // EOIP_BASE_LOG_H_
