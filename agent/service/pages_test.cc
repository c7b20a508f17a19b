// SPDX-License-Identifier: Apache-2.0
#include "service/pages.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

TEST(ReadPageSize, HasADefaultAndALimit) {
  EXPECT_EQ(*ReadPageSize(0), 100u);
  EXPECT_EQ(*ReadPageSize(1), 1u);
  EXPECT_EQ(*ReadPageSize(1000), 1000u);
  EXPECT_EQ(*ReadPageSize(1001), 1000u);
  EXPECT_EQ(*ReadPageSize(2147483647), 1000u);
  EXPECT_TRUE(absl::IsInvalidArgument(ReadPageSize(-1).status()));
}

TEST(PageToken, GoesThereAndBack) {
  EXPECT_EQ(*ReadPageToken("tunnel:", MakePageToken("tunnel:", "tunnels/a b")),
            "tunnels/a b");
  EXPECT_EQ(*ReadPageToken("tunnel:", ""), "");
}

TEST(PageToken, RefusesEveryOther) {
  const std::string token = MakePageToken("tunnel:", "tunnels/a");
  EXPECT_FALSE(ReadPageToken("network:", token).ok());
  EXPECT_FALSE(ReadPageToken("tunnel:", MakePageToken("tunnel:", "")).ok());
  for (const std::string& bad :
       {std::string("junk"), std::string("!!"), token + "=", token + " ",
        " " + token, token.substr(1), std::string(1, '\0'),
        absl::WebSafeBase64Escape("2 tunnel: tunnels/a")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ReadPageToken("tunnel:", bad).status()))
        << bad;
  }
}

}  // namespace
}  // namespace eoip
