// SPDX-License-Identifier: Apache-2.0
#include "model/names.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Names, GoThereAndBack) {
  EXPECT_EQ(TunnelName("eoip7"), "tunnels/eoip7");
  EXPECT_EQ(*ParseTunnelName("name", "tunnels/eoip7"), "eoip7");
  EXPECT_EQ(NetworkName("lan"), "networks/lan");
  EXPECT_EQ(*ParseNetworkName("name", "networks/lan"), "lan");
  const AttachmentKey key{"lan", "pod-1.eth0"};
  EXPECT_EQ(AttachmentName(key), "networks/lan/attachments/pod-1.eth0");
  EXPECT_EQ(*ParseAttachmentName("name", AttachmentName(key)), key);
}

TEST(Names, RefuseOtherFormsAndNameTheField) {
  for (const char* name :
       {"", "eoip7", "tunnels/", "tunnel/eoip7", "networks/eoip7",
        "tunnels/a/b", "tunnels/sixteen-chars-xx", "tunnels/lo", "tunnels/-x",
        "tunnels/.x", "tunnels/a b", "tunnels/\xc3\xa4"}) {
    const auto result = ParseTunnelName("tunnel.name", name);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument)
        << name;
    EXPECT_THAT(std::string(result.status().message()),
                StartsWith("tunnel.name: '"));
  }
  EXPECT_FALSE(ParseNetworkName("name", "networks/all").ok());
  for (const char* name :
       {"", "networks/lan", "networks/lan/attachments/",
        "networks//attachments/x", "networks/lan/attachments/a/b",
        "networks/lan/attachments/-x", "networks/lo/attachments/x",
        "networks/-/attachments/x", "tunnels/lan/attachments/x"}) {
    const auto result = ParseAttachmentName("attachment.name", name);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument)
        << name;
    EXPECT_THAT(std::string(result.status().message()),
                StartsWith("attachment.name: '"));
  }
}

TEST(ValidateLinkName, TakesWhatTheKernelTakesAndIpPrintsPlainly) {
  for (const char* name : {"a", "eoip-site.1_x", "fifteen-chars-x", "7"}) {
    EXPECT_TRUE(ValidateLinkName("f", name).ok()) << name;
  }
  for (const char* name :
       {"", "sixteen-chars-xx", "-a", ".a", "..", "a/b", "a b", "a:1", "a@b",
        "lo", "all", "default", "a%d", "a\n"}) {
    EXPECT_FALSE(ValidateLinkName("f", name).ok()) << name;
  }
}

TEST(ValidateAttachmentId, AllowsSixtyThree) {
  EXPECT_TRUE(ValidateAttachmentId("f", std::string(63, 'a')).ok());
  EXPECT_FALSE(ValidateAttachmentId("f", std::string(64, 'a')).ok());
  EXPECT_FALSE(ValidateAttachmentId("f", "").ok());
  EXPECT_TRUE(ValidateAttachmentId("f", "lo").ok());
}

TEST(ValidateText, RefusesControlCharactersAndTooMuch) {
  EXPECT_TRUE(ValidateText("f", "", 3).ok());
  EXPECT_TRUE(ValidateText("f", "B\xc3\xbcro \xe2\x80\x93 \xc2\xa0", 20).ok());
  EXPECT_TRUE(ValidateText("f", "abc", 3).ok());
  EXPECT_FALSE(ValidateText("f", "abcd", 3).ok());
  for (const char* text : {"a\n", "\x1b[2J", "\x7f",
                           "\xc2\x9b"
                           "2J"}) {
    EXPECT_FALSE(ValidateText("f", text, 20).ok());
  }
  EXPECT_FALSE(ValidateText("f", std::string(1, '\0'), 3).ok());
}

TEST(FieldError, NamesFieldValueAndRule) {
  const absl::Status status = FieldError("tunnel.mtu", "5", "68..65521");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "tunnel.mtu: '5': 68..65521");
}

TEST(FieldError, EscapesAndCutsTheValue) {
  EXPECT_EQ(FieldError("f", "a\nb\x1b", "x").message(), "f: 'a\\nb\\033': x");
  const std::string huge(1 << 20, 'a');
  EXPECT_LT(FieldError("f", huge, "x").message().size(), 100u);
  // Cut before a character of two bytes that would be split.
  std::string umlauts(63, 'a');
  umlauts += "\xc3\xbc and more";
  EXPECT_THAT(std::string(FieldError("f", umlauts, "x").message()),
              HasSubstr("aaa...'"));
}

TEST(NotBuiltError, IsUnimplemented) {
  const absl::Status status = NotBuiltError("tunnel.kind", "IPIP", "EOIP");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(status.message(),
            "tunnel.kind: 'IPIP': not built yet; allowed EOIP");
}

}  // namespace
}  // namespace eoip
