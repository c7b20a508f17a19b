// SPDX-License-Identifier: Apache-2.0
#include "tapd/poll_window.h"

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

constexpr int64_t kMostNs = 50'000;

TEST(PollWindowTest, IsClosedAtFirst) {
  PollWindow window(kMostNs);
  window.Worked(1000);
  EXPECT_FALSE(window.Open(1000));
}

TEST(PollWindowTest, ShortSleepsOpenItByStepsUpToTheMost) {
  PollWindow window(kMostNs);
  int64_t now = 1'000'000;
  for (int64_t expected : {10'000, 20'000, 40'000, 50'000, 50'000}) {
    window.Slept(now, now + 30'000);
    now += 30'000;
    EXPECT_EQ(window.window_ns(), expected);
    EXPECT_TRUE(window.Open(now + expected - 1));
    EXPECT_FALSE(window.Open(now + expected));
  }
}

TEST(PollWindowTest, WorkKeepsItOpen) {
  PollWindow window(kMostNs);
  window.Slept(0, 5'000);
  window.Worked(14'000);
  EXPECT_TRUE(window.Open(23'999));
  EXPECT_FALSE(window.Open(24'000));
}

TEST(PollWindowTest, OneLongSleepClosesIt) {
  PollWindow window(kMostNs);
  for (int i = 0; i < 5; ++i) window.Slept(0, 1);
  window.Slept(0, kMostNs + 1);
  EXPECT_FALSE(window.Open(kMostNs + 1));
}

TEST(PollWindowTest, AProcessorThatOthersWantClosesIt) {
  PollWindow window(kMostNs);
  window.Slept(0, 1);
  window.Yielded(10, 10 + PollWindow::kLongYieldNs);
  EXPECT_TRUE(window.Open(20));
  window.Yielded(10, 11 + PollWindow::kLongYieldNs);
  EXPECT_FALSE(window.Open(20));
}

TEST(PollWindowTest, CanBeTurnedOff) {
  PollWindow window(0);
  EXPECT_FALSE(window.enabled());
  window.Slept(100, 100);
  EXPECT_FALSE(window.Open(100));
}

}  // namespace
}  // namespace eoip::tapd
