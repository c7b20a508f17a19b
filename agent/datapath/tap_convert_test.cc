// SPDX-License-Identifier: Apache-2.0
#include "datapath/tap_convert.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ReadingFromTapd, PassesOnEveryCounter) {
  tapd::v1::TapTunnel tunnel;
  tunnel.set_last_heard_ms(1500);
  tunnel.set_peer_up(false);
  tapd::v1::Counters* from = tunnel.mutable_counters();
  from->set_rx_packets(1);
  from->set_rx_bytes(2);
  from->set_tx_packets(3);
  from->set_tx_bytes(4);
  from->set_rx_keepalives(5);
  from->set_tx_keepalives(6);
  from->set_tx_super_frames(7);
  from->set_rx_super_frames(8);
  from->set_rx_clamped(9);
  from->set_tx_fast_packets(10);
  (*from->mutable_drops())["too_big"] = 11;
  const TunnelReading reading = ReadingFromTapd(tunnel);
  EXPECT_EQ(reading.counters.rx_packets, 1u);
  EXPECT_EQ(reading.counters.rx_bytes, 2u);
  EXPECT_EQ(reading.counters.tx_packets, 3u);
  EXPECT_EQ(reading.counters.tx_bytes, 4u);
  EXPECT_EQ(reading.counters.rx_keepalives, 5u);
  EXPECT_EQ(reading.counters.tx_keepalives, 6u);
  EXPECT_THAT(
      reading.counters.details,
      ElementsAre(Pair("rx_mss_clamped", 9), Pair("rx_super_frames", 8),
                  Pair("tx_fast_packets", 10), Pair("tx_super_frames", 7)));
  EXPECT_THAT(reading.counters.drops, ElementsAre(Pair("too_big", 11)));
  EXPECT_EQ(reading.last_heard, absl::Milliseconds(1500));
  EXPECT_FALSE(reading.peer_up);
}

TEST(ReadingFromTapd, LeavesOutWhatNeverHappened) {
  const TunnelReading reading = ReadingFromTapd(tapd::v1::TapTunnel());
  EXPECT_THAT(reading.counters.details, IsEmpty());
  EXPECT_THAT(reading.counters.drops, IsEmpty());
}

TEST(WorkersFromTapd, PassesOnEveryCounter) {
  tapd::v1::Info info;
  info.set_start_time_ms(1'800'000'000'123);
  info.add_worker_info();
  tapd::v1::WorkerInfo* from = info.add_worker_info();
  from->set_rx_packets(1);
  from->set_rx_bytes(2);
  from->set_rx_batches(3);
  from->add_rx_batch_sizes(4);
  from->add_rx_batch_sizes(5);
  from->set_tx_packets(6);
  from->set_tx_bytes(7);
  from->set_tx_batches(8);
  from->add_tx_batch_sizes(9);
  from->set_waits(10);
  from->set_idle_polls(11);
  (*from->mutable_drops())["foreign"] = 12;
  const WorkersReading reading = WorkersFromTapd(info);
  EXPECT_EQ(reading.since, absl::FromUnixMillis(1'800'000'000'123));
  ASSERT_EQ(reading.workers.size(), 2u);
  EXPECT_EQ(reading.workers[0].rx.packets, 0u);
  const WorkerCounters& worker = reading.workers[1];
  EXPECT_EQ(worker.rx.packets, 1u);
  EXPECT_EQ(worker.rx.bytes, 2u);
  EXPECT_EQ(worker.rx.batches, 3u);
  EXPECT_THAT(worker.rx.batch_sizes, ElementsAre(4, 5));
  EXPECT_EQ(worker.tx.packets, 6u);
  EXPECT_EQ(worker.tx.bytes, 7u);
  EXPECT_EQ(worker.tx.batches, 8u);
  EXPECT_THAT(worker.tx.batch_sizes, ElementsAre(9));
  EXPECT_EQ(worker.waits, 10u);
  EXPECT_EQ(worker.idle_polls, 11u);
  EXPECT_THAT(worker.drops, ElementsAre(Pair("foreign", 12)));
}

}  // namespace
}  // namespace eoip
