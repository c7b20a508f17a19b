// SPDX-License-Identifier: Apache-2.0
#include "tapd/counters.h"

#include <vector>

#include "gtest/gtest.h"
#include "tapd/counters_proto.h"

namespace eoip::tapd {
namespace {

TEST(BatchCountersTest, CountsBatchesBySizeInPowersOfTwo) {
  BatchCounters counters;
  for (uint64_t n : {1, 2, 3, 4, 7, 8, 64, 127, 128, 5000}) {
    counters.Add(n, 10 * n);
  }
  EXPECT_EQ(counters.batches.Get(), 10u);
  EXPECT_EQ(counters.packets.Get(), 5344u);
  EXPECT_EQ(counters.bytes.Get(), 53440u);
  std::vector<uint64_t> sizes;
  for (const Counter& count : counters.sizes) sizes.push_back(count.Get());
  EXPECT_EQ(sizes, (std::vector<uint64_t>{1, 2, 2, 1, 0, 0, 2, 2}));
}

TEST(WorkerInfoTest, AWorkerGoesOnWithTheCountersOfAnother) {
  BatchCounters rx, tx, next_rx, next_tx;
  rx.Add(3, 100);
  tx.Add(1, 200);
  tx.Add(200, 300);
  v1::WorkerInfo info;
  FillWorkerInfo(rx, tx, &info);
  RestoreWorkerInfo(info, &next_rx, &next_tx);
  v1::WorkerInfo restored;
  FillWorkerInfo(next_rx, next_tx, &restored);
  EXPECT_EQ(restored.SerializeAsString(), info.SerializeAsString());
  EXPECT_EQ(restored.rx_bytes(), 100u);
  EXPECT_EQ(restored.tx_bytes(), 500u);
  EXPECT_EQ(restored.tx_packets(), 201u);
  EXPECT_EQ(restored.tx_batches(), 2u);
}

}  // namespace
}  // namespace eoip::tapd
