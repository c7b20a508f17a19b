// SPDX-License-Identifier: Apache-2.0
#include "tapd/inner_frame.h"

#include <cstdint>
#include <vector>

#include "gtest/gtest.h"
#include "tapd/testing/packets.h"

namespace eoip::tapd {
namespace {

using testing::Bytes;
using testing::Concat;
using testing::FromHex;
using testing::InternetChecksum;
using testing::MakeIpv4;
using testing::MakeIpv6;
using testing::OuterOptions;

const Bytes kMacs = FromHex("0200000000aa 020000000011");

OuterOptions Tos(uint8_t tos, bool dont_fragment = false) {
  OuterOptions options;
  options.tos = tos;
  options.dont_fragment = dont_fragment;
  return options;
}

TEST(FindInnerIp, SeesThroughVlanTags) {
  const Bytes ip =
      MakeIpv4("10.0.0.1", "10.0.0.2", 6, Bytes(8), Tos(0xb9, true));
  for (const char* types : {"0800", "81000005 0800", "88a80005 81000006 0800",
                            "88a80005 81000006 91000007 0800"}) {
    const Bytes head = Concat(kMacs, FromHex(types));
    const auto inner = FindInnerIp(Concat(head, ip));
    ASSERT_TRUE(inner.has_value()) << types;
    EXPECT_FALSE(inner->ipv6);
    EXPECT_EQ(inner->offset, head.size());
    EXPECT_EQ(inner->tos, 0xb9);
    EXPECT_TRUE(inner->dont_fragment);
  }
  const auto inner =
      FindInnerIp(Concat(Concat(kMacs, FromHex("86dd")),
                         MakeIpv6("fd00::1", "fd00::2", 6, {}, Tos(0x5a))));
  ASSERT_TRUE(inner.has_value());
  EXPECT_TRUE(inner->ipv6);
  EXPECT_EQ(inner->tos, 0x5a);
}

TEST(FindInnerIp, IsContentWithAnyBytes) {
  const Bytes frame = Concat(Concat(kMacs, FromHex("81000005 81000005 0800")),
                             MakeIpv4("10.0.0.1", "10.0.0.2", 6, {}));
  for (size_t n = 0; n < frame.size(); ++n) {
    EXPECT_FALSE(
        FindInnerIp(absl::MakeConstSpan(frame).subspan(0, n)).has_value());
  }
  EXPECT_TRUE(FindInnerIp(frame).has_value());
  // The EtherType alone does not make it IP.
  Bytes lie = frame;
  lie[22] = 0x65;
  EXPECT_FALSE(FindInnerIp(lie).has_value());
  // Four tags are too many.
  EXPECT_FALSE(
      FindInnerIp(Concat(Concat(kMacs, FromHex("81000001 81000001 81000001 "
                                               "81000001 0800")),
                         Bytes(20, 0x45)))
          .has_value());
}

TEST(OuterTos, DscpIsFixedOrInheritedEcnAlwaysInherited) {
  const InnerIp inner{false, 14, 0xb8 | 2, false};
  EXPECT_EQ(OuterTos(std::nullopt, inner), 0xba);
  EXPECT_EQ(OuterTos(0, inner), 2);
  EXPECT_EQ(OuterTos(63, inner), 0xfe);
  EXPECT_EQ(OuterTos(std::nullopt, std::nullopt), 0);
  EXPECT_EQ(OuterTos(46, std::nullopt), 0xb8);
}

// RFC 6040, figure 4, but without its drop.
TEST(ApplyOuterEcn, FollowsRfc6040) {
  for (int outer = 0; outer < 4; ++outer) {
    for (int inner = 0; inner < 4; ++inner) {
      const bool marks = outer == 3 && (inner == 1 || inner == 2);
      const int want = marks ? 3 : inner;
      Bytes v4 = Concat(Concat(kMacs, FromHex("0800")),
                        MakeIpv4("10.0.0.1", "10.0.0.2", 6, Bytes(4),
                                 Tos(static_cast<uint8_t>(0xb8 | inner))));
      ApplyOuterEcn(static_cast<uint8_t>(outer), absl::MakeSpan(v4));
      EXPECT_EQ(v4[15], 0xb8 | want) << outer << " " << inner;
      EXPECT_EQ(InternetChecksum(Bytes(v4.begin() + 14, v4.begin() + 34)), 0);
      Bytes v6 = Concat(Concat(kMacs, FromHex("86dd")),
                        MakeIpv6("fd00::1", "fd00::2", 6, Bytes(4),
                                 Tos(static_cast<uint8_t>(0xb8 | inner))));
      ApplyOuterEcn(static_cast<uint8_t>(outer), absl::MakeSpan(v6));
      EXPECT_EQ(FindInnerIp(v6)->tos, 0xb8 | want) << outer << " " << inner;
    }
  }
}

}  // namespace
}  // namespace eoip::tapd
