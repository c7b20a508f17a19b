// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/values.h"

#include "gtest/gtest.h"

namespace eoip::ctl {
namespace {

TEST(ParseBool, TakesRouterOsAndPlainWords) {
  for (const char* word : {"yes", "true", "on"}) EXPECT_TRUE(*ParseBool(word));
  for (const char* word : {"no", "false", "off"}) {
    EXPECT_FALSE(*ParseBool(word));
  }
  for (const char* word : {"", "y", "1", "YES", "yes "}) {
    EXPECT_FALSE(ParseBool(word).ok()) << word;
  }
}

TEST(ParseUint32, TakesDecimalAndHexadecimal) {
  EXPECT_EQ(*ParseUint32("0"), 0u);
  EXPECT_EQ(*ParseUint32("4294967295"), 4294967295u);
  EXPECT_EQ(*ParseUint32("0xABC"), 0xABCu);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "4294967296", "0x",
                          "0x100000000", "1.5", "ten", "0b1"}) {
    EXPECT_FALSE(ParseUint32(bad).ok()) << bad;
  }
}

TEST(ParseTime, TakesEveryRouterOsForm) {
  EXPECT_EQ(*ParseTime("10"), absl::Seconds(10));
  EXPECT_EQ(*ParseTime("10s"), absl::Seconds(10));
  EXPECT_EQ(*ParseTime("1m30s"), absl::Seconds(90));
  EXPECT_EQ(*ParseTime("00:00:10"), absl::Seconds(10));
  EXPECT_EQ(*ParseTime("01:30"), absl::Seconds(90));
  EXPECT_EQ(*ParseTime("1d02:00:05"), absl::Hours(26) + absl::Seconds(5));
  EXPECT_EQ(*ParseTime("1w2d3h4m5s"),
            absl::Hours(9 * 24 + 3) + absl::Seconds(245));
  EXPECT_EQ(*ParseTime("500ms"), absl::Milliseconds(500));
  EXPECT_EQ(*ParseTime("0"), absl::ZeroDuration());
}

TEST(ParseTime, RefusesWhatIsNoTime) {
  for (const char* bad :
       {"", "s", "-1s", "1.5s", "10x", "1m30", "00:60", "00:00:60", "1:2:3:4",
        ":10", "10:", "1 s", "9999999999s", "999999999w"}) {
    EXPECT_FALSE(ParseTime(bad).ok()) << bad;
  }
}

TEST(FormatTime, IsReadBackAsTheSameTime) {
  for (int64_t ms :
       {0, 1, 999, 1000, 1500, 10000, 90000, 3600000, 93784000, 604800000}) {
    const absl::Duration time = absl::Milliseconds(ms);
    EXPECT_EQ(*ParseTime(FormatTime(time)), time) << FormatTime(time);
  }
  EXPECT_EQ(FormatTime(absl::Seconds(90)), "1m30s");
}

TEST(FormatAge, HasOneUnit) {
  EXPECT_EQ(FormatAge(absl::Seconds(-5)), "0s");
  EXPECT_EQ(FormatAge(absl::Seconds(119)), "119s");
  EXPECT_EQ(FormatAge(absl::Seconds(120)), "2m");
  EXPECT_EQ(FormatAge(absl::Hours(47)), "47h");
  EXPECT_EQ(FormatAge(absl::Hours(48)), "2d");
}

TEST(NearestWord, FindsTyposAndBeginnings) {
  const std::vector<std::string> words = {"remote-address", "local-address",
                                          "tunnel-id", "mtu", "ttl"};
  EXPECT_EQ(NearestWord("remote-adress", words), "remote-address");
  EXPECT_EQ(NearestWord("tunel-id", words), "tunnel-id");
  EXPECT_EQ(NearestWord("tunnle-id", words), "tunnel-id");
  EXPECT_EQ(NearestWord("local", words), "local-address");
  EXPECT_EQ(NearestWord("mut", words), "mtu");
  EXPECT_EQ(NearestWord("colour", words), "");
  EXPECT_EQ(NearestWord("", words), "");
  EXPECT_EQ(Suggestion("mut", words), " (did you mean 'mtu'?)");
  EXPECT_EQ(Suggestion("colour", words), "");
}

TEST(Printable, DisarmsControlCharactersAndKeepsLetters) {
  EXPECT_EQ(Printable("a\x1b[31mb\n"), "a?[31mb?");
  EXPECT_EQ(Printable("\xc2\x9b"
                      "x"),
            "??x");
  EXPECT_EQ(Printable("Züri"), "Züri");
}

}  // namespace
}  // namespace eoip::ctl
