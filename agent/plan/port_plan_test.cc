// SPDX-License-Identifier: Apache-2.0
//
// What is planned for VLANs and locks of ports.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/plan.h"

namespace eoip {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A network "lan" that filters, a NIC "eth1" and a pod's port "veth1" as
// wanted.
class PortPlanTest : public testing::Test {
 protected:
  PortPlanTest() {
    wanted_.node = "node";
    NetworkSpec& network = wanted_.networks["lan"];
    network.id = "lan";
    network.vlan_filtering = true;
    network.ports.push_back({.link = "eth1"});
    AttachmentSpec& pod = wanted_.attachments[{"lan", "pod"}];
    pod.network = "lan";
    pod.id = "pod";
    pod.host_link = "veth1";
    pod.mac = *MacAddress::Parse("02:00:00:00:00:01");

    Link& bridge = Have("lan", "bridge", kOwnedGroup);
    bridge.mac = MacAddress::Derive("node", "lan");
    bridge.bridge = BridgeInfo{
        .multicast_snooping = false, .vlan_filtering = true, .default_pvid = 0};
    bridge.vlans = MakePortVlans(1, {});
    for (const auto& [name, group] :
         {std::pair("eth1", 0u), std::pair("veth1", kPortGroup)}) {
      Link& port = Have(name, "veth", group);
      port.master = bridge.ifindex;
      port.bridge_port = BridgePortInfo{.state = 3};
      port.vlans = MakePortVlans(1, {});
    }
  }

  Link& Have(const std::string& name, const std::string& kind, uint32_t group) {
    Link& link = observed_.links[name];
    link.name = name;
    link.kind = kind;
    link.group = group;
    link.ifindex = static_cast<uint32_t>(observed_.links.size());
    link.mtu = 1500;
    link.up = true;
    return link;
  }
  Link& link(const std::string& name) { return observed_.links.at(name); }
  NetworkSpec& network() { return wanted_.networks.at("lan"); }
  AttachmentSpec& pod() { return wanted_.attachments.at({"lan", "pod"}); }

  std::vector<std::string> Plan() const {
    std::vector<std::string> lines;
    for (const Step& step : MakePlan(wanted_, observed_, {.all = true})) {
      lines.push_back(ToString(step));
    }
    return lines;
  }

  Wanted wanted_;
  Observed observed_;
};

TEST_F(PortPlanTest, PortsThatNameNoVlanAreInTheDefaultOne) {
  EXPECT_THAT(Plan(), IsEmpty());
}

TEST_F(PortPlanTest, ANewBridgeFiltersFromItsFirstMomentOn) {
  observed_.links.erase("lan");
  for (const char* name : {"eth1", "veth1"}) {
    link(name).master = 0;
    link(name).bridge_port.reset();
    link(name).vlans.reset();
  }
  EXPECT_THAT(
      Plan(),
      ElementsAre(
          "networks/lan create bridge lan",
          "networks/lan set vlans of lan add 1 untagged",
          "networks/lan set eth1 master lan",
          "networks/lan set vlans of eth1 add 1 untagged",
          "networks/lan/attachments/pod set veth1 group 1701800306 master lan",
          "networks/lan/attachments/pod set vlans of veth1 add 1 untagged",
          "networks/lan set lan up"));
  for (const Step& step : MakePlan(wanted_, observed_, {.all = true})) {
    const auto* bridge = std::get_if<PutBridge>(&step.action);
    if (bridge == nullptr) continue;
    EXPECT_TRUE(bridge->info.vlan_filtering);
    EXPECT_EQ(bridge->info.default_pvid, 0u);
  }
}

TEST_F(PortPlanTest, FilteringIsSwitchedOnWhenPortsHaveTheirVlans) {
  link("lan").bridge = BridgeInfo{.multicast_snooping = false};
  pod().vlan = 10;
  EXPECT_THAT(
      Plan(),
      ElementsAre("networks/lan change bridge lan",
                  "networks/lan/attachments/pod set vlans of veth1 add 10 "
                  "untagged remove 1",
                  "networks/lan change bridge lan"));
  const auto steps = MakePlan(wanted_, observed_, {.all = true});
  const auto& first = std::get<PutBridge>(steps.front().action).info;
  const auto& last = std::get<PutBridge>(steps.back().action).info;
  EXPECT_FALSE(first.vlan_filtering);
  EXPECT_EQ(first.default_pvid, 0u);
  EXPECT_TRUE(last.vlan_filtering);
}

TEST_F(PortPlanTest, WithoutFilteringVlansAreNobodysBusiness) {
  network().vlan_filtering = false;
  EXPECT_THAT(Plan(), ElementsAre("networks/lan change bridge lan"));
  link("lan").bridge->vlan_filtering = false;
  link("veth1").vlans = MakePortVlans(7, {{1, 4094}});
  EXPECT_THAT(Plan(), IsEmpty());
}

TEST_F(PortPlanTest, OnlyTheDifferenceOfVlansIsSet) {
  pod().vlan = 5;
  pod().trunk = {{10, 20}};
  link("veth1").vlans = MakePortVlans(5, {{10, 18}, {30, 31}});
  network().ports[0].pvid = 7;
  EXPECT_THAT(
      Plan(),
      ElementsAre("networks/lan set vlans of eth1 add 7 untagged remove 1",
                  "networks/lan/attachments/pod set vlans of veth1 add 19-20 "
                  "tagged remove 30-31"));
}

TEST_F(PortPlanTest, VlansOfTheBridgeItselfAreOthersUnlessThereAreNone) {
  link("lan").vlans = MakePortVlans(9, {{10, 10}});
  EXPECT_THAT(Plan(), IsEmpty());
  link("lan").vlans = PortVlans{};
  EXPECT_THAT(Plan(),
              ElementsAre("networks/lan set vlans of lan add 1 untagged"));
}

TEST_F(PortPlanTest, APortIsLockedBeforeItHasVlansAndMacs) {
  pod().locked = true;
  pod().vlan = 10;
  pod().trunk = {{20, 20}};
  EXPECT_THAT(
      Plan(),
      ElementsAre(
          "networks/lan/attachments/pod set port veth1 not isolated locked",
          "networks/lan/attachments/pod set vlans of veth1 add 10 untagged, 20 "
          "tagged remove 1",
          "networks/lan/attachments/pod set fdb of veth1 add "
          "02:00:00:00:00:01 vlan 10 add 02:00:00:00:00:01 vlan 20"));
}

TEST_F(PortPlanTest, ALockedPortHasItsMacAndNoOther) {
  const MacAddress own = *pod().mac;
  const MacAddress other = *MacAddress::Parse("02:00:00:00:00:02");
  pod().locked = true;
  link("veth1").bridge_port = {.state = 3, .locked = true, .learning = false};
  link("veth1").pinned = PinnedMacs{{own, 0}, {own, 1}};
  EXPECT_THAT(Plan(), IsEmpty());
  // Of VLAN 0 the kernel would remove all of the same MAC.
  link("veth1").pinned = PinnedMacs{{other, 1}};
  EXPECT_THAT(Plan(), ElementsAre("networks/lan/attachments/pod set fdb of "
                                  "veth1 add 02:00:00:00:00:01 vlan 1 remove "
                                  "02:00:00:00:00:02 vlan 1"));
  link("veth1").pinned = PinnedMacs{{own, 1}};
  link("veth1").bridge_port->learning = true;
  EXPECT_THAT(Plan(), ElementsAre("networks/lan/attachments/pod set port "
                                  "veth1 not isolated locked"));
}

TEST_F(PortPlanTest, APortIsUnlockedWhenItsMacsAreGone) {
  link("veth1").bridge_port = {.state = 3, .locked = true, .learning = false};
  link("veth1").pinned = PinnedMacs{{*pod().mac, 1}};
  EXPECT_THAT(
      Plan(),
      ElementsAre("networks/lan/attachments/pod set fdb of veth1 remove "
                  "02:00:00:00:00:01 vlan 1",
                  "networks/lan/attachments/pod set port veth1 not isolated"));
}

}  // namespace
}  // namespace eoip
