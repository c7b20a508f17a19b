// SPDX-License-Identifier: Apache-2.0
#include "model/vlan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace eoip {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr bool kPvid = true, kUntagged = true;

TEST(VlanTest, AnAccessPortHasOneUntaggedVlan) {
  EXPECT_THAT(MakePortVlans(10, {}),
              ElementsAre(PortVlanRange{10, 10, kPvid, kUntagged}));
}

TEST(VlanTest, ATrunkHasItsNativeVlanUntaggedAlsoInsideOfARange) {
  EXPECT_THAT(
      MakePortVlans(15, {{10, 20}, {30, 30}}),
      ElementsAre(PortVlanRange{10, 14}, PortVlanRange{15, 15, true, true},
                  PortVlanRange{16, 20}, PortVlanRange{30, 30}));
  EXPECT_THAT(MakePortVlans(0, {{1, 4094}}),
              ElementsAre(PortVlanRange{1, 4094}));
}

TEST(VlanTest, RangesThatTouchBecomeOne) {
  EXPECT_THAT(MakePortVlans(0, {{10, 11}, {12, 12}}),
              ElementsAre(PortVlanRange{10, 12}));
}

TEST(VlanTest, NoDifferenceIsNoChange) {
  const PortVlans vlans = MakePortVlans(5, {{10, 20}});
  EXPECT_TRUE(DiffVlans(vlans, vlans).empty());
  EXPECT_TRUE(DiffVlans({}, {}).empty());
}

TEST(VlanTest, OnlyTheDifferenceIsNamed) {
  const VlanChange change = DiffVlans(MakePortVlans(0, {{10, 20}, {40, 40}}),
                                      MakePortVlans(0, {{12, 22}, {40, 40}}));
  EXPECT_THAT(change.add, ElementsAre(PortVlanRange{21, 22}));
  EXPECT_THAT(change.remove, ElementsAre(PortVlanRange{10, 11}));
}

TEST(VlanTest, ChangedFlagsAreAnAddition) {
  // 10 was untagged, is tagged; 20 the other way round.
  const VlanChange change =
      DiffVlans(MakePortVlans(10, {{20, 20}}), MakePortVlans(20, {{10, 10}}));
  EXPECT_THAT(change.add, ElementsAre(PortVlanRange{10, 10},
                                      PortVlanRange{20, 20, kPvid, kUntagged}));
  EXPECT_THAT(change.remove, IsEmpty());
}

TEST(VlanTest, TheDifferenceTurnsOneIntoTheOther) {
  const PortVlans sets[] = {{},
                            MakePortVlans(1, {}),
                            MakePortVlans(7, {{5, 9}, {11, 4094}}),
                            MakePortVlans(0, {{1, 4094}}),
                            MakePortVlans(4094, {{2, 3}})};
  for (const PortVlans& have : sets) {
    for (const PortVlans& want : sets) {
      const VlanChange change = DiffVlans(have, want);
      // As the kernel does it: additions replace, removals take away.
      std::vector<PortVlanRange> after(kMaxVlan + 1);
      for (const PortVlans* list : {&have, &change.add}) {
        for (const PortVlanRange& range : *list) {
          for (uint16_t id = range.first; id <= range.last; ++id) {
            after[id] = {id, id, range.pvid, range.untagged};
          }
        }
      }
      for (uint16_t id : IdsOf(change.remove)) after[id] = {};
      std::vector<uint16_t> ids;
      for (const PortVlanRange& vlan : after) {
        if (vlan.first != 0) ids.push_back(vlan.first);
      }
      EXPECT_EQ(ids, IdsOf(want));
      for (const PortVlanRange& range : want) {
        for (uint16_t id = range.first; id <= range.last; ++id) {
          EXPECT_EQ(after[id].pvid, range.pvid) << id;
          EXPECT_EQ(after[id].untagged, range.untagged) << id;
        }
      }
    }
  }
}

TEST(VlanTest, TextIsForPeople) {
  EXPECT_EQ(ToString(PortVlans{}), "none");
  EXPECT_EQ(ToString(MakePortVlans(1, {{10, 20}})), "1 untagged, 10-20 tagged");
}

}  // namespace
}  // namespace eoip
