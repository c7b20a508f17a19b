// SPDX-License-Identifier: Apache-2.0
//
// A broken inner checksum is never made right.
#include <cstdint>
#include <random>
#include <vector>

#include "gtest/gtest.h"
#include "tapd/coalesce.h"
#include "tapd/testing/flow_frames.h"

namespace eoip::tapd::testing {
namespace {

// It stays alone and as it was; its vnet header lets the kernel check it.
TEST(Coalescer, NeverLaundersABrokenFrame) {
  std::mt19937 random(3);
  for (const Segment& s : Kinds()) {
    const auto train = MakeTrain(s, Random(8 * 500, 8), 500);
    const size_t l4_at = (s.vlan ? 18u : 14u) + (s.ipv6 ? 40u : 20u);
    for (size_t broken = 0; broken < train.size(); ++broken) {
      // The checksum itself, the payload's first, last and any byte.
      for (size_t at : {l4_at + (s.udp ? 6 : 16), l4_at + (s.udp ? 8u : 20u),
                        train[broken].size() - 1,
                        train[broken].size() - 1 - random() % 400}) {
        std::vector<Bytes> frames = train;
        frames[broken][at] ^= static_cast<uint8_t>(1 << random() % 8);
        const Bytes want = frames[broken];
        size_t passed = 0, key = 0, alone = 0;
        const auto sink = [&](void*, absl::Span<iovec> pieces, size_t count,
                              size_t) {
          const bool holds_broken = passed <= broken && broken < passed + count;
          passed += count;
          if (!holds_broken) return;
          ASSERT_EQ(pieces.size(), 2u);
          const auto* vnet = static_cast<const uint8_t*>(pieces[0].iov_base);
          EXPECT_EQ(Bytes(vnet, vnet + 10), Bytes(10));
          const auto* data = static_cast<const uint8_t*>(pieces[1].iov_base);
          EXPECT_EQ(Bytes(data, data + pieces[1].iov_len), want);
          alone = count;
        };
        Coalescer coalescer;
        for (Bytes& f : frames)
          coalescer.Add(&key, absl::MakeSpan(f), true, sink);
        coalescer.Flush(sink);
        EXPECT_TRUE(alone == 1 && passed == train.size())
            << broken << " byte " << at;
      }
    }
  }
}

}  // namespace
}  // namespace eoip::tapd::testing
