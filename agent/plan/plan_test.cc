// SPDX-License-Identifier: Apache-2.0
#include "plan/plan.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "plan/status.h"

namespace eoip {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A node with one tunnel in one network, as it is once all is applied.
class PlanTest : public testing::Test {
 protected:
  PlanTest() {
    wanted_.node = "node";
    observed_.datapaths[DatapathType::kKernel] = {.reason =
                                                      "module not loaded"};
    observed_.datapaths[DatapathType::kTap] = {.available = true,
                                               .reason = "tapd"};
  }

  TunnelSpec& WantTunnel(const std::string& id) {
    TunnelSpec& spec = wanted_.tunnels[id];
    spec.id = id;
    spec.remote = *IpAddress::Parse("192.0.2.1");
    spec.tunnel_id = static_cast<uint32_t>(wanted_.tunnels.size());
    return spec;
  }

  NetworkSpec& WantNetwork(const std::string& id,
                           const std::vector<std::string>& tunnels) {
    NetworkSpec& spec = wanted_.networks[id];
    spec.id = id;
    for (const std::string& tunnel : tunnels) {
      spec.ports.push_back({.tunnel = tunnel});
    }
    return spec;
  }

  AttachmentSpec& WantAttachment(const std::string& network,
                                 const std::string& id,
                                 const std::string& link) {
    AttachmentSpec& spec = wanted_.attachments[{network, id}];
    spec.network = network;
    spec.id = id;
    spec.host_link = link;
    return spec;
  }

  Link& HaveLink(const std::string& name, const std::string& kind,
                 uint32_t group) {
    Link& link = observed_.links[name];
    link.name = name;
    link.kind = kind;
    link.group = group;
    link.ifindex = next_ifindex_++;
    link.mtu = 1500;
    return link;
  }

  // The tunnel and its link as wanted.
  Link& HaveTunnel(const std::string& id,
                   DatapathType type = DatapathType::kTap) {
    ObservedTunnel tunnel;
    tunnel.config = ResolveTunnel(wanted_.tunnels.at(id), wanted_.node, 0);
    tunnel.datapath = type;
    observed_.tunnels[id] = tunnel;
    Link& link =
        HaveLink(id, type == DatapathType::kTap ? "tun" : "eoip", kOwnedGroup);
    link.mac = tunnel.config.mac;
    link.mtu = tunnel.config.mtu;
    link.up = true;
    return link;
  }

  Link& HaveBridge(const std::string& id) {
    Link& link = HaveLink(id, "bridge", kOwnedGroup);
    link.mac = MacAddress::Derive(wanted_.node, id);
    link.up = true;
    link.bridge = BridgeInfo{.multicast_snooping = false};
    return link;
  }

  std::vector<std::string> Plan(Scope scope = {.all = true}) const {
    std::vector<std::string> lines;
    for (const Step& step : MakePlan(wanted_, observed_, scope)) {
      lines.push_back(ToString(step));
    }
    return lines;
  }

  Wanted wanted_;
  Observed observed_;
  uint32_t next_ifindex_ = 10;
};

TEST_F(PlanTest, NothingWantedNothingThereNothingToDo) {
  EXPECT_THAT(Plan(), IsEmpty());
}

TEST_F(PlanTest, CreatesInOrderAndBringsUpLast) {
  WantTunnel("eoip1");
  WantNetwork("lan", {"eoip1"});
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip1 create TAP eoip1",
                                  "networks/lan create bridge lan",
                                  "networks/lan set eoip1 master lan",
                                  "tunnels/eoip1 set eoip1 up",
                                  "networks/lan set lan up"));
}

TEST_F(PlanTest, AppliedStateGivesNoStep) {
  WantTunnel("eoip1");
  WantNetwork("lan", {"eoip1"});
  WantAttachment("lan", "pod", "veth1");
  const uint32_t bridge = HaveBridge("lan").ifindex;
  HaveTunnel("eoip1").master = bridge;
  Link& veth = HaveLink("veth1", "veth", kPortGroup);
  veth.master = bridge;
  veth.up = true;
  EXPECT_THAT(Plan(), IsEmpty());
}

TEST_F(PlanTest, ModuleIsPreferredAndARunningTunnelStays) {
  observed_.datapaths[DatapathType::kKernel] = {.available = true,
                                                .reason = "eoip.ko"};
  WantTunnel("eoip1");
  WantTunnel("eoip2");
  HaveTunnel("eoip1", DatapathType::kTap);
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip2 create KERNEL eoip2",
                                  "tunnels/eoip2 set eoip2 up"));
}

TEST_F(PlanTest, NamedDatapathNeverFallsBack) {
  WantTunnel("eoip1").datapath = DatapathType::kKernel;
  EXPECT_THAT(Plan(),
              ElementsAre("tunnels/eoip1 blocked: datapath KERNEL is asked for "
                          "but not available: module not loaded"));
}

TEST_F(PlanTest, AnotherDatapathRecreates) {
  observed_.datapaths[DatapathType::kKernel] = {.available = true,
                                                .reason = "eoip.ko"};
  WantTunnel("eoip1").datapath = DatapathType::kKernel;
  HaveTunnel("eoip1", DatapathType::kTap);
  EXPECT_THAT(Plan(), ElementsAre("delete TAP eoip1",
                                  "tunnels/eoip1 create KERNEL eoip1",
                                  "tunnels/eoip1 set eoip1 up"));
}

TEST_F(PlanTest, ForeignLinkIsNeverTouched) {
  WantTunnel("eoip1");
  WantNetwork("lan", {"eoip1"});
  HaveLink("eoip1", "dummy", 0);
  HaveLink("lan", "bridge", 0);
  const std::vector<std::string> plan = Plan();
  ASSERT_EQ(plan.size(), 2u);
  EXPECT_THAT(plan[0],
              HasSubstr("tunnels/eoip1 blocked: link eoip1 exists and is not "
                        "the agent's (kind dummy, ifindex 10)"));
  EXPECT_THAT(plan[1], HasSubstr("networks/lan blocked: link lan exists"));
}

TEST_F(PlanTest, HandMadeLinkOfOurKindIsForeign) {
  observed_.datapaths[DatapathType::kKernel] = {.available = true,
                                                .reason = "eoip.ko"};
  WantTunnel("eoip1");
  HaveTunnel("eoip1", DatapathType::kKernel).group = 0;
  EXPECT_THAT(Plan(), ElementsAre(HasSubstr("blocked: link eoip1 exists")));
  wanted_.tunnels.clear();
  EXPECT_THAT(Plan(), IsEmpty());
}

TEST_F(PlanTest, LeftoversAreDeletedInOneBatchButProtectedOnesStay) {
  for (const char* id : {"a", "b", "c"}) {
    WantTunnel(id);
    HaveTunnel(id);
  }
  HaveBridge("oldlan");
  HaveBridge("keptlan");
  HaveLink("eth0", "", 0);
  wanted_.tunnels.clear();
  wanted_.protected_links = {"b", "keptlan"};
  EXPECT_THAT(Plan(), ElementsAre("delete TAP a,c", "delete links oldlan"));
}

TEST_F(PlanTest, OnlyTheScopeIsDeleted) {
  for (const char* id : {"a", "b"}) {
    WantTunnel(id);
    HaveTunnel(id);
  }
  wanted_.tunnels.clear();
  EXPECT_THAT(Plan({.tunnels = {"b"}}), ElementsAre("delete TAP b"));
}

TEST_F(PlanTest, SmallestStepForEachDifference) {
  TunnelSpec& spec = WantTunnel("eoip1");
  Link& link = HaveTunnel("eoip1");
  link.mtu = 1400;
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip1 set eoip1 mtu 1500"));
  link.mtu = 1500;
  spec.ttl = 64;
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip1 change TAP eoip1"));
  spec.ttl = 0;
  spec.disabled = true;
  observed_.tunnels["eoip1"].config.disabled = true;
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip1 set eoip1 down"));
  spec.disabled = false;
  observed_.tunnels["eoip1"].config.disabled = false;
  link.group = 0;
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip1 set eoip1 group " +
                                  std::to_string(kOwnedGroup)));
}

TEST_F(PlanTest, KindCannotBeChangedInPlace) {
  TunnelSpec& spec = WantTunnel("eoip1");
  HaveTunnel("eoip1");
  spec.kind = TunnelKind::kEoipV6;
  EXPECT_THAT(Plan(),
              ElementsAre("delete TAP eoip1", "tunnels/eoip1 create TAP eoip1",
                          "tunnels/eoip1 set eoip1 up"));
}

TEST_F(PlanTest, DeletedTapIsMadeAgainAndJoinsItsBridge) {
  WantTunnel("eoip1");
  WantNetwork("lan", {"eoip1"});
  HaveBridge("lan");
  HaveTunnel("eoip1");
  observed_.links.erase("eoip1");
  observed_.tunnels["eoip1"].link_gone = true;
  EXPECT_THAT(Plan(),
              ElementsAre("delete TAP eoip1", "tunnels/eoip1 create TAP eoip1",
                          "networks/lan set eoip1 master lan",
                          "tunnels/eoip1 set eoip1 up"));
}

TEST_F(PlanTest, NothingIsPlannedForADatapathThatCannotBeListed) {
  WantTunnel("eoip1");
  observed_.datapaths[DatapathType::kTap] = {
      .available = true, .reason = "tapd does not answer", .unknown = true};
  EXPECT_THAT(Plan(),
              ElementsAre("tunnels/eoip1 blocked: tapd does not answer"));
}

TEST_F(PlanTest, UnderlayLinkIsResolvedOrWaitedFor) {
  WantTunnel("eoip1").link = "eth7";
  EXPECT_THAT(Plan(),
              ElementsAre("tunnels/eoip1 blocked: link eth7 does not exist"));
  const uint32_t eth7 = HaveLink("eth7", "", 0).ifindex;
  const std::vector<Step> steps = MakePlan(wanted_, observed_, {.all = true});
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(std::get<PutTunnel>(steps[0].action).config.underlay_ifindex, eth7);
}

TEST_F(PlanTest, TakenOutPortReturns) {
  WantTunnel("eoip1");
  WantNetwork("lan", {"eoip1"});
  WantAttachment("lan", "pod", "veth1").isolated = true;
  const uint32_t bridge = HaveBridge("lan").ifindex;
  HaveTunnel("eoip1").master = bridge;
  HaveLink("veth1", "veth", kPortGroup).up = true;
  EXPECT_THAT(
      Plan(),
      ElementsAre("networks/lan/attachments/pod set veth1 group " +
                      std::to_string(kPortGroup) + " master lan",
                  "networks/lan/attachments/pod set port veth1 isolated"));
}

TEST_F(PlanTest, NewPortIsMarkedEnslavedAndUpInOneStep) {
  WantNetwork("lan", {});
  WantAttachment("lan", "pod", "veth1");
  HaveBridge("lan");
  HaveLink("veth1", "veth", 0);
  EXPECT_THAT(Plan(),
              ElementsAre("networks/lan/attachments/pod set veth1 group " +
                          std::to_string(kPortGroup) + " master lan up"));
}

TEST_F(PlanTest, PortWithPropertiesIsUpOnlyOnceItHasThem) {
  WantNetwork("lan", {});
  WantAttachment("lan", "pod", "veth1").isolated = true;
  HaveBridge("lan");
  HaveLink("veth1", "veth", 0);
  EXPECT_THAT(
      Plan(),
      ElementsAre("networks/lan/attachments/pod set veth1 group " +
                      std::to_string(kPortGroup) + " master lan",
                  "networks/lan/attachments/pod set port veth1 isolated",
                  "networks/lan/attachments/pod set veth1 up"));
}

TEST_F(PlanTest, ScopeOfAnAttachmentLeavesTheRestOfItsNetworkAlone) {
  WantTunnel("eoip1");
  WantNetwork("lan", {"eoip1"});
  WantAttachment("lan", "a", "veth1");
  WantAttachment("lan", "b", "veth2");
  HaveBridge("lan").mac = MacAddress::Derive("other", "lan");
  HaveLink("veth1", "veth", 0).up = true;
  Scope scope;
  scope.attachments = {{"lan", "a"}, {"lan", "gone"}};
  EXPECT_THAT(Plan(scope),
              ElementsAre("networks/lan/attachments/a set veth1 group " +
                          std::to_string(kPortGroup) + " master lan"));
}

TEST_F(PlanTest, ScopeOfAnAttachmentRestoresTheMtuThatItsPortLowered) {
  WantNetwork("lan", {});
  WantAttachment("lan", "a", "veth1");
  Link& bridge = HaveBridge("lan");
  bridge.mtu = 1400;
  Link& veth = HaveLink("veth1", "veth", kPortGroup);
  veth.master = bridge.ifindex;
  veth.up = true;
  Scope scope;
  scope.attachments = {{"lan", "a"}};
  EXPECT_THAT(Plan(scope), ElementsAre("networks/lan set lan mtu 1500"));
}

TEST_F(PlanTest, ScopeOfAnAttachmentIsBlockedWithoutItsBridge) {
  WantNetwork("lan", {});
  WantAttachment("lan", "a", "veth1");
  HaveLink("veth1", "veth", 0).up = true;
  Scope scope;
  scope.attachments = {{"lan", "a"}};
  EXPECT_THAT(Plan(scope),
              ElementsAre("networks/lan/attachments/a blocked: networks/lan "
                          "has no bridge"));
  HaveLink("lan", "bridge", 0);  // somebody else's
  EXPECT_THAT(Plan(scope),
              ElementsAre("networks/lan/attachments/a blocked: networks/lan "
                          "has no bridge"));
}

TEST_F(PlanTest, MtuOfTheBridgeIsSetAfterItsPorts) {
  WantTunnel("eoip1").mtu = 1458;
  WantNetwork("lan", {"eoip1"});
  Link& bridge = HaveBridge("lan");
  HaveTunnel("eoip1").master = bridge.ifindex;
  EXPECT_THAT(Plan(), ElementsAre("networks/lan set lan mtu 1458"));
}

TEST_F(PlanTest, AttachmentIsForgottenWithItsLinkAndReleasedWithoutIt) {
  WantNetwork("lan", {});
  const uint32_t bridge = HaveBridge("lan").ifindex;
  WantAttachment("lan", "gone", "veth1");
  Link& left = HaveLink("veth2", "veth", kPortGroup);
  left.master = bridge;
  EXPECT_THAT(Plan(), ElementsAre("networks/lan/attachments/gone forget",
                                  "networks/lan set veth2 group 0 nomaster"));
}

TEST_F(PlanTest, AnInlineNetworkIsForgottenWithItsLastAttachment) {
  WantTunnel("eoip1").source = kInlineSource;
  WantNetwork("lan", {"eoip1"}).source = kInlineSource;
  WantAttachment("lan", "pod", "veth1");
  HaveTunnel("eoip1").master = HaveBridge("lan").ifindex;
  HaveLink("veth1", "veth", kPortGroup).master = observed_.links["lan"].ifindex;
  observed_.links["veth1"].up = true;
  EXPECT_THAT(Plan(), IsEmpty());
  wanted_.attachments.clear();
  EXPECT_THAT(Plan(), Contains("networks/lan forget"));
  // Whose attachments nobody can tell stays.
  wanted_.protected_links = {"lan"};
  EXPECT_THAT(Plan(), IsEmpty());
  wanted_.protected_links.clear();
  wanted_.networks["lan"].source.clear();
  EXPECT_THAT(Plan(), testing::Not(Contains("networks/lan forget")));
}

TEST_F(PlanTest, NicsAreReleasedWhenDroppedAndOthersLeftAlone) {
  NetworkSpec& lan = WantNetwork("lan", {});
  lan.released_links = {"eth1"};
  const uint32_t bridge = HaveBridge("lan").ifindex;
  HaveLink("eth1", "", 0).master = bridge;
  HaveLink("vnet0", "tun", 0).master = bridge;
  EXPECT_THAT(Plan(), ElementsAre("networks/lan set eth1 nomaster"));
}

TEST_F(PlanTest, PortOfAnotherBridgeIsNotTaken) {
  NetworkSpec& lan = WantNetwork("lan", {});
  lan.ports.push_back({.link = "eth1"});
  HaveBridge("lan");
  const uint32_t other = HaveLink("br0", "bridge", 0).ifindex;
  Link& eth1 = HaveLink("eth1", "", 0);
  eth1.master = other;
  EXPECT_THAT(Plan(), IsEmpty());
  const NetworkStatus status = EvaluateNetwork(lan, wanted_, observed_, {}, "");
  EXPECT_EQ(status.state, NetworkState::kDegraded);
  EXPECT_EQ(status.reason, "link eth1 is a port of another master");
  eth1.master = 0;
  EXPECT_THAT(Plan(), ElementsAre("networks/lan set eth1 master lan",
                                  "networks/lan set eth1 up"));
}

TEST_F(PlanTest, TunnelThatLeftItsNetworkLeavesTheBridge) {
  WantTunnel("eoip1");
  WantNetwork("lan", {});
  const uint32_t bridge = HaveBridge("lan").ifindex;
  HaveTunnel("eoip1").master = bridge;
  EXPECT_THAT(Plan(), ElementsAre("tunnels/eoip1 set eoip1 nomaster"));
  EXPECT_THAT(Plan({.networks = {"lan"}}),
              ElementsAre("tunnels/eoip1 set eoip1 nomaster"));
}

TEST_F(PlanTest, TunnelPutIntoAForeignBridgeByHandStaysThere) {
  WantTunnel("eoip1");
  const uint32_t other = HaveLink("br0", "bridge", 0).ifindex;
  HaveTunnel("eoip1").master = other;
  EXPECT_THAT(Plan(), IsEmpty());
}

TEST_F(PlanTest, StatusFollowsWhatIsObserved) {
  TunnelSpec& spec = WantTunnel("eoip1");
  auto state = [&](const std::string& failure = "") {
    return EvaluateTunnel(spec, wanted_, observed_, failure);
  };
  EXPECT_EQ(state().state, TunnelState::kPending);
  HaveTunnel("eoip1");
  EXPECT_EQ(state().state, TunnelState::kActive);
  EXPECT_EQ(state().datapath, DatapathType::kTap);
  observed_.tunnels["eoip1"].peer_up = false;
  EXPECT_EQ(state().state, TunnelState::kPeerDown);
  EXPECT_EQ(state().reason, "nothing heard from the peer yet");
  observed_.tunnels["eoip1"].last_heard = absl::Seconds(120);
  EXPECT_EQ(state().reason, "the peer is silent (keepalive 10s,10)");
  EXPECT_EQ(state("no memory").state, TunnelState::kFailed);
  EXPECT_EQ(state("no memory").reason, "no memory");
  spec.disabled = true;
  EXPECT_EQ(state().state, TunnelState::kDisabled);
}

TEST_F(PlanTest, NetworkStatusCountsItsTunnels) {
  WantTunnel("eoip1");
  WantTunnel("eoip2");
  NetworkSpec& lan = WantNetwork("lan", {"eoip1", "eoip2", "eoip3"});
  const uint32_t bridge = HaveBridge("lan").ifindex;
  HaveTunnel("eoip1").master = bridge;
  HaveTunnel("eoip2").master = bridge;
  std::map<std::string, TunnelStatus> tunnels;
  tunnels["eoip1"].state = TunnelState::kActive;
  tunnels["eoip2"].state = TunnelState::kPeerDown;
  const NetworkStatus status =
      EvaluateNetwork(lan, wanted_, observed_, tunnels, "");
  EXPECT_EQ(status.tunnels, 3u);
  EXPECT_EQ(status.tunnels_active, 1u);
  EXPECT_EQ(status.state, NetworkState::kDegraded);
  EXPECT_EQ(status.reason,
            "tunnels/eoip2 is PEER_DOWN; tunnels/eoip3 does not exist");
}

}  // namespace
}  // namespace eoip
