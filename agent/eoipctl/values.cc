// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/values.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace eoip::ctl {
namespace {

absl::Status Malformed() { return absl::InvalidArgumentError("malformed"); }

// Digits from the front of *text; false: none, or too many.
bool TakeNumber(absl::string_view* text, int64_t* number) {
  const size_t digits =
      std::min(text->find_first_not_of("0123456789"), text->size());
  if (digits == 0 || digits > 9) return false;
  if (!absl::SimpleAtoi(text->substr(0, digits), number)) return false;
  text->remove_prefix(digits);
  return true;
}

bool TakeUnit(absl::string_view* text, absl::Duration* unit) {
  // "ms" before "m".
  static constexpr std::pair<absl::string_view, int64_t> kUnitsMs[] = {
      {"ms", 1},      {"w", 604800000}, {"d", 86400000},
      {"h", 3600000}, {"m", 60000},     {"s", 1000}};
  for (const auto& [name, ms] : kUnitsMs) {
    if (absl::ConsumePrefix(text, name)) {
      *unit = absl::Milliseconds(ms);
      return true;
    }
  }
  return false;
}

// HH:MM:SS or MM:SS.
absl::StatusOr<absl::Duration> ParseClock(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  if (parts.size() < 2 || parts.size() > 3) return Malformed();
  int64_t seconds = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    absl::string_view part = parts[i];
    int64_t number;
    if (!TakeNumber(&part, &number) || !part.empty()) return Malformed();
    if (i > 0 && number > 59) return Malformed();
    seconds = seconds * 60 + number;
  }
  return absl::Seconds(seconds);
}

// Damerau-Levenshtein distance, where swapped neighbours count as one.
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1,
                                     std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1,
                          d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

absl::Status BadValue(absl::string_view word, absl::string_view value,
                      absl::string_view allowed) {
  return absl::InvalidArgumentError(
      absl::StrCat(word, ": '", absl::Utf8SafeCEscape(value), "': ", allowed));
}

absl::StatusOr<bool> ParseBool(absl::string_view text) {
  for (absl::string_view word : {"yes", "true", "on"}) {
    if (text == word) return true;
  }
  for (absl::string_view word : {"no", "false", "off"}) {
    if (text == word) return false;
  }
  return Malformed();
}

absl::StatusOr<uint32_t> ParseUint32(absl::string_view text) {
  // SimpleAtoi would skip spaces.
  if (text.empty() || !absl::ascii_isdigit(text.front()) ||
      !absl::ascii_isxdigit(text.back())) {
    return Malformed();
  }
  uint32_t number;
  const bool hex = absl::StartsWith(text, "0x");
  if (hex ? !absl::SimpleHexAtoi(text.substr(2), &number)
          : !absl::SimpleAtoi(text, &number)) {
    return Malformed();
  }
  return number;
}

absl::StatusOr<absl::Duration> ParseTime(absl::string_view text) {
  if (text.empty()) return Malformed();
  absl::Duration total;
  while (!text.empty()) {
    if (absl::StrContains(text, ':') &&
        text.find_first_not_of("0123456789:") == absl::string_view::npos) {
      const absl::StatusOr<absl::Duration> clock = ParseClock(text);
      if (!clock.ok()) return clock;
      return total + *clock;
    }
    int64_t number;
    if (!TakeNumber(&text, &number)) return Malformed();
    absl::Duration unit;
    if (text.empty()) {
      // "1m30" is no RouterOS time; only a whole text may lack its unit.
      if (total != absl::ZeroDuration()) return Malformed();
      unit = absl::Seconds(1);
    } else if (!TakeUnit(&text, &unit)) {
      return Malformed();
    }
    total += number * unit;
    // Beyond, protobuf's durations and the clock's arithmetic end.
    if (total > absl::Hours(24 * 365 * 292)) return Malformed();
  }
  return total;
}

std::string FormatTime(absl::Duration time) {
  const int64_t ms = absl::ToInt64Milliseconds(time);
  if (ms < 60000 && ms % 1000 != 0) {
    return ms < 1000 ? absl::StrCat(ms, "ms")
                     : absl::StrCat(ms / 1000, "s", ms % 1000, "ms");
  }
  int64_t seconds = ms / 1000;
  if (seconds == 0) return "0s";
  std::string text;
  static constexpr std::pair<int64_t, absl::string_view> kUnits[] = {
      {604800, "w"}, {86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
  for (const auto& [size, name] : kUnits) {
    if (seconds >= size) absl::StrAppend(&text, seconds / size, name);
    seconds %= size;
  }
  return text;
}

std::string FormatAge(absl::Duration age) {
  const int64_t seconds = std::max<int64_t>(absl::ToInt64Seconds(age), 0);
  if (seconds < 120) return absl::StrCat(seconds, "s");
  if (seconds < 120 * 60) return absl::StrCat(seconds / 60, "m");
  if (seconds < 48 * 3600) return absl::StrCat(seconds / 3600, "h");
  return absl::StrCat(seconds / 86400, "d");
}

std::string NearestWord(absl::string_view word,
                        const std::vector<std::string>& candidates) {
  std::string nearest;
  size_t best = std::max<size_t>(word.size() / 3, 1) + 1;
  for (const std::string& candidate : candidates) {
    // What is asked for is often the beginning: "remote" for "remote-address".
    const bool begins = word.size() >= 3 && absl::StartsWith(candidate, word);
    const size_t distance = begins ? 1 : Distance(word, candidate);
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string Suggestion(absl::string_view word,
                       const std::vector<std::string>& candidates) {
  const std::string nearest = NearestWord(word, candidates);
  return nearest.empty() ? ""
                         : absl::StrCat(" (did you mean '", nearest, "'?)");
}

std::string Printable(absl::string_view text) {
  std::string printable(text);
  for (size_t i = 0; i < printable.size(); ++i) {
    const auto byte = static_cast<unsigned char>(printable[i]);
    const bool c1 = byte >= 0x80 && byte < 0xa0 && i > 0 &&
                    static_cast<unsigned char>(text[i - 1]) == 0xc2;
    if (byte < 0x20 || byte == 0x7f) printable[i] = '?';
    if (c1) printable[i - 1] = printable[i] = '?';
  }
  return printable;
}

}  // namespace eoip::ctl
