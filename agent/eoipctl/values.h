// SPDX-License-Identifier: Apache-2.0
//
// Values as people type and read them, in RouterOS's words. Pure.
#ifndef EOIP_EOIPCTL_VALUES_H_
#define EOIP_EOIPCTL_VALUES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace eoip::ctl {

// The error of a value: INVALID_ARGUMENT "word: 'value': allowed".
absl::Status BadValue(absl::string_view word, absl::string_view value,
                      absl::string_view allowed);

// A parser gives nullopt-like INVALID_ARGUMENT without a field: the caller
// knows the word and says BadValue.
// yes, no, true, false, on, off.
absl::StatusOr<bool> ParseBool(absl::string_view text);
// Decimal, or hexadecimal after 0x.
absl::StatusOr<uint32_t> ParseUint32(absl::string_view text);
// A RouterOS time, not negative: 10, 10s, 1m30s, 1d2h, 500ms, 00:00:10,
// 1d02:00:00. A bare number is seconds. Below 292 years.
absl::StatusOr<absl::Duration> ParseTime(absl::string_view text);

// As RouterOS prints times: 10s, 1m30s, 1d2h; milliseconds only below a minute.
std::string FormatTime(absl::Duration time);
// "3s", "2m", "5h", "12d": one unit, for ages.
std::string FormatAge(absl::Duration age);

// The candidate that `word` was likely meant to be, or empty: at most a third
// of its letters (at least one) added, lost, changed or swapped.
std::string NearestWord(absl::string_view word,
                        const std::vector<std::string>& candidates);

// " (did you mean 'x'?)" or empty.
std::string Suggestion(absl::string_view word,
                       const std::vector<std::string>& candidates);

// text with control characters (also the two-byte C1 ones) as '?', so that it
// cannot drive a terminal or break a row.
std::string Printable(absl::string_view text);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_VALUES_H_
