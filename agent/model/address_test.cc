// SPDX-License-Identifier: Apache-2.0
#include "model/address.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;

IpAddress Ip(absl::string_view text) { return *IpAddress::Parse(text); }

TEST(IpAddress, ParsesBothFamiliesAndPrintsThemCanonically) {
  EXPECT_EQ(Ip("192.0.2.1").ToString(), "192.0.2.1");
  EXPECT_FALSE(Ip("192.0.2.1").is_v6());
  EXPECT_EQ(Ip("192.0.2.1").bytes(), absl::string_view("\xc0\0\2\1", 4));
  EXPECT_EQ(Ip("2001:DB8:0:0:0:0:0:1").ToString(), "2001:db8::1");
  EXPECT_EQ(Ip("2001:db8:0:1:0:0:0:1").ToString(), "2001:db8:0:1::1");
  EXPECT_EQ(Ip("::").ToString(), "::");
  EXPECT_TRUE(Ip("::").is_v6());
  EXPECT_EQ(IpAddress().ToString(), "0.0.0.0");
}

TEST(IpAddress, RefusesWhatIsNoAddressAndNamesIt) {
  const std::string bad[] = {"",
                             "1.2.3",
                             "1.2.3.4.5",
                             "256.1.1.1",
                             "010.0.0.1",
                             "1.2.3.4 ",
                             " 1.2.3.4",
                             "1.2.3.4/24",
                             "fe80::1%eth0",
                             "2001:db8::1::2",
                             "g::1",
                             "site.example",
                             "-1.2.3.4",
                             "0x7f.0.0.1",
                             std::string("1.2.3.4\0", 8),
                             std::string(200, '1')};
  for (const std::string& text : bad) {
    const auto result = IpAddress::Parse(text);
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument)
        << text;
  }
  EXPECT_THAT(std::string(IpAddress::Parse("1.2.3").status().message()),
              HasSubstr("'1.2.3'"));
}

TEST(IpAddress, FromBytesTakesFourOrSixteen) {
  EXPECT_EQ(
      IpAddress::FromBytes(absl::string_view("\xc0\0\2\1", 4))->ToString(),
      "192.0.2.1");
  EXPECT_EQ(*IpAddress::FromBytes(Ip("2001:db8::7").bytes()),
            Ip("2001:db8::7"));
  for (size_t size : {0, 3, 5, 15, 17}) {
    EXPECT_EQ(IpAddress::FromBytes(std::string(size, 'x')).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
}

TEST(IpAddress, KnowsTheKindsOfAddresses) {
  for (const char* text : {"192.0.2.1", "10.0.0.255", "169.254.1.1",
                           "2001:db8::1", "fe80::1", "fd00::1"}) {
    EXPECT_TRUE(Ip(text).IsUsableUnicast()) << text;
  }
  for (const char* text :
       {"0.0.0.0", "127.0.0.1", "127.255.0.1", "224.0.0.1", "239.1.2.3",
        "255.255.255.255", "::", "::1", "ff02::1", "::ffff:192.0.2.1"}) {
    EXPECT_FALSE(Ip(text).IsUsableUnicast()) << text;
  }
  EXPECT_TRUE(Ip("fe80::1").IsLinkLocal());
  EXPECT_TRUE(Ip("febf::1").IsLinkLocal());
  EXPECT_FALSE(Ip("fec0::1").IsLinkLocal());
  EXPECT_TRUE(Ip("169.254.0.1").IsLinkLocal());
  EXPECT_TRUE(Ip("ff02::1").IsMulticast());
  EXPECT_FALSE(Ip("223.255.255.255").IsMulticast());
  EXPECT_TRUE(Ip("::").IsUnspecified());
  EXPECT_TRUE(Ip("::1").IsLoopback());
  EXPECT_FALSE(Ip("::2").IsLoopback());
}

TEST(IpAddress, FamiliesNeverCompareEqual) {
  EXPECT_NE(Ip("0.0.0.0"), Ip("::"));
  EXPECT_LT(Ip("192.0.2.1"), Ip("192.0.2.2"));
}

TEST(MacAddress, ParsesColonsAndDashesInAnyCase) {
  EXPECT_EQ(MacAddress::Parse("02:00:5E:10:00:aF")->ToString(),
            "02:00:5e:10:00:af");
  EXPECT_EQ(MacAddress::Parse("02-00-5e-10-00-01")->ToString(),
            "02:00:5e:10:00:01");
}

TEST(MacAddress, RefusesWhatIsNoMac) {
  for (const char* text :
       {"", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "02:00-5e:10:00:01",
        "2:0:5e:10:0:1", "02:00:5e:10:00:0g", "02005e100001",
        "02:00:5e:10:00:01 ", "02.00.5e.10.00.01"}) {
    EXPECT_EQ(MacAddress::Parse(text).status().code(),
              absl::StatusCode::kInvalidArgument)
        << text;
  }
}

TEST(MacAddress, TellsUnicastFromTheRest) {
  EXPECT_TRUE(MacAddress::Parse("02:00:00:00:00:01")->IsUnicast());
  EXPECT_FALSE(MacAddress::Parse("01:00:5e:00:00:01")->IsUnicast());
  EXPECT_FALSE(MacAddress::Parse("ff:ff:ff:ff:ff:ff")->IsUnicast());
  EXPECT_FALSE(MacAddress().IsUnicast());
}

TEST(MacAddress, DerivesTheSameForEverAndAnotherForEveryName) {
  // The value is part of the contract: it must survive upgrades.
  EXPECT_EQ(MacAddress::Derive("node-1", "eoip7").ToString(),
            "fe:2e:91:d5:b2:d8");
  std::set<MacAddress> seen;
  for (int node = 0; node < 20; ++node) {
    for (int name = 0; name < 500; ++name) {
      const MacAddress mac = MacAddress::Derive(absl::StrCat("node", node),
                                                absl::StrCat("eoip", name));
      EXPECT_TRUE(mac.IsUnicast());
      EXPECT_EQ(mac.bytes()[0], 0xfe);
      seen.insert(mac);
    }
  }
  EXPECT_EQ(seen.size(), 10000u);
  EXPECT_NE(MacAddress::Derive("ab", "c"), MacAddress::Derive("a", "bc"));
}

}  // namespace
}  // namespace eoip
