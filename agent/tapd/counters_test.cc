// SPDX-License-Identifier: Apache-2.0
#include "tapd/counters.h"

#include <vector>

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

TEST(BatchCountersTest, CountsBatchesBySizeInPowersOfTwo) {
  BatchCounters counters;
  for (uint64_t n : {1, 2, 3, 4, 7, 8, 64, 127, 128, 5000}) counters.Add(n);
  EXPECT_EQ(counters.batches.Get(), 10u);
  EXPECT_EQ(counters.packets.Get(), 5344u);
  std::vector<uint64_t> sizes;
  for (const Counter& count : counters.sizes) sizes.push_back(count.Get());
  EXPECT_EQ(sizes, (std::vector<uint64_t>{1, 2, 2, 1, 0, 0, 2, 2}));
}

}  // namespace
}  // namespace eoip::tapd
