// SPDX-License-Identifier: Apache-2.0
#include "tapd/flags.h"

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

TEST(ParseFlags, HasDefaultsAndTakesBothForms) {
  EXPECT_EQ(ParseFlags({})->socket, "/run/eoip/tapd.sock");
  EXPECT_EQ(ParseFlags({})->workers, 1);
  const auto flags =
      ParseFlags({"--socket=/x", "--workers", "1", "--log-level=debug"});
  ASSERT_TRUE(flags.ok()) << flags.status();
  EXPECT_EQ(flags->socket, "/x");
  EXPECT_EQ(flags->log_level, "debug");
}

TEST(ParseFlags, TakesOverFromADescriptorThatIsNotStandardIo) {
  EXPECT_EQ(ParseFlags({})->take_over, -1);
  EXPECT_EQ(ParseFlags({"--take-over", "3"})->take_over, 3);
  EXPECT_EQ(ParseFlags({"--take-over=2"}).status().message(),
            "--take-over 2: must be a descriptor from 3 on");
}

TEST(ParseFlags, NamesTheFlagAndTheValue) {
  EXPECT_EQ(ParseFlags({"--nope=1"}).status().message(),
            "--nope: no such flag");
  EXPECT_EQ(ParseFlags({"--socket"}).status().message(),
            "--socket: needs a value");
  EXPECT_EQ(ParseFlags({"x"}).status().message(), "x: flags start with --");
  for (const char* bad : {"0", "-1", "two", "1000000", ""}) {
    EXPECT_EQ(ParseFlags({"--workers", bad}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
  }
  EXPECT_FALSE(ParseFlags({"--log-level=loud"}).ok());
  EXPECT_FALSE(ParseFlags({"--fast-send=maybe"}).ok());
  EXPECT_FALSE(ParseFlags({"--fast-send=off"})->fast_send);
  EXPECT_TRUE(ParseFlags({"--replace", "on"})->replace);
  EXPECT_EQ(ParseFlags({"--replace=yes"}).status().message(),
            "--replace yes: must be on or off");
  EXPECT_FALSE(ParseFlags({"--ready-file="}).ok());
  EXPECT_EQ(ParseFlags({"--ready-file=/run/x"})->ready_file, "/run/x");
  for (const char* bad : {"-1", "1001", "fast", ""}) {
    EXPECT_EQ(ParseFlags({"--busy-poll", bad}).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
  }
  EXPECT_EQ(ParseFlags({"--busy-poll=0"})->busy_poll_us, 0);
}

}  // namespace
}  // namespace eoip::tapd
