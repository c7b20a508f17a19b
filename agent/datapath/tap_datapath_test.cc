// SPDX-License-Identifier: Apache-2.0
//
// What TapDatapath does when eoip-tapd is away, dies, hangs or comes back, with
// the real program. What all datapaths share is in datapath_test.cc.
#include "datapath/tap_datapath.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/socket.h>
#include <sys/un.h>

#include <memory>
#include <optional>

#include "absl/time/clock.h"
#include "base/unique_fd.h"
#include "datapath/test_tapd.h"
#include "netlink/fake_links.h"
#include "netlink/netlink_links.h"
#include "netlink/test_netns.h"

namespace eoip {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr absl::Duration kProbeLimit = absl::Seconds(1);

TunnelConfig Config(const std::string& name, uint32_t id) {
  TunnelConfig config;
  config.name = name;
  config.tunnel_id = id;
  config.remote = *IpAddress::Parse("192.0.2.7");
  config.mac = MacAddress::Derive("node", name);
  return config;
}

class TapDatapathTest : public testing::Test {
 protected:
  void SetUp() override {
    if (absl::Status status = EnterNewNetns(); !status.ok()) {
      GTEST_SKIP() << "no network namespace: " << status;
    }
    if (access("/dev/net/tun", R_OK | W_OK) != 0) {
      GTEST_SKIP() << "no /dev/net/tun";
    }
    links_ = NetlinkLinks::Open().value();
    datapath_.emplace(links_.get(), tapd_.socket());
  }
  static bool Eventually(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (absl::Now() < deadline) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(10));
    }
    return false;
  }
  void StartTapd() {
    tapd_.Start();
    ASSERT_TRUE(Eventually([&] { return datapath_->Probe().available; }))
        << datapath_->Probe().reason;
  }
  absl::StatusOr<std::vector<ObservedTunnel>> List() {
    return datapath_->List(*links_->Dump());
  }

  TestTapd tapd_;
  std::unique_ptr<NetlinkLinks> links_;
  std::optional<TapDatapath> datapath_;
};

TEST_F(TapDatapathTest, WithoutTapdItSaysSoAtOnceAndEverywhere) {
  const absl::Time start = absl::Now();
  const Availability availability = datapath_->Probe();
  EXPECT_FALSE(availability.available);
  EXPECT_THAT(availability.reason, HasSubstr(tapd_.socket()));
  EXPECT_THAT(availability.reason, HasSubstr("No such file"));
  EXPECT_THAT(availability.kinds, IsEmpty());
  EXPECT_EQ(List().status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(datapath_->Get("a", nullptr).status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(datapath_->Put(Config("a", 1), true).status().code(),
            StatusCode::kUnavailable);
  EXPECT_EQ(datapath_->Delete({"a"}).code(), StatusCode::kUnavailable);
  EXPECT_EQ(datapath_->Read({"a"}).status().code(), StatusCode::kUnavailable);
  EXPECT_LT(absl::Now() - start, kProbeLimit);
}

TEST_F(TapDatapathTest, TapdIsFoundWhenItStartsLater) {
  EXPECT_FALSE(datapath_->Probe().available);
  const absl::Time start = absl::Now();
  StartTapd();
  EXPECT_LT(absl::Now() - start, absl::Seconds(3));
  EXPECT_TRUE(datapath_->Put(Config("a", 1), true).ok());
}

TEST_F(TapDatapathTest, ReadsWhatTheWorkersDid) {
  StartTapd();
  const absl::Time start = absl::Now();
  ASSERT_TRUE(datapath_->Put(Config("a", 1), true).ok());
  const auto reading = datapath_->ReadWorkers();
  ASSERT_TRUE(reading.ok()) << reading.status();
  ASSERT_THAT(reading->workers, SizeIs(1));
  EXPECT_LT(reading->since, start);
  EXPECT_GT(reading->since, start - absl::Minutes(1));
  // It was woken for the new tunnel at least.
  EXPECT_GT(reading->workers[0].waits, 0u);
  EXPECT_THAT(reading->workers[0].rx.batch_sizes, SizeIs(8));
}

// A backlog that is full makes a plain connect wait for ever.
TEST_F(TapDatapathTest, ASocketThatNobodyAcceptsOnIsNotWaitedFor) {
  const UniqueFd full(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  tapd_.socket().copy(address.sun_path, sizeof(address.sun_path) - 1);
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  ASSERT_EQ(bind(full.get(), name, sizeof(address)), 0);
  ASSERT_EQ(listen(full.get(), 0), 0);
  const UniqueFd first(
      socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ASSERT_EQ(connect(first.get(), name, sizeof(address)), 0);
  const absl::Time start = absl::Now();
  EXPECT_EQ(datapath_->ReadWorkers().status().code(), StatusCode::kUnavailable);
  EXPECT_FALSE(datapath_->Probe().available);
  EXPECT_LT(absl::Now() - start, kProbeLimit);
}

TEST_F(TapDatapathTest, AHangingTapdIsNotWaitedForLong) {
  StartTapd();
  ASSERT_TRUE(datapath_->Put(Config("a", 1), true).ok());
  tapd_.Signal(SIGSTOP);
  // What was known is believed for a while.
  ASSERT_TRUE(Eventually([&] {
    const absl::Time start = absl::Now();
    const bool available = datapath_->Probe().available;
    EXPECT_LT(absl::Now() - start, kProbeLimit);
    return !available;
  }));
  EXPECT_THAT(datapath_->Probe().reason, HasSubstr("does not answer"));
  const absl::Time start = absl::Now();
  EXPECT_EQ(datapath_->ReadWorkers().status().code(), StatusCode::kUnavailable);
  EXPECT_LT(absl::Now() - start, kProbeLimit);
  tapd_.Signal(SIGCONT);
  ASSERT_TRUE(Eventually([&] { return datapath_->Probe().available; }));
  EXPECT_THAT(*List(), SizeIs(1));
}

TEST_F(TapDatapathTest, AKilledTapdTakesItsTapsAlongAndStartsEmpty) {
  StartTapd();
  ASSERT_TRUE(datapath_->Put(Config("a", 1), true).ok());
  tapd_.Kill();
  EXPECT_FALSE(links_->Get("a").ok());
  EXPECT_EQ(List().status().code(), StatusCode::kUnavailable);
  // What failed is asked anew at once, not believed from before.
  EXPECT_FALSE(datapath_->Probe().available);
  StartTapd();
  EXPECT_THAT(*List(), IsEmpty());
  EXPECT_EQ(datapath_->Put(Config("a", 1), false).status().code(),
            StatusCode::kNotFound);
  EXPECT_TRUE(datapath_->Put(Config("a", 1), true).ok());
}

TEST_F(TapDatapathTest, ARestartedAgentFindsItsTunnels) {
  StartTapd();
  const TunnelConfig config = Config("a", 1);
  const uint32_t ifindex = *datapath_->Put(config, true);
  datapath_.emplace(links_.get(), tapd_.socket());
  const auto list = List();
  ASSERT_TRUE(list.ok()) << list.status();
  ASSERT_THAT(*list, SizeIs(1));
  EXPECT_EQ(list->front().config, config);
  EXPECT_EQ(list->front().ifindex, ifindex);
}

TEST_F(TapDatapathTest, APutThatWasCutShortIsFinishedByTheNext) {
  StartTapd();
  const uint32_t ifindex = *datapath_->Put(Config("a", 1), true);
  // As after a crash between eoip-tapd's part and ours.
  ASSERT_TRUE(links_->Change(ifindex, {.mtu = 1280, .group = 0}).ok());
  for (const bool create : {true, false}) {
    const auto again = datapath_->Put(Config("a", 1), create);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(*again, ifindex);
    EXPECT_TRUE(links_->Get("a")->owned());
    EXPECT_EQ(links_->Get("a")->mtu, 1500u);
  }
}

TEST_F(TapDatapathTest, ARenamedTapCountsAsGoneAndIsReplaced) {
  StartTapd();
  ASSERT_TRUE(datapath_->Put(Config("a", 1), true).ok());
  ASSERT_EQ(system("ip link set dev a name b"), 0);
  EXPECT_TRUE(List()->front().link_gone);
  ASSERT_TRUE(datapath_->Put(Config("a", 1), true).ok());
  EXPECT_FALSE(List()->front().link_gone);
  EXPECT_FALSE(links_->Get("b").ok());
}

TEST_F(TapDatapathTest, DeleteSparesALinkThatTookTheNameOfAGoneTap) {
  StartTapd();
  const uint32_t tap = *datapath_->Put(Config("a", 1), true);
  ASSERT_TRUE(links_->Delete({tap}).ok());
  BridgeConfig bridge;
  bridge.name = "a";
  ASSERT_TRUE(links_->CreateBridge(bridge).ok());
  EXPECT_TRUE(List()->front().link_gone);
  EXPECT_TRUE(datapath_->Delete({"a"}).ok());
  EXPECT_THAT(*List(), IsEmpty());
  EXPECT_EQ(links_->Get("a")->kind, "bridge");
}

// The agent's own part of a Put fails: what eoip-tapd did is undone.
TEST_F(TapDatapathTest, ACreateThatFailsHalfwayLeavesNothing) {
  StartTapd();
  FakeKernel elsewhere;
  FakeLinks links(&elsewhere);  // does not see the TAP
  TapDatapath datapath(&links, tapd_.socket());
  EXPECT_FALSE(datapath.Put(Config("a", 1), true).ok());
  EXPECT_THAT(*List(), IsEmpty());
  EXPECT_FALSE(links_->Get("a").ok());
}

}  // namespace
}  // namespace eoip
