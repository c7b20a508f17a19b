// SPDX-License-Identifier: Apache-2.0
#include "netlink/driver_counters.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(AddDriverCounters, TellsKeepalivesDetailsAndDropsApart) {
  TunnelCounters counters;
  counters.rx_packets = 7;
  AddDriverCounters({{"rx_keepalives", 1},
                     {"tx_keepalives", 2},
                     {"rx_mss_clamped", 3},
                     {"rx_icmp_errors", 4},
                     {"tx_keepalive_errors", 5},
                     {"tx_gso_soft", 8},
                     {"rx_bad_lengths", 9},
                     {"tx_of_a_newer_module", 10}},
                    counters);
  EXPECT_EQ(counters.rx_packets, 7u);
  EXPECT_EQ(counters.rx_keepalives, 1u);
  EXPECT_EQ(counters.tx_keepalives, 2u);
  EXPECT_THAT(
      counters.details,
      ElementsAre(Pair("rx_icmp_errors", 4), Pair("rx_mss_clamped", 3),
                  Pair("tx_gso_soft", 8), Pair("tx_keepalive_errors", 5)));
  EXPECT_THAT(counters.drops, ElementsAre(Pair("rx_bad_lengths", 9),
                                          Pair("tx_of_a_newer_module", 10)));
}

TEST(AddDriverCounters, LeavesOutWhatNeverHappened) {
  TunnelCounters counters;
  AddDriverCounters({{"rx_keepalives", 0}, {"tx_loops", 0}, {"tx_gso_soft", 0}},
                    counters);
  EXPECT_THAT(counters.drops, IsEmpty());
  EXPECT_THAT(counters.details, IsEmpty());
}

}  // namespace
}  // namespace eoip
