// SPDX-License-Identifier: Apache-2.0
#include "service/pages.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "model/names.h"

namespace eoip {

absl::StatusOr<size_t> ReadPageSize(int32_t page_size) {
  if (page_size < 0) {
    return FieldError("page_size", absl::StrCat(page_size),
                      "1..1000, or 0 for the default (100)");
  }
  if (page_size == 0) return kDefaultPageSize;
  return std::min(static_cast<size_t>(page_size), kMaxPageSize);
}

std::string MakePageToken(absl::string_view scope,
                          absl::string_view last_name) {
  return absl::WebSafeBase64Escape(absl::StrCat("1 ", scope, " ", last_name));
}

absl::StatusOr<std::string> ReadPageToken(absl::string_view scope,
                                          absl::string_view token) {
  if (token.empty()) return std::string();
  std::string plain;
  absl::string_view name;
  if (absl::WebSafeBase64Unescape(token, &plain)) {
    name = plain;
    // The second comparison refuses other spellings of the same bytes.
    if (absl::ConsumePrefix(&name, absl::StrCat("1 ", scope, " ")) &&
        !name.empty() && MakePageToken(scope, name) == token) {
      return std::string(name);
    }
  }
  return FieldError("page_token", token,
                    "next_page_token of a page of the same list");
}

}  // namespace eoip
