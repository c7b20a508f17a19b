// SPDX-License-Identifier: Apache-2.0
//
// One suite for the kernel in memory and for the real one, in a network
// namespace of its own: what holds here, code above may depend on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "netlink/fake_links.h"
#include "netlink/message_writer.h"
#include "netlink/netlink_links.h"
#include "netlink/netlink_socket.h"
#include "netlink/test_netns.h"

namespace eoip {
namespace {

using absl::StatusCode;
using testing::Contains;
using testing::HasSubstr;
using testing::Key;
using testing::Not;

class FakeHost {
 public:
  absl::Status Start() { return absl::OkStatus(); }
  Links& links() { return links_; }
  absl::Status AddVeth(const std::string& name, const std::string& peer) {
    kernel_.AddVeth(name, peer);
    return absl::OkStatus();
  }
  bool has_module() { return false; }

 private:
  FakeKernel kernel_;
  FakeLinks links_{&kernel_};
};

class RealHost {
 public:
  absl::Status Start() {
    EOIP_RETURN_IF_ERROR(EnterNewNetns());
    EOIP_ASSIGN_OR_RETURN(links_, NetlinkLinks::Open());
    return absl::OkStatus();
  }
  Links& links() { return *links_; }
  absl::Status AddVeth(const std::string& name, const std::string& peer) {
    const ifinfomsg header = {};
    MessageWriter writer(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, header);
    writer.PutString(IFLA_IFNAME, name);
    const size_t info = writer.Begin(IFLA_LINKINFO);
    writer.PutString(IFLA_INFO_KIND, "veth");
    const size_t data = writer.Begin(IFLA_INFO_DATA);
    const size_t other = writer.Begin(VETH_INFO_PEER);
    writer.PutHeader(header);
    writer.PutString(IFLA_IFNAME, peer);
    writer.End(other);
    writer.End(data);
    writer.End(info);
    EOIP_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open());
    EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                          socket.Ask(std::move(writer).Finish()));
    return reply.ToStatus("create veth");
  }
  bool has_module() {
    return *links_->ProbeKind(TunnelKind::kEoip) != KindProbe::kAbsent;
  }

 private:
  std::unique_ptr<NetlinkLinks> links_;
};

template <typename Host>
class LinksTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status status = host_.Start();
    if (!status.ok()) GTEST_SKIP() << "no network namespace: " << status;
  }
  Links& links() { return host_.links(); }

  Link Get(const std::string& name) {
    auto link = links().Get(name);
    EXPECT_TRUE(link.ok()) << link.status();
    return link.ok() ? *link : Link{};
  }
  uint32_t AddBridge(const std::string& name) {
    BridgeConfig config;
    config.name = name;
    auto ifindex = links().CreateBridge(config);
    EXPECT_TRUE(ifindex.ok()) << ifindex.status();
    return ifindex.value_or(0);
  }
  // A veth pair "name", "name.p"; returns the ifindex of the first.
  uint32_t AddVeth(const std::string& name) {
    const absl::Status status = host_.AddVeth(name, absl::StrCat(name, ".p"));
    EXPECT_TRUE(status.ok()) << status;
    return Get(name).ifindex;
  }
  absl::Status Change(uint32_t ifindex, const LinkChange& change) {
    return links().Change(ifindex, change);
  }
  // The kernel tells carrier and forwarding a moment later.
  bool Becomes(const std::string& name,
               const std::function<bool(const Link&)>& wanted) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (absl::Now() < deadline) {
      if (wanted(Get(name))) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }

  Host host_;
};

using Hosts = testing::Types<FakeHost, RealHost>;
class HostNames {
 public:
  template <typename T>
  static std::string GetName(int) {
    return std::is_same_v<T, FakeHost> ? "Fake" : "Real";
  }
};
TYPED_TEST_SUITE(LinksTest, Hosts, HostNames);

TYPED_TEST(LinksTest, ANewBridgeIsOwnedDownAndAsAsked) {
  BridgeConfig config;
  config.name = "lan";
  config.mac = *MacAddress::Parse("02:00:5e:10:00:01");
  config.mtu = 1400;
  config.info = {.stp = true, .multicast_snooping = false};
  const auto ifindex = this->links().CreateBridge(config);
  ASSERT_TRUE(ifindex.ok()) << ifindex.status();
  const Link link = this->Get("lan");
  EXPECT_EQ(link.ifindex, *ifindex);
  EXPECT_EQ(link.kind, "bridge");
  EXPECT_EQ(link.group, kOwnedGroup);
  EXPECT_FALSE(link.up);
  EXPECT_EQ(link.mtu, 1400u);
  EXPECT_EQ(link.mac, config.mac);
  EXPECT_EQ(link.bridge, config.info);
  EXPECT_EQ(link.master, 0u);
}

TYPED_TEST(LinksTest, ATakenNameIsRefusedAndTheLinkUntouched) {
  this->AddVeth("lan");
  const Link before = this->Get("lan");
  BridgeConfig config;
  config.name = "lan";
  EXPECT_EQ(this->links().CreateBridge(config).status().code(),
            StatusCode::kAlreadyExists);
  const Link after = this->Get("lan");
  EXPECT_EQ(after.ifindex, before.ifindex);
  EXPECT_EQ(after.group, 0u);
  EXPECT_EQ(after.kind, "veth");
}

TYPED_TEST(LinksTest, ABadNameOrMacMakesNothing) {
  BridgeConfig config;
  for (const char* name : {"", "a/b", "sixteen-letters-", "a b", ".."}) {
    config.name = name;
    EXPECT_FALSE(this->links().CreateBridge(config).ok()) << name;
  }
  config.name = "lan";
  config.mac = *MacAddress::Parse("01:00:5e:00:00:01");
  EXPECT_FALSE(this->links().CreateBridge(config).ok());
  EXPECT_EQ(this->links().Dump()->size(), 1u);  // lo
}

TYPED_TEST(LinksTest, GetSaysNotFound) {
  EXPECT_EQ(this->links().Get("none").status().code(), StatusCode::kNotFound);
}

TYPED_TEST(LinksTest, DumpShowsEveryLinkAsGetDoes) {
  this->AddBridge("lan");
  this->AddVeth("v");
  const auto table = this->links().Dump();
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_THAT(*table, testing::SizeIs(4));
  for (const char* name : {"lo", "lan", "v", "v.p"}) {
    ASSERT_THAT(*table, Contains(Key(name)));
    const Link got = this->Get(name);
    const Link& dumped = table->at(name);
    EXPECT_EQ(dumped.ifindex, got.ifindex) << name;
    EXPECT_EQ(dumped.kind, got.kind) << name;
    EXPECT_EQ(dumped.mtu, got.mtu) << name;
    EXPECT_EQ(dumped.mac, got.mac) << name;
    EXPECT_EQ(dumped.bridge, got.bridge) << name;
  }
}

TYPED_TEST(LinksTest, ChangeSetsWhatIsAskedAndNothingElse) {
  const uint32_t ifindex = this->AddVeth("v");
  const MacAddress mac = *MacAddress::Parse("02:00:5e:10:00:02");
  const Link before = this->Get("v");
  ASSERT_TRUE(this->Change(ifindex, {.mtu = 1400}).ok());
  EXPECT_EQ(this->Get("v").mtu, 1400u);
  EXPECT_EQ(this->Get("v").mac, before.mac);
  ASSERT_TRUE(this->Change(ifindex, {.mac = mac}).ok());
  EXPECT_EQ(this->Get("v").mac, mac);
  EXPECT_FALSE(this->Get("v").up);
  ASSERT_TRUE(this->Change(ifindex, {.up = true}).ok());
  EXPECT_TRUE(this->Get("v").up);
  ASSERT_TRUE(this->Change(ifindex, {.group = kOwnedGroup}).ok());
  EXPECT_TRUE(this->Get("v").owned());
  EXPECT_TRUE(this->Get("v").up);
  ASSERT_TRUE(this->Change(ifindex, {.up = false}).ok());
  EXPECT_FALSE(this->Get("v").up);
  ASSERT_TRUE(this->Change(ifindex, {}).ok());
  EXPECT_EQ(this->Get("v").mtu, 1400u);
}

TYPED_TEST(LinksTest, ChangeRefusesWhatTheKernelRefuses) {
  const uint32_t ifindex = this->AddVeth("v");
  const Link before = this->Get("v");
  EXPECT_EQ(this->Change(9999, {.up = true}).code(), StatusCode::kNotFound);
  EXPECT_EQ(this->Change(ifindex, {.mtu = 67}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(this->Change(ifindex, {.mtu = 65536}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_FALSE(
      this->Change(ifindex, {.mac = *MacAddress::Parse("01:00:5e:00:00:01")})
          .ok());
  EXPECT_EQ(this->Change(ifindex, {.master = 9999}).code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(this->Change(ifindex, {.master = ifindex}).code(),
            StatusCode::kFailedPrecondition);
  const Link after = this->Get("v");
  EXPECT_EQ(after.mtu, before.mtu);
  EXPECT_EQ(after.mac, before.mac);
  EXPECT_EQ(after.master, 0u);
}

TYPED_TEST(LinksTest, APortJoinsMovesAndLeaves) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t other = this->AddBridge("other");
  const uint32_t port = this->AddVeth("v");
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  EXPECT_EQ(this->Get("v").master, lan);
  EXPECT_TRUE(this->Get("v").bridge_port);
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  ASSERT_TRUE(this->Change(port, {.master = other}).ok());
  EXPECT_EQ(this->Get("v").master, other);
  ASSERT_TRUE(this->Change(port, {.master = 0}).ok());
  EXPECT_EQ(this->Get("v").master, 0u);
  EXPECT_FALSE(this->Get("v").bridge_port);
  ASSERT_TRUE(this->Change(port, {.master = 0}).ok());
}

TYPED_TEST(LinksTest, ABridgeCannotBeAPortOfABridge) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t other = this->AddBridge("other");
  EXPECT_FALSE(this->Change(other, {.master = lan}).ok());
  EXPECT_EQ(this->Get("other").master, 0u);
}

TYPED_TEST(LinksTest, ABridgesMtuFollowsItsPortsUntilItIsSet) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t small = this->AddVeth("s");
  const uint32_t big = this->AddVeth("b");
  ASSERT_TRUE(this->Change(small, {.mtu = 1400}).ok());
  ASSERT_TRUE(this->Change(big, {.mtu = 9000}).ok());
  ASSERT_TRUE(this->Change(big, {.master = lan}).ok());
  EXPECT_EQ(this->Get("lan").mtu, 9000u);
  ASSERT_TRUE(this->Change(small, {.master = lan}).ok());
  EXPECT_EQ(this->Get("lan").mtu, 1400u);
  ASSERT_TRUE(this->Change(small, {.mtu = 1300}).ok());
  EXPECT_EQ(this->Get("lan").mtu, 1300u);
  ASSERT_TRUE(this->Change(lan, {.mtu = 1350}).ok());
  EXPECT_EQ(this->Get("lan").mtu, 1350u);
  ASSERT_TRUE(this->Change(small, {.mtu = 1200}).ok());
  ASSERT_TRUE(this->Change(small, {.master = 0}).ok());
  ASSERT_TRUE(this->Change(big, {.master = 0}).ok());
  EXPECT_EQ(this->Get("lan").mtu, 1350u);
}

TYPED_TEST(LinksTest, ABridgesMtuReturnsWhenItsPortsLeave) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t port = this->AddVeth("s");
  ASSERT_TRUE(this->Change(port, {.mtu = 1400}).ok());
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  // Not a change, so the MTU is not set by anybody.
  ASSERT_TRUE(this->Change(lan, {.mtu = 1400}).ok());
  ASSERT_TRUE(this->links().Delete({port}).ok());
  EXPECT_EQ(this->Get("lan").mtu, 1500u);
}

TYPED_TEST(LinksTest, SetBridgeChangesOptions) {
  const uint32_t lan = this->AddBridge("lan");
  EXPECT_EQ(this->Get("lan").bridge, BridgeInfo{});
  const BridgeInfo info = {.stp = true, .multicast_snooping = false};
  ASSERT_TRUE(this->links().SetBridge(lan, info).ok());
  EXPECT_EQ(this->Get("lan").bridge, info);
  ASSERT_TRUE(this->links().SetBridge(lan, BridgeInfo{}).ok());
  EXPECT_EQ(this->Get("lan").bridge, BridgeInfo{});
}

TYPED_TEST(LinksTest, VlanFilteringIsDoneOrRefused) {
  const uint32_t lan = this->AddBridge("lan");
  const absl::Status status =
      this->links().SetBridge(lan, {.vlan_filtering = true});
  if (status.ok()) {
    EXPECT_TRUE(this->Get("lan").bridge->vlan_filtering);
    return;
  }
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("vlan_filtering"));
  BridgeConfig config;
  config.name = "vlans";
  config.info.vlan_filtering = true;
  EXPECT_EQ(this->links().CreateBridge(config).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(this->links().Get("vlans").status().code(), StatusCode::kNotFound);
}

TYPED_TEST(LinksTest, APortHasTheVlansThatItIsGiven) {
  BridgeConfig config;
  config.name = "lan";
  config.info = {.vlan_filtering = true, .default_pvid = 0};
  const auto lan = this->links().CreateBridge(config);
  if (lan.status().code() == StatusCode::kFailedPrecondition) {
    EXPECT_THAT(std::string(lan.status().message()),
                HasSubstr("CONFIG_BRIDGE_VLAN_FILTERING"));
    GTEST_SKIP() << lan.status();
  }
  ASSERT_TRUE(lan.ok()) << lan.status();
  EXPECT_EQ(this->Get("lan").bridge, config.info);
  const uint32_t port = this->AddVeth("v");
  const uint32_t other = this->AddVeth("w");
  for (const uint32_t ifindex : {port, other}) {
    ASSERT_TRUE(this->Change(ifindex, {.master = *lan}).ok());
  }
  // No default VLAN, neither of the ports nor of the bridge.
  EXPECT_THAT(*this->links().GetVlans(0), testing::IsEmpty());

  const PortVlans trunk = MakePortVlans(7, {{10, 20}, {4094, 4094}});
  const absl::Status set =
      this->links().SetVlans(port, /*self=*/false, {.add = trunk});
  ASSERT_TRUE(set.ok()) << set;
  const PortVlans own = MakePortVlans(1, {});
  ASSERT_TRUE(this->links().SetVlans(*lan, /*self=*/true, {.add = own}).ok());
  EXPECT_EQ(this->links().GetVlans(port)->at(port), trunk);
  EXPECT_THAT(*this->links().GetVlans(0),
              testing::UnorderedElementsAre(testing::Pair(port, trunk),
                                            testing::Pair(*lan, own)));
  // Every step from one set to another, as planned.
  for (const PortVlans& want :
       {MakePortVlans(10, {}), MakePortVlans(0, {{1, 4094}}),
        MakePortVlans(20, {{9, 19}, {21, 21}}), PortVlans{}}) {
    const auto have = this->links().GetVlans(port);
    ASSERT_TRUE(have.ok());
    const auto it = have->find(port);
    const absl::Status status = this->links().SetVlans(
        port, false,
        DiffVlans(it == have->end() ? PortVlans{} : it->second, want));
    ASSERT_TRUE(status.ok()) << status;
    const auto after = this->links().GetVlans(port);
    ASSERT_TRUE(after.ok());
    if (want.empty()) {
      EXPECT_THAT(*after, Not(Contains(Key(port))));
    } else {
      EXPECT_EQ(after->at(port), want) << ToString(want);
    }
  }
}

TYPED_TEST(LinksTest, AnotherDefaultVlanReplacesTheOld) {
  const uint32_t lan = this->AddBridge("lan");
  if (this->links().GetVlans(0)->empty()) {
    GTEST_SKIP() << "this kernel was built without VLAN filtering";
  }
  const uint32_t port = this->AddVeth("v");
  const uint32_t other = this->AddVeth("w");
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  ASSERT_TRUE(this->Change(other, {.master = lan}).ok());
  EXPECT_EQ(this->links().GetVlans(port)->at(port), MakePortVlans(1, {}));
  const PortVlans own = MakePortVlans(5, {{1, 1}});
  ASSERT_TRUE(this->links()
                  .SetVlans(port, false, DiffVlans(MakePortVlans(1, {}), own))
                  .ok());
  ASSERT_TRUE(this->links().SetBridge(lan, {.default_pvid = 0}).ok());
  EXPECT_THAT(*this->links().GetVlans(0),
              testing::ElementsAre(testing::Pair(port, own)));
}

TYPED_TEST(LinksTest, VlansWantABridgeOrPort) {
  const VlanChange change = {.add = MakePortVlans(7, {})};
  EXPECT_EQ(this->links().SetVlans(9999, false, change).code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(this->links().SetVlans(this->AddVeth("v"), false, change).ok());
  EXPECT_THAT(*this->links().GetVlans(this->Get("v").ifindex),
              testing::IsEmpty());
  EXPECT_THAT(*this->links().GetVlans(9999), testing::IsEmpty());
}

TYPED_TEST(LinksTest, ALockedPortHasItsPinnedMacs) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t port = this->AddVeth("v");
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  const absl::Status locked =
      this->links().SetBridgePort(port, {.locked = true, .learning = false});
  if (locked.code() == StatusCode::kFailedPrecondition) {
    EXPECT_THAT(std::string(locked.message()), HasSubstr("5.18"));
    GTEST_SKIP() << locked;
  }
  ASSERT_TRUE(locked.ok()) << locked;
  EXPECT_TRUE(this->Get("v").bridge_port->locked);
  EXPECT_FALSE(this->Get("v").bridge_port->learning);
  EXPECT_THAT(*this->links().GetPinned(port), testing::IsEmpty());
  const MacAddress a = *MacAddress::Parse("02:00:5e:10:00:0a");
  const MacAddress b = *MacAddress::Parse("02:00:5e:10:00:0b");
  ASSERT_TRUE(this->links().SetPinned(port, {{a, 0}, {b, 0}}, {}).ok());
  ASSERT_TRUE(this->links().SetPinned(port, {{a, 0}}, {}).ok());
  EXPECT_THAT(*this->links().GetPinned(port),
              testing::IsSupersetOf({std::pair(a, 0), std::pair(b, 0)}));
  ASSERT_TRUE(this->links().SetPinned(port, {}, {{b, 0}}).ok());
  ASSERT_TRUE(this->links().SetPinned(port, {}, {{b, 0}}).ok());
  EXPECT_THAT(*this->links().GetPinned(port),
              testing::AllOf(Contains(std::pair(a, 0)),
                             Not(Contains(testing::Key(b)))));
  // All of it ends with the membership.
  ASSERT_TRUE(this->Change(port, {.master = 0}).ok());
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  EXPECT_THAT(*this->links().GetPinned(port), testing::IsEmpty());
  EXPECT_FALSE(this->Get("v").bridge_port->locked);
  EXPECT_TRUE(this->Get("v").bridge_port->learning);
}

TYPED_TEST(LinksTest, PinnedMacsWantAPort) {
  const MacAddress mac = *MacAddress::Parse("02:00:5e:10:00:0a");
  EXPECT_FALSE(this->links().SetPinned(9999, {{mac, 0}}, {}).ok());
  EXPECT_FALSE(
      this->links().SetPinned(this->AddVeth("v"), {{mac, 0}}, {}).ok());
}

TYPED_TEST(LinksTest, SetBridgeWantsABridge) {
  EXPECT_EQ(this->links().SetBridge(9999, BridgeInfo{}).code(),
            StatusCode::kNotFound);
  EXPECT_EQ(this->links().SetBridge(this->AddVeth("v"), BridgeInfo{}).code(),
            StatusCode::kFailedPrecondition);
}

TYPED_TEST(LinksTest, SetBridgePortSetsIsolationAndHairpin) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t port = this->AddVeth("v");
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  ASSERT_TRUE(this->links()
                  .SetBridgePort(port, {.isolated = true, .hairpin = true})
                  .ok());
  EXPECT_TRUE(this->Get("v").bridge_port->isolated);
  EXPECT_TRUE(this->Get("v").bridge_port->hairpin);
  ASSERT_TRUE(this->links().SetBridgePort(port, {.isolated = true}).ok());
  EXPECT_TRUE(this->Get("v").bridge_port->isolated);
  EXPECT_FALSE(this->Get("v").bridge_port->hairpin);
  // They end with the membership.
  ASSERT_TRUE(this->Change(port, {.master = 0}).ok());
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  EXPECT_FALSE(this->Get("v").bridge_port->isolated);
}

TYPED_TEST(LinksTest, SetBridgePortWantsAPort) {
  EXPECT_EQ(this->links().SetBridgePort(9999, {}).code(),
            StatusCode::kNotFound);
  EXPECT_EQ(this->links().SetBridgePort(this->AddVeth("v"), {}).code(),
            StatusCode::kFailedPrecondition);
}

TYPED_TEST(LinksTest, APortForwardsWhenAllIsUp) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t port = this->AddVeth("v");
  const uint32_t peer = this->Get("v.p").ifindex;
  ASSERT_TRUE(this->Change(port, {.up = true, .master = lan}).ok());
  ASSERT_TRUE(this->Change(lan, {.up = true}).ok());
  EXPECT_FALSE(this->Get("v").carrier);
  EXPECT_TRUE(this->Becomes(
      "v", [](const Link& link) { return link.bridge_port->state == 0; }));
  EXPECT_TRUE(
      this->Becomes("lan", [](const Link& link) { return !link.carrier; }));
  ASSERT_TRUE(this->Change(peer, {.up = true}).ok());
  EXPECT_TRUE(this->Becomes("v", [](const Link& link) {
    return link.carrier && link.bridge_port->state == 3;
  }));
  EXPECT_TRUE(
      this->Becomes("lan", [](const Link& link) { return link.carrier; }));
  ASSERT_TRUE(this->Change(peer, {.up = false}).ok());
  EXPECT_TRUE(this->Becomes("v", [](const Link& link) {
    return !link.carrier && link.bridge_port->state == 0;
  }));
}

TYPED_TEST(LinksTest, DeleteTakesAllThatIsAskedAndNothingElse) {
  std::vector<uint32_t> doomed;
  for (int i = 0; i < 100; ++i) {
    doomed.push_back(this->AddVeth(absl::StrCat("d", i)));
  }
  doomed.push_back(this->AddBridge("lan"));
  doomed.push_back(9999);  // gone already
  const uint32_t kept = this->AddVeth("kept");
  ASSERT_TRUE(this->Change(kept, {.group = kOwnedGroup}).ok());
  const absl::Status status = this->links().Delete(doomed);
  ASSERT_TRUE(status.ok()) << status;
  const auto table = this->links().Dump();
  ASSERT_TRUE(table.ok());
  EXPECT_THAT(*table, testing::SizeIs(3));  // lo and the kept pair
  EXPECT_EQ(table->at("kept").ifindex, kept);
}

TYPED_TEST(LinksTest, DeleteOfNothingOrOfWhatIsGoneIsOk) {
  EXPECT_TRUE(this->links().Delete({}).ok());
  EXPECT_TRUE(this->links().Delete({9999}).ok());
  EXPECT_TRUE(this->links().Delete({9998, 9999}).ok());
}

TYPED_TEST(LinksTest, ADeletedBridgeFreesItsPorts) {
  const uint32_t lan = this->AddBridge("lan");
  const uint32_t port = this->AddVeth("v");
  ASSERT_TRUE(this->Change(port, {.master = lan}).ok());
  ASSERT_TRUE(this->links().Delete({lan}).ok());
  EXPECT_EQ(this->Get("v").master, 0u);
  EXPECT_FALSE(this->Get("v").bridge_port);
}

TYPED_TEST(LinksTest, ATunnelWithoutItsModuleIsRefusedAndMakesNothing) {
  if (this->host_.has_module()) GTEST_SKIP() << "this kernel has the module";
  TunnelConfig config;
  config.name = "site1";
  config.remote = *IpAddress::Parse("192.0.2.7");
  for (const TunnelKind kind : {TunnelKind::kEoip, TunnelKind::kEoipV6}) {
    config.kind = kind;
    const absl::Status status =
        this->links().PutTunnelLink(config, /*create=*/true);
    EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr(kModuleNotLoaded));
    EXPECT_EQ(*this->links().ProbeKind(kind), KindProbe::kAbsent);
  }
  EXPECT_EQ(this->links().PutTunnelLink(config, /*create=*/false).code(),
            StatusCode::kNotFound);
  EXPECT_THAT(*this->links().Dump(), testing::SizeIs(1));
}

TYPED_TEST(LinksTest, ReadTunnelsIgnoresOtherLinks) {
  this->AddVeth("v");
  const auto few = this->links().ReadTunnels({"v", "none", "lo"});
  ASSERT_TRUE(few.ok()) << few.status();
  EXPECT_TRUE(few->empty());
  std::vector<std::string> many;
  for (int i = 0; i < 100; ++i) many.push_back(absl::StrCat("none", i));
  many.push_back("v");
  const auto none = this->links().ReadTunnels(many);
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_TRUE(none->empty());
}

}  // namespace
}  // namespace eoip
