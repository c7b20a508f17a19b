// SPDX-License-Identifier: Apache-2.0
#include "tapd/checksum.h"

#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tapd/segment.h"
#include "tapd/testing/packets.h"

namespace eoip::tapd {
namespace {

using testing::Bytes;
using testing::InternetChecksum;

TEST(Checksum, AgreesWithTheDefinitionAtEverySizeAndOffset) {
  std::mt19937 random(1);
  Bytes data(3000);
  for (uint8_t& b : data) b = static_cast<uint8_t>(random());
  for (size_t offset : {0, 1, 2, 3}) {
    for (size_t size = 0; size < 200; ++size) {
      const Bytes part(data.begin() + offset, data.begin() + offset + size);
      uint8_t stored[2];
      StoreSum(stored, static_cast<uint16_t>(~FoldSum(SumBytes(
                           absl::MakeConstSpan(data).subspan(offset, size)))));
      EXPECT_EQ(stored[0] << 8 | stored[1], InternetChecksum(part));
    }
  }
  EXPECT_EQ(FoldSum(SumBytes(Bytes(70000, 0xff))), 0xffff);
}

TEST(FinishChecksum, RefusesAPlaceOutsideTheFrame) {
  Bytes tiny(20);
  VnetHeader vnet;
  vnet.flags = 1;
  vnet.checksum_start = 19;
  EXPECT_FALSE(FinishChecksum(vnet, absl::MakeSpan(tiny)));
  vnet.checksum_start = 65535;
  vnet.checksum_offset = 65535;
  EXPECT_FALSE(FinishChecksum(vnet, absl::MakeSpan(tiny)));
}

}  // namespace
}  // namespace eoip::tapd
