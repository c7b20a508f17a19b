// SPDX-License-Identifier: Apache-2.0
//
// Pages of lists. A token names the last resource of its page, so that
// resources that come and go between two pages move no other. Pure.
#ifndef EOIP_SERVICE_PAGES_H_
#define EOIP_SERVICE_PAGES_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace eoip {

inline constexpr size_t kDefaultPageSize = 100;
inline constexpr size_t kMaxPageSize = 1000;

// 0: 100; above 1000: 1000. INVALID_ARGUMENT: negative.
absl::StatusOr<size_t> ReadPageSize(int32_t page_size);

// scope says what is listed; a token of another scope is refused.
std::string MakePageToken(absl::string_view scope, absl::string_view last_name);
// The name after which the page starts; "" for an empty token.
// INVALID_ARGUMENT: no token that MakePageToken made for this scope.
absl::StatusOr<std::string> ReadPageToken(absl::string_view scope,
                                          absl::string_view token);

}  // namespace eoip

#endif  // EOIP_SERVICE_PAGES_H_
