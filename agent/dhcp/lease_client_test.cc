// SPDX-License-Identifier: Apache-2.0
#include "dhcp/lease_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "dhcp/test_frames.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;
using testing_dhcp::kMac;
using testing_dhcp::MakeReply;
using testing_dhcp::Option;

const absl::Time kStart = absl::FromUnixSeconds(1000000);

class LeaseClientTest : public ::testing::Test {
 protected:
  // Message type and where to, of every frame that was sent since.
  std::string Sent() {
    std::string text;
    for (const std::string& frame : client_.TakeFrames()) {
      xid_ = 0;
      for (int i = 0; i < 4; ++i) {
        xid_ = xid_ << 8 | static_cast<uint8_t>(frame[46 + i]);
      }
      if (!text.empty()) text += " ";
      text += frame[0] == '\xff' ? "all:" : "one:";
      text += static_cast<char>('0' + frame[42 + 240 + 2]);
    }
    return text;
  }
  void Hear(uint8_t type, const std::string& options = "",
            const std::string& address = "192.0.2.7") {
    client_.OnFrame(
        MakeReply(type, address, options, Option(1, "ffffff00"), xid_), false,
        now_);
  }
  void Bind() {
    client_.Start(now_, std::nullopt);
    Sent();
    Hear(2, Option(51, "00000064"));
    Sent();
    Hear(5, Option(51, "00000064"));
    ASSERT_TRUE(client_.lease());
  }
  // Lets the clock go to what the client waits for; returns seconds since
  // kStart.
  double Advance() {
    now_ = client_.next();
    client_.OnTime(now_);
    return absl::ToDoubleSeconds(now_ - kStart);
  }

  uint32_t next_xid_ = 1;
  LeaseClient client_{
      kMac, {std::string("\0x", 2), ""}, [this] { return next_xid_++; }};
  absl::Time now_ = kStart;
  uint32_t xid_ = 0;
};

TEST_F(LeaseClientTest, FourMessagesMakeALease) {
  client_.Start(now_, std::nullopt);
  EXPECT_EQ(Sent(), "all:1");
  EXPECT_TRUE(client_.listening());
  Hear(2, Option(51, "00000064"));
  EXPECT_EQ(Sent(), "all:3");
  EXPECT_FALSE(client_.lease());
  Hear(5, Option(51, "00000064"));
  ASSERT_TRUE(client_.lease());
  EXPECT_EQ(client_.state(), LeaseState::kBound);
  EXPECT_EQ(client_.lease()->address.ToString(), "192.0.2.7");
  EXPECT_EQ(client_.lease()->renew_at, kStart + absl::Seconds(50));
  EXPECT_EQ(client_.lease()->rebind_at, kStart + absl::Seconds(87.5));
  EXPECT_EQ(client_.lease()->expires_at, kStart + absl::Seconds(100));
  EXPECT_EQ(Sent(), "");
  EXPECT_FALSE(client_.listening());
}

TEST_F(LeaseClientTest, AsksAgainSoonThenLessOften) {
  client_.Start(now_, std::nullopt);
  EXPECT_EQ(Advance(), 0.5);
  EXPECT_EQ(Advance(), 1.5);
  EXPECT_EQ(Advance(), 3.5);
  EXPECT_EQ(Sent(), "all:1 all:1 all:1 all:1");
  EXPECT_EQ(client_.trouble(), "no DHCP server answers");
  for (int i = 0; i < 20; ++i) Advance();
  const absl::Time before = now_;
  Advance();
  EXPECT_EQ(now_ - before, absl::Seconds(64));
}

TEST_F(LeaseClientTest, AnOfferThatIsNotKeptStartsAnew) {
  client_.Start(now_, std::nullopt);
  Sent();
  Hear(2, Option(51, "00000064"));
  for (int i = 0; i < 4; ++i) Advance();
  EXPECT_EQ(Sent(), "all:3 all:3 all:3 all:3 all:1");
}

TEST_F(LeaseClientTest, PassesOverWhatItDidNotAskFor) {
  client_.Start(now_, std::nullopt);
  Sent();
  Hear(5, Option(51, "00000064"));  // an ACK before any request
  EXPECT_FALSE(client_.lease());
  xid_ ^= 1;
  Hear(2, Option(51, "00000064"));  // another client's
  EXPECT_EQ(Sent(), "");
  xid_ ^= 1;
  Hear(2);  // BOOTP: no lease time
  EXPECT_EQ(Sent(), "");
}

TEST_F(LeaseClientTest, RenewsAtT1AndRebindsAtT2) {
  Bind();
  EXPECT_EQ(Advance(), 50);
  EXPECT_EQ(client_.state(), LeaseState::kRenewing);
  EXPECT_EQ(Sent(), "one:3");
  EXPECT_EQ(Advance(), 68.75);  // half of what is left until T2
  while (client_.state() == LeaseState::kRenewing) Advance();
  EXPECT_EQ(now_, kStart + absl::Seconds(87.5));
  EXPECT_THAT(Sent(), HasSubstr("one:3 all:3"));
  Hear(5, Option(51, "00000064"));
  EXPECT_EQ(client_.state(), LeaseState::kBound);
  EXPECT_EQ(client_.lease()->expires_at, kStart + absl::Seconds(187.5));
  EXPECT_EQ(client_.trouble(), "");
}

TEST_F(LeaseClientTest, TheServersOwnTimesCountWhereTheyMakeSense) {
  client_.Start(now_, std::nullopt);
  Sent();
  Hear(2, Option(51, "00000064"));
  Sent();
  Hear(5, Option(51, "00000064") + Option(58, "0000000a") +
              Option(59, "00000014"));
  EXPECT_EQ(client_.lease()->renew_at, kStart + absl::Seconds(10));
  EXPECT_EQ(client_.lease()->rebind_at, kStart + absl::Seconds(20));
  Advance();
  Sent();
  Hear(5, Option(51, "00000064") + Option(58, "00000064") +
              Option(59, "00000014"));
  EXPECT_EQ(client_.lease()->renew_at - now_, absl::Seconds(50));
}

TEST_F(LeaseClientTest, TheLeaseEndsInTimeAndIsAskedForAgain) {
  Bind();
  while (client_.lease()) Advance();
  EXPECT_EQ(now_, kStart + absl::Seconds(100));
  EXPECT_EQ(client_.state(), LeaseState::kAcquiring);
  EXPECT_EQ(client_.trouble(), "the lease of 192.0.2.7 expired");
  const std::vector<std::string> frames = client_.TakeFrames();
  EXPECT_THAT(absl::BytesToHexString(frames.back()), HasSubstr("3204c0000207"));
}

TEST_F(LeaseClientTest, ARefusalEndsTheLeaseAtOnce) {
  Bind();
  Advance();
  Sent();
  Hear(6, Option(56, absl::BytesToHexString("not here")));
  EXPECT_FALSE(client_.lease());
  EXPECT_EQ(client_.trouble(),
            "DHCP server 192.0.2.1 refused 192.0.2.7: not here");
  EXPECT_EQ(Sent(), "all:1");
}

TEST_F(LeaseClientTest, AnotherAddressAtRenewalIsTaken) {
  Bind();
  Advance();
  Sent();
  Hear(5, Option(51, "00000064"), "192.0.2.8");
  ASSERT_TRUE(client_.lease());
  EXPECT_EQ(client_.lease()->address.ToString(), "192.0.2.8");
}

TEST_F(LeaseClientTest, AnInfiniteLeaseIsNeverRenewed) {
  client_.Start(now_, std::nullopt);
  Sent();
  Hear(2, Option(51, "ffffffff"));
  Sent();
  Hear(5, Option(51, "ffffffff"));
  ASSERT_TRUE(client_.lease());
  EXPECT_EQ(client_.next(), absl::InfiniteFuture());
  EXPECT_EQ(client_.lease()->expires_at, absl::InfiniteFuture());
}

TEST_F(LeaseClientTest, AnAdoptedLeaseSaysNothingUntilItMust) {
  Bind();
  const Lease lease = *client_.lease();
  LeaseClient next(kMac, {std::string("\0x", 2), ""}, [] { return 9u; });
  next.Adopt(lease, kStart + absl::Seconds(10));
  EXPECT_TRUE(next.TakeFrames().empty());
  EXPECT_EQ(next.next(), lease.renew_at);
  // The agent was away for too long: nobody may use the address.
  LeaseClient late(kMac, {std::string("\0x", 2), ""}, [] { return 9u; });
  late.Adopt(lease, kStart + absl::Seconds(101));
  EXPECT_FALSE(late.lease());
  EXPECT_EQ(late.TakeFrames().size(), 1u);
}

}  // namespace
}  // namespace eoip
