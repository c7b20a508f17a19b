// SPDX-License-Identifier: Apache-2.0
//
// What every datapath keeps, one suite for all: the fake in both its shapes,
// KernelDatapath on the kernel in memory and, where the module is loaded, on
// the real one, TapDatapath with a real eoip-tapd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "datapath/fake_datapath.h"
#include "datapath/kernel_datapath.h"
#include "datapath/tap_datapath.h"
#include "datapath/test_tapd.h"
#include "netlink/fake_links.h"
#include "netlink/netlink_links.h"
#include "netlink/test_netns.h"

namespace eoip {
namespace {

using absl::StatusCode;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

// A host with a datapath. Start returns why it cannot run here.
template <DatapathType kType>
class FakeHost {
 public:
  std::string Start() { return ""; }
  Links& links() { return links_; }
  Datapath& datapath() { return datapath_; }

 private:
  FakeKernel kernel_;
  FakeLinks links_{&kernel_};
  FakeDatapath datapath_{&kernel_, kType};
};
using FakeTap = FakeHost<DatapathType::kTap>;
using FakeModule = FakeHost<DatapathType::kKernel>;

class KernelInMemory {
 public:
  std::string Start() {
    kernel_.SetModule(KindProbe::kBundled);
    return "";
  }
  Links& links() { return links_; }
  Datapath& datapath() { return datapath_; }

 private:
  FakeKernel kernel_;
  FakeLinks links_{&kernel_};
  FakeLinks reader_{&kernel_};
  KernelDatapath datapath_{&links_, &reader_};
};

class RealKernel {
 public:
  std::string Start() {
    if (absl::Status status = EnterNewNetns(); !status.ok()) {
      return absl::StrCat("no network namespace: ", status.message());
    }
    links_ = NetlinkLinks::Open().value();
    reader_ = NetlinkLinks::Open().value();
    datapath_.emplace(links_.get(), reader_.get());
    const Availability availability = datapath_->Probe();
    return availability.available ? "" : availability.reason;
  }
  Links& links() { return *links_; }
  Datapath& datapath() { return *datapath_; }

 private:
  std::unique_ptr<NetlinkLinks> links_, reader_;
  std::optional<KernelDatapath> datapath_;
};

class RealTap {
 public:
  std::string Start() {
    if (absl::Status status = EnterNewNetns(); !status.ok()) {
      return absl::StrCat("no network namespace: ", status.message());
    }
    if (access("/dev/net/tun", R_OK | W_OK) != 0) return "no /dev/net/tun";
    links_ = NetlinkLinks::Open().value();
    tapd_.Start();
    datapath_.emplace(links_.get(), tapd_.socket());
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (!datapath_->Probe().available && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(20));
    }
    return "";
  }
  Links& links() { return *links_; }
  Datapath& datapath() { return *datapath_; }

 private:
  std::unique_ptr<NetlinkLinks> links_;
  TestTapd tapd_;
  std::optional<TapDatapath> datapath_;
};

TunnelConfig Config(const std::string& name, uint32_t id,
                    TunnelKind kind = TunnelKind::kEoip) {
  TunnelConfig config;
  config.name = name;
  config.kind = kind;
  config.tunnel_id = id;
  config.remote = *IpAddress::Parse(IsV6(kind) ? "2001:db8::7" : "192.0.2.7");
  config.mac = MacAddress::Derive("node", name);
  return config;
}

// As Config, with every property set to something else.
TunnelConfig FullConfig(const std::string& name, uint32_t id,
                        TunnelKind kind = TunnelKind::kEoip) {
  TunnelConfig config = Config(name, id, kind);
  config.local = *IpAddress::Parse(IsV6(kind) ? "2001:db8::1" : "192.0.2.1");
  config.mtu = 1400;
  config.ttl = 64;
  config.dscp = 46;
  config.inherit_df = true;
  config.keepalive_interval_s = 7;
  config.keepalive_retries = 3;
  config.clamp_tcp_mss = false;
  config.fwmark = 0x1234;
  config.underlay_ifindex = 1;  // lo is there always
  config.gso = false;
  config.mac = *MacAddress::Parse("fe:00:5e:10:00:09");
  return config;
}

template <typename Host>
class DatapathTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string why_not = host_.Start();
    if (!why_not.empty()) GTEST_SKIP() << why_not;
  }
  Datapath& datapath() { return host_.datapath(); }
  Links& links() { return host_.links(); }

  uint32_t Create(const TunnelConfig& config) {
    const auto ifindex = datapath().Put(config, /*create=*/true);
    EXPECT_TRUE(ifindex.ok()) << ifindex.status();
    return ifindex.value_or(0);
  }
  std::vector<ObservedTunnel> List() {
    const auto table = links().Dump();
    EXPECT_TRUE(table.ok()) << table.status();
    auto list = datapath().List(*table);
    EXPECT_TRUE(list.ok()) << list.status();
    return list.ok() ? *std::move(list) : std::vector<ObservedTunnel>{};
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    for (const ObservedTunnel& tunnel : List()) {
      names.push_back(tunnel.config.name);
    }
    return names;
  }
  absl::StatusOr<ObservedTunnel> Get(const std::string& name) {
    const auto link = links().Get(name);
    return datapath().Get(name, link.ok() ? &*link : nullptr);
  }
  TunnelConfig ConfigOf(const std::string& name) {
    const auto tunnel = Get(name);
    EXPECT_TRUE(tunnel.ok()) << tunnel.status();
    return tunnel.ok() ? tunnel->config : TunnelConfig{};
  }
  Link LinkOf(const std::string& name) {
    const auto link = links().Get(name);
    EXPECT_TRUE(link.ok()) << link.status();
    return link.value_or(Link{});
  }
  // A link of somebody else.
  uint32_t AddForeign(const std::string& name) {
    BridgeConfig bridge;
    bridge.name = name;
    const uint32_t ifindex = links().CreateBridge(bridge).value_or(0);
    EXPECT_TRUE(links().Change(ifindex, {.group = 0}).ok());
    return ifindex;
  }

  Host host_;
};

using Hosts =
    testing::Types<FakeTap, FakeModule, KernelInMemory, RealKernel, RealTap>;
class HostNames {
 public:
  template <typename T>
  static std::string GetName(int) {
    if (std::is_same_v<T, FakeTap>) return "FakeTap";
    if (std::is_same_v<T, FakeModule>) return "FakeModule";
    if (std::is_same_v<T, KernelInMemory>) return "KernelInMemory";
    return std::is_same_v<T, RealKernel> ? "RealKernel" : "RealTap";
  }
};
TYPED_TEST_SUITE(DatapathTest, Hosts, HostNames);

TYPED_TEST(DatapathTest, SaysWhatItIsAndCarries) {
  const Availability availability = this->datapath().Probe();
  EXPECT_TRUE(availability.available);
  EXPECT_FALSE(availability.reason.empty());
  EXPECT_THAT(availability.kinds,
              UnorderedElementsAre(TunnelKind::kEoip, TunnelKind::kEoipV6));
  EXPECT_THAT(this->List(), IsEmpty());
  EXPECT_THAT(*this->links().Dump(), SizeIs(1));
}

TYPED_TEST(DatapathTest, ANewTunnelsLinkIsOwnedDownAndAsAsked) {
  TunnelConfig config = Config("site1", 100);
  config.mtu = 1400;
  const uint32_t ifindex = this->Create(config);
  const Link link = this->LinkOf("site1");
  EXPECT_EQ(link.ifindex, ifindex);
  EXPECT_EQ(link.group, kOwnedGroup);
  EXPECT_FALSE(link.up);
  EXPECT_EQ(link.mtu, 1400u);
  EXPECT_EQ(link.mac, config.mac);
  EXPECT_EQ(link.master, 0u);
}

TYPED_TEST(DatapathTest, ReportsEveryTunnelAsItWasPut) {
  const std::vector<TunnelConfig> configs = {
      Config("id0", 0),
      Config("id65535", 65535),
      FullConfig("full", 0xabc),
      Config("v6id0", 0, TunnelKind::kEoipV6),
      Config("v6id4095", 4095, TunnelKind::kEoipV6),
      FullConfig("v6full", 1234, TunnelKind::kEoipV6),
  };
  for (const TunnelConfig& config : configs) this->Create(config);
  const auto list = this->List();
  ASSERT_THAT(list, SizeIs(configs.size()));
  for (const TunnelConfig& config : configs) {
    const auto tunnel = this->Get(config.name);
    ASSERT_TRUE(tunnel.ok()) << tunnel.status();
    EXPECT_EQ(tunnel->config, config) << config.name;
    EXPECT_EQ(tunnel->datapath, this->datapath().type());
    EXPECT_EQ(tunnel->ifindex, this->LinkOf(config.name).ifindex);
    EXPECT_FALSE(tunnel->link_gone);
    EXPECT_FALSE(tunnel->last_heard);
    EXPECT_THAT(list, testing::Contains(
                          testing::Field(&ObservedTunnel::config, config)));
  }
}

TYPED_TEST(DatapathTest, GetKnowsItsOwnTunnelsOnly) {
  EXPECT_EQ(this->Get("none").status().code(), StatusCode::kNotFound);
  this->AddForeign("foreign");
  EXPECT_EQ(this->Get("foreign").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(this->List(), IsEmpty());
}

TYPED_TEST(DatapathTest, ChangesEveryPropertyInPlace) {
  const uint32_t ifindex = this->Create(Config("site1", 100));
  BridgeConfig bridge;
  bridge.name = "lan";
  const uint32_t lan = *this->links().CreateBridge(bridge);
  ASSERT_TRUE(this->links().Change(ifindex, {.up = true, .master = lan}).ok());
  for (const TunnelConfig& config :
       {FullConfig("site1", 100), FullConfig("site1", 101),
        Config("site1", 101)}) {
    const auto changed = this->datapath().Put(config, /*create=*/false);
    ASSERT_TRUE(changed.ok()) << changed.status();
    EXPECT_EQ(*changed, ifindex);
    EXPECT_EQ(this->ConfigOf("site1"), config);
    const Link link = this->LinkOf("site1");
    EXPECT_EQ(link.ifindex, ifindex);
    EXPECT_TRUE(link.up);
    EXPECT_EQ(link.master, lan);
    EXPECT_TRUE(link.owned());
  }
}

TYPED_TEST(DatapathTest, ChangeOfNothingIsOk) {
  const TunnelConfig config = FullConfig("site1", 100);
  const uint32_t ifindex = this->Create(config);
  EXPECT_EQ(this->datapath().Put(config, false).value_or(0), ifindex);
  EXPECT_EQ(this->ConfigOf("site1"), config);
}

TYPED_TEST(DatapathTest, ChangeMakesNoNewTunnel) {
  EXPECT_EQ(this->datapath().Put(Config("none", 1), false).status().code(),
            StatusCode::kNotFound);
  this->AddForeign("foreign");
  EXPECT_FALSE(this->datapath().Put(Config("foreign", 1), false).ok());
  EXPECT_EQ(this->LinkOf("foreign").kind, "bridge");
  EXPECT_THAT(this->List(), IsEmpty());
  EXPECT_THAT(*this->links().Dump(), SizeIs(2));
}

TYPED_TEST(DatapathTest, AForeignLinkInTheWayStaysAsItIs) {
  const uint32_t foreign = this->AddForeign("site1");
  EXPECT_EQ(this->datapath().Put(Config("site1", 1), true).status().code(),
            StatusCode::kAlreadyExists);
  const Link link = this->LinkOf("site1");
  EXPECT_EQ(link.ifindex, foreign);
  EXPECT_EQ(link.kind, "bridge");
  EXPECT_EQ(link.group, 0u);
  EXPECT_THAT(this->List(), IsEmpty());
}

TYPED_TEST(DatapathTest, ASecondTunnelOfTheSameKeyIsRefused) {
  this->Create(Config("site1", 1));
  this->Create(Config("other", 2));
  EXPECT_EQ(this->datapath().Put(Config("again", 1), true).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_FALSE(this->links().Get("again").ok());
  EXPECT_EQ(this->datapath().Put(Config("other", 1), false).status().code(),
            StatusCode::kAlreadyExists);
  EXPECT_EQ(this->ConfigOf("other"), Config("other", 2));
  EXPECT_THAT(this->Names(), UnorderedElementsAre("site1", "other"));
  // Of the other family it is another key.
  this->Create(Config("v6", 1, TunnelKind::kEoipV6));
}

TYPED_TEST(DatapathTest, AKindThatItDoesNotCarryIsRefused) {
  EXPECT_EQ(this->datapath()
                .Put(Config("ipip", 1, TunnelKind::kIpip), true)
                .status()
                .code(),
            StatusCode::kFailedPrecondition);
  EXPECT_THAT(*this->links().Dump(), SizeIs(1));
}

TYPED_TEST(DatapathTest, AFailedCreateLeavesNothing) {
  TunnelConfig config = Config("site1", 1);
  config.mtu = 67;
  EXPECT_FALSE(this->datapath().Put(config, true).ok());
  config = Config("a-name-too-long-for-a-link", 1);
  EXPECT_FALSE(this->datapath().Put(config, true).ok());
  EXPECT_THAT(this->List(), IsEmpty());
  EXPECT_THAT(*this->links().Dump(), SizeIs(1));
}

TYPED_TEST(DatapathTest, AFailedChangeChangesNothing) {
  const TunnelConfig before = FullConfig("site1", 1);
  this->Create(before);
  TunnelConfig config = Config("site1", 1);
  config.mtu = 67;
  EXPECT_FALSE(this->datapath().Put(config, false).ok());
  EXPECT_EQ(this->ConfigOf("site1"), before);
}

TYPED_TEST(DatapathTest, DeletesTunnelsAndTheirLinksOnly) {
  this->Create(Config("site1", 1));
  this->Create(Config("site2", 2));
  this->Create(Config("kept", 3));
  this->AddForeign("foreign");
  const absl::Status status =
      this->datapath().Delete({"site1", "none", "foreign", "site2"});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(this->Names(), UnorderedElementsAre("kept"));
  EXPECT_FALSE(this->links().Get("site1").ok());
  EXPECT_FALSE(this->links().Get("site2").ok());
  EXPECT_TRUE(this->links().Get("kept").ok());
  EXPECT_TRUE(this->links().Get("foreign").ok());
  EXPECT_TRUE(this->datapath().Delete({"site1"}).ok());
  EXPECT_TRUE(this->datapath().Delete({}).ok());
}

TYPED_TEST(DatapathTest, ADeletedLinkIsNoticedAndMadeAgain) {
  const TunnelConfig config = Config("site1", 1);
  const uint32_t before = this->Create(config);
  ASSERT_TRUE(this->links().Delete({before}).ok());
  if (this->datapath().type() == DatapathType::kKernel) {
    EXPECT_THAT(this->List(), IsEmpty());
    EXPECT_EQ(this->Get("site1").status().code(), StatusCode::kNotFound);
  } else {
    const auto tunnel = this->Get("site1");
    ASSERT_TRUE(tunnel.ok()) << tunnel.status();
    EXPECT_TRUE(tunnel->link_gone);
    ASSERT_THAT(this->List(), SizeIs(1));
    EXPECT_TRUE(this->List()[0].link_gone);
  }
  EXPECT_EQ(this->datapath().Put(config, false).status().code(),
            StatusCode::kNotFound);
  const uint32_t after = this->Create(config);
  EXPECT_NE(after, before);
  EXPECT_EQ(this->ConfigOf("site1"), config);
  EXPECT_FALSE(this->Get("site1")->link_gone);
  EXPECT_TRUE(this->LinkOf("site1").owned());
}

TYPED_TEST(DatapathTest, ATunnelWhoseLinkIsGoneCanBeDeleted) {
  const uint32_t ifindex = this->Create(Config("site1", 1));
  ASSERT_TRUE(this->links().Delete({ifindex}).ok());
  EXPECT_TRUE(this->datapath().Delete({"site1"}).ok());
  EXPECT_THAT(this->List(), IsEmpty());
}

TYPED_TEST(DatapathTest, TellsWhatOthersChangedOfTheLink) {
  const TunnelConfig config = Config("site1", 1);
  const uint32_t ifindex = this->Create(config);
  ASSERT_TRUE(this->links().Change(ifindex, {.mtu = 1280}).ok());
  EXPECT_EQ(this->ConfigOf("site1").mtu, 1280u);
  ASSERT_TRUE(this->datapath().Put(config, false).ok());
  EXPECT_EQ(this->LinkOf("site1").mtu, config.mtu);
}

TYPED_TEST(DatapathTest, ReadsTheTunnelsThatItCarries) {
  this->Create(Config("site1", 1));
  this->Create(Config("site2", 2));
  const auto read = this->datapath().Read({"site1", "none", "lo"});
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_THAT(*read, SizeIs(1));
  EXPECT_EQ(read->at("site1").counters.rx_packets, 0u);
  EXPECT_FALSE(read->at("site1").last_heard);
  EXPECT_THAT(*this->datapath().Read({}), IsEmpty());
}

TYPED_TEST(DatapathTest, SaysWhatItsWorkersDid) {
  const auto read = this->datapath().ReadWorkers();
  ASSERT_TRUE(read.ok()) << read.status();
  if (this->datapath().type() == DatapathType::kKernel) {
    EXPECT_THAT(read->workers, IsEmpty());
  }
}

TYPED_TEST(DatapathTest, ReadsWhileTunnelsComeAndGo) {
  std::thread reader([this] {
    for (int i = 0; i < 50; ++i) {
      const auto read = this->datapath().Read({"site1", "site2"});
      EXPECT_TRUE(read.ok()) << read.status();
    }
  });
  for (int i = 0; i < 20; ++i) {
    this->Create(Config("site1", 1));
    EXPECT_TRUE(this->datapath().Delete({"site1"}).ok());
  }
  reader.join();
}

TYPED_TEST(DatapathTest, ManyTunnelsComeAndGo) {
  std::vector<std::string> names;
  for (uint32_t i = 0; i < 200; ++i) {
    names.push_back(absl::StrCat("site", i));
    this->Create(Config(names.back(), i));
  }
  EXPECT_THAT(this->List(), SizeIs(200));
  const auto read = this->datapath().Read(names);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(*read, SizeIs(200));
  ASSERT_TRUE(this->datapath().Delete(names).ok());
  EXPECT_THAT(this->List(), IsEmpty());
  EXPECT_THAT(*this->links().Dump(), SizeIs(1));
}

}  // namespace
}  // namespace eoip
