// SPDX-License-Identifier: Apache-2.0
//
// The bytes of requests are those that iproute2's `bridge` writes, but for the
// attributes of its own; ids from linux/if_bridge.h and linux/neighbour.h.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netlink/messages.h"
#include "netlink/test_bytes.h"

namespace eoip {
namespace {

using testing::ElementsAre;

constexpr uint16_t kNewNeigh = 28, kNewVlan = 112;

std::string U16(uint16_t value) {
  return {static_cast<char>(value), static_cast<char>(value >> 8)};
}

// Header of a message with these bytes behind it.
std::string Whole(uint16_t type, const std::string& rest) {
  return U32(static_cast<uint32_t>(16 + rest.size())) + U16(type) + U16(0) +
         U32(7) + U32(0) + rest;
}

std::string Entry(uint16_t flags, uint16_t vlan, uint16_t last = 0) {
  std::string bytes = Attribute(1, U16(flags) + U16(vlan));
  if (last != 0) bytes += Attribute(2, U16(last));
  return Attribute(1 | 0x8000, bytes);
}

absl::StatusOr<VlanNews> Vlans(const std::string& attributes) {
  const Message message(
      Whole(kNewVlan, FromHex("07000000") + U32(5) + attributes));
  return ParseVlans(message.get());
}

absl::StatusOr<std::optional<Pin>> Fdb(uint16_t state, uint8_t flags,
                                       const std::string& attributes) {
  const Message message(Whole(
      kNewNeigh, FromHex("07000000") + U32(5) + U16(state) +
                     std::string({static_cast<char>(flags), 0}) + attributes));
  return ParsePin(message.get());
}

std::string Mac() { return Attribute(2, FromHex("020000000001")); }

TEST(MakeVlans, RangesHaveABeginAndAnEnd) {
  // bridge vlan add dev #5 vid 7 pvid untagged; ... vid 10-20
  EXPECT_EQ(MakeAddVlans(5, false, MakePortVlans(7, {{10, 20}})).substr(16),
            FromHex("07000000 05000000 00000000 00000000"
                    "1c001a80"
                    "08000200 06000700"
                    "08000200 08000a00"
                    "08000200 10001400"));
  // bridge vlan del dev #6 vid 7 self
  EXPECT_EQ(MakeRemoveVlans(6, true, {{7, 7}}).substr(4, 2), U16(17));
  EXPECT_EQ(MakeRemoveVlans(6, true, {{7, 7}}).substr(32),
            FromHex("14001a80 06000000 02000000 08000200 00000700"));
}

TEST(MakePin, IsStaticAndSticky) {
  // bridge fdb replace 02:00:00:00:00:01 dev #5 master static sticky vlan 10
  const MacAddress mac = *MacAddress::Parse("02:00:00:00:00:01");
  EXPECT_EQ(MakeAddPin(5, mac, 10).substr(16),
            FromHex("07000000 05000000 40004400"
                    "0a000200 02000000 00010000"
                    "06000500 0a000000"));
  EXPECT_EQ(MakeAddPin(5, mac, 0).size() + 8, MakeAddPin(5, mac, 10).size());
}

TEST(ParseVlans, ReadsRangesAndFlags) {
  const auto news = Vlans(Entry(6, 7) + Entry(0, 10, 20) + Entry(4, 30));
  ASSERT_TRUE(news.ok());
  EXPECT_EQ(news->ifindex, 5u);
  EXPECT_THAT(news->vlans, ElementsAre(PortVlanRange{7, 7, true, true},
                                       PortVlanRange{10, 20},
                                       PortVlanRange{30, 30, false, true}));
}

TEST(ParseVlans, LeavesOutWhatMakesNoSense) {
  EXPECT_THAT(Vlans("")->vlans, testing::IsEmpty());
  EXPECT_THAT(Vlans(Entry(0, 0) + Entry(0, 4095) + Entry(0, 9, 8) +
                    Entry(0, 10, 5000) + Attribute(1, U16(1)) + Entry(0, 3))
                  ->vlans,
              ElementsAre(PortVlanRange{3, 3}));
  const Message shorter(Whole(kNewVlan, FromHex("07000000")));
  EXPECT_FALSE(ParseVlans(shorter.get()).ok());
}

TEST(ParsePin, ReadsStaticEntriesOnly) {
  constexpr uint16_t kStatic = 0x40, kPermanent = 0x80, kReachable = 2;
  const auto pin = Fdb(kStatic, 0x40, Mac() + Attribute(5, U16(10)));
  ASSERT_TRUE(pin.ok() && *pin);
  EXPECT_EQ((*pin)->port, 5u);
  EXPECT_EQ((*pin)->mac.ToString(), "02:00:00:00:00:01");
  EXPECT_EQ((*pin)->vlan, 10);
  EXPECT_EQ((*Fdb(kStatic, 0, Mac()))->vlan, 0);
  for (const uint16_t state : {kPermanent, kReachable}) {
    EXPECT_FALSE(Fdb(state, 0, Mac())->has_value()) << state;
  }
  EXPECT_FALSE(Fdb(kStatic, 2, Mac())->has_value());  // the link's own
  EXPECT_FALSE(Fdb(kStatic, 0, "")->has_value());
  EXPECT_FALSE(Fdb(kStatic, 0, Attribute(2, U32(1)))->has_value());
  EXPECT_FALSE(Fdb(kStatic, 0, Mac() + Attribute(5, U16(5000)))->has_value());
  const Message shorter(Whole(kNewNeigh, FromHex("07000000")));
  EXPECT_FALSE(ParsePin(shorter.get()).ok());
}

}  // namespace
}  // namespace eoip
