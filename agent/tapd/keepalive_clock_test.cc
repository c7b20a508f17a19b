// SPDX-License-Identifier: Apache-2.0
#include "tapd/keepalive_clock.h"

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStart = 1000 * kSecond;

TEST(KeepaliveClock, SendsAtOnceThenEveryInterval) {
  KeepaliveClock clock(10, 10, kStart);
  EXPECT_TRUE(clock.TakeSend(kStart));
  EXPECT_FALSE(clock.TakeSend(kStart));
  EXPECT_FALSE(clock.TakeSend(kStart + 10 * kSecond - 1));
  EXPECT_TRUE(clock.TakeSend(kStart + 10 * kSecond));
}

TEST(KeepaliveClock, DoesNotDriftWhenCalledLate) {
  KeepaliveClock clock(10, 10, kStart);
  EXPECT_TRUE(clock.TakeSend(kStart + 1 * kSecond));
  EXPECT_EQ(clock.NextDeadline(false, 0), kStart + 10 * kSecond);
  EXPECT_TRUE(clock.TakeSend(kStart + 12 * kSecond));
  EXPECT_EQ(clock.NextDeadline(false, 0), kStart + 20 * kSecond);
}

TEST(KeepaliveClock, DoesNotMakeUpForLostTime) {
  KeepaliveClock clock(10, 10, kStart);
  // The machine slept for an hour: one now, one an interval later.
  const int64_t later = kStart + 3600 * kSecond;
  EXPECT_TRUE(clock.TakeSend(later));
  EXPECT_FALSE(clock.TakeSend(later));
  EXPECT_FALSE(clock.TakeSend(later + 10 * kSecond - 1));
  EXPECT_TRUE(clock.TakeSend(later + 10 * kSecond));
}

TEST(KeepaliveClock, PeerIsDeadAfterElevenTenthsOfTheAllowedSilence) {
  KeepaliveClock clock(10, 10, kStart);
  EXPECT_FALSE(clock.Dead(kStart, kStart + 110 * kSecond - 1));
  EXPECT_TRUE(clock.Dead(kStart, kStart + 110 * kSecond));
}

TEST(KeepaliveClock, LooksAgainForTheEarlierOfBoth) {
  KeepaliveClock clock(10, 1, kStart);
  ASSERT_TRUE(clock.TakeSend(kStart));
  EXPECT_EQ(clock.NextDeadline(true, kStart - 5 * kSecond),
            kStart + 6 * kSecond);
  EXPECT_EQ(clock.NextDeadline(true, kStart), kStart + 10 * kSecond);
  EXPECT_EQ(clock.NextDeadline(false, kStart - 5 * kSecond),
            kStart + 10 * kSecond);
}

TEST(KeepaliveClock, OffNeverWantsAnything) {
  KeepaliveClock clock(0, 10, kStart);
  EXPECT_FALSE(clock.TakeSend(kStart + kSecond));
  EXPECT_FALSE(clock.Dead(0, kStart));
  EXPECT_EQ(clock.NextDeadline(true, kStart), KeepaliveClock::kNever);
}

TEST(KeepaliveClock, WithoutRetriesSendsButForgivesSilence) {
  KeepaliveClock clock(10, 0, kStart);
  EXPECT_TRUE(clock.TakeSend(kStart));
  EXPECT_FALSE(clock.Dead(0, kStart + 100000 * kSecond));
  EXPECT_EQ(clock.NextDeadline(true, 0), kStart + 10 * kSecond);
}

}  // namespace
}  // namespace eoip::tapd
