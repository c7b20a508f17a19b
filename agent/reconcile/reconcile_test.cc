// SPDX-License-Identifier: Apache-2.0
//
// The worker against a kernel and datapaths in memory, with failures on
// purpose; tests/netns runs the same program on a real kernel.
#include <functional>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "datapath/fake_datapath.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "netlink/fake_links.h"
#include "reconcile/memory_store.h"
#include "reconcile/reconcile_worker.h"

namespace eoip {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr absl::Duration kDeadline = absl::Seconds(10);

TunnelSpec Tunnel(const std::string& id, uint32_t tunnel_id = 1) {
  TunnelSpec spec;
  spec.id = id;
  spec.remote = *IpAddress::Parse("192.0.2.1");
  spec.tunnel_id = tunnel_id;
  return spec;
}

NetworkSpec Network(const std::string& id,
                    const std::vector<std::string>& tunnels) {
  NetworkSpec spec;
  spec.id = id;
  for (const std::string& tunnel : tunnels)
    spec.ports.push_back({.tunnel = tunnel});
  return spec;
}

AttachmentSpec Attachment(const std::string& network, const std::string& id,
                          const std::string& link) {
  AttachmentSpec spec;
  spec.network = network;
  spec.id = id;
  spec.host_link = link;
  return spec;
}

class ReconcileTest : public testing::Test {
 protected:
  ReconcileTest() : links_(&kernel_), tap_(&kernel_, DatapathType::kTap) {}

  void Start() {
    ReconcileWorker::Options options;
    options.node = "node";
    options.backoff_min = absl::Milliseconds(5);
    options.backoff_max = absl::Milliseconds(50);
    options.settle = absl::Milliseconds(1);
    options.probe_interval = absl::Milliseconds(20);
    worker_ = std::make_unique<ReconcileWorker>(
        options, &store_, &links_, std::vector<Datapath*>{&tap_}, &board_);
    worker_->Start();
  }

  absl::Status Apply(const std::string& resource) {
    return worker_->Apply(resource, absl::Now() + kDeadline);
  }

  bool Eventually(const std::function<bool()>& condition) {
    const absl::Time deadline = absl::Now() + kDeadline;
    while (!condition()) {
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(1));
    }
    return true;
  }

  uint32_t IndexOf(const std::string& link) {
    auto found = kernel_.Find(link);
    return found.has_value() ? found->ifindex : 0;
  }

  FakeKernel kernel_;
  FakeLinks links_;
  FakeDatapath tap_;
  MemoryStore store_;
  StatusBoard board_;
  std::unique_ptr<ReconcileWorker> worker_;
};

TEST_F(ReconcileTest, AppliesWhatIsWantedAndIsReadyAfterTheFirstLook) {
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  store_.PutNetwork(Network("lan", {"eoip1"})).IgnoreError();
  Start();
  ASSERT_TRUE(Eventually([&] { return worker_->Report().ready; }));
  EXPECT_EQ(board_.GetTunnel("eoip1").state, TunnelState::kActive);
  EXPECT_EQ(board_.GetNetwork("lan").state, NetworkState::kActive);
  EXPECT_EQ(kernel_.Find("eoip1")->master, IndexOf("lan"));
  EXPECT_TRUE(kernel_.Find("eoip1")->up);
  EXPECT_EQ(worker_->Report().datapaths.at(0).tunnels, 1u);
}

TEST_F(ReconcileTest, SecondPassChangesNothing) {
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  store_.PutNetwork(Network("lan", {"eoip1"})).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("networks/lan").ok());
  kernel_.faults().ForgetCalls();
  ASSERT_TRUE(Apply("networks/lan").ok());
  ASSERT_TRUE(Apply("tunnels/eoip1").ok());
  EXPECT_THAT(kernel_.faults().calls(), ElementsAre());
}

TEST_F(ReconcileTest, RestartAdoptsWithoutAChange) {
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  store_.PutNetwork(Network("lan", {"eoip1"})).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("networks/lan").ok());
  const uint32_t before = IndexOf("eoip1");
  worker_.reset();
  kernel_.faults().ForgetCalls();
  Start();
  ASSERT_TRUE(Apply("networks/lan").ok());
  EXPECT_EQ(IndexOf("eoip1"), before);
  EXPECT_THAT(kernel_.faults().calls(), ElementsAre());
}

TEST_F(ReconcileTest, FailureIsStateAndIsRetriedAndHarmsNoOther) {
  kernel_.faults().FailCalls("put eoip1",
                             absl::ResourceExhaustedError("no memory"), 2);
  store_.PutTunnel(Tunnel("eoip1", 1)).IgnoreError();
  store_.PutTunnel(Tunnel("eoip2", 2)).IgnoreError();
  Start();
  ASSERT_TRUE(Eventually(
      [&] { return board_.GetTunnel("eoip2").state == TunnelState::kActive; }));
  EXPECT_TRUE(Eventually(
      [&] { return board_.GetTunnel("eoip1").state == TunnelState::kActive; }));
}

TEST_F(ReconcileTest, ForeignLinkBlocksUntilItGoes) {
  kernel_.AddLink("eoip1", "dummy");
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("tunnels/eoip1").ok());
  EXPECT_EQ(board_.GetTunnel("eoip1").state, TunnelState::kFailed);
  EXPECT_THAT(board_.GetTunnel("eoip1").reason, HasSubstr("not the agent's"));
  EXPECT_EQ(kernel_.Find("eoip1")->kind, "dummy");
  kernel_.RemoveLink("eoip1");
  worker_->LookAtLink("eoip1");
  EXPECT_TRUE(Eventually(
      [&] { return board_.GetTunnel("eoip1").state == TunnelState::kActive; }));
}

TEST_F(ReconcileTest, DeletedLinkComesBack) {
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  store_.PutNetwork(Network("lan", {"eoip1"})).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("networks/lan").ok());
  const uint32_t before = IndexOf("eoip1");
  kernel_.RemoveLink("eoip1");
  worker_->LookAtLink("eoip1");
  ASSERT_TRUE(Eventually([&] {
    return IndexOf("eoip1") != 0 && IndexOf("eoip1") != before &&
           kernel_.Find("eoip1")->master == IndexOf("lan");
  }));
}

TEST_F(ReconcileTest, DeleteTakesTheLinkAndTheStatusAway) {
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("tunnels/eoip1").ok());
  store_.DeleteTunnel("eoip1").IgnoreError();
  ASSERT_TRUE(Apply("tunnels/eoip1").ok());
  EXPECT_FALSE(kernel_.Find("eoip1").has_value());
  EXPECT_TRUE(board_.Tunnels().empty());
}

TEST_F(ReconcileTest, ProtectedLinkOfALostSpecStays) {
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("tunnels/eoip1").ok());
  worker_.reset();
  store_.DeleteTunnel("eoip1").IgnoreError();
  store_.Protect("eoip1");
  Start();
  ASSERT_TRUE(Eventually([&] { return worker_->Report().ready; }));
  EXPECT_TRUE(kernel_.Find("eoip1").has_value());
}

TEST_F(ReconcileTest, AttachmentJoinsReturnsAndIsForgottenWithItsLink) {
  kernel_.AddVeth("veth1", "pod0");
  kernel_.Edit("pod0", [](Link& link) { link.up = true; });
  store_.PutNetwork(Network("lan", {})).IgnoreError();
  store_.PutAttachment(Attachment("lan", "pod", "veth1")).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("networks/lan/attachments/pod").ok());
  EXPECT_EQ(board_.GetAttachment({"lan", "pod"}).state,
            AttachmentState::kActive);
  EXPECT_EQ(kernel_.Find("veth1")->master, IndexOf("lan"));
  EXPECT_EQ(kernel_.Find("veth1")->group, kPortGroup);

  kernel_.Edit("veth1", [](Link& link) { link.master = 0; });
  worker_->LookAtLink("veth1");
  ASSERT_TRUE(Eventually(
      [&] { return kernel_.Find("veth1")->master == IndexOf("lan"); }));

  kernel_.RemoveLink("veth1");
  worker_->LookAtLink("veth1");
  ASSERT_TRUE(
      Eventually([&] { return store_.Snapshot().attachments.empty(); }));
  EXPECT_TRUE(Eventually([&] {
    return board_.Keys().count("networks/lan/attachments/pod") == 0;
  }));
}

TEST_F(ReconcileTest, PortOfADeletedAttachmentLeavesTheBridge) {
  kernel_.AddVeth("veth1", "pod0");
  store_.PutNetwork(Network("lan", {})).IgnoreError();
  store_.PutAttachment(Attachment("lan", "pod", "veth1")).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("networks/lan/attachments/pod").ok());
  store_.DeleteAttachment({"lan", "pod"}, "").IgnoreError();
  ASSERT_TRUE(Apply("networks/lan/attachments/pod").ok());
  EXPECT_EQ(kernel_.Find("veth1")->master, 0u);
  EXPECT_EQ(kernel_.Find("veth1")->group, 0u);
}

TEST_F(ReconcileTest, NetworkCountsItsAttachments) {
  kernel_.AddVeth("veth1", "pod0");
  kernel_.AddVeth("veth2", "pod1");
  store_.PutNetwork(Network("lan", {})).IgnoreError();
  Start();
  ASSERT_TRUE(Apply("networks/lan").ok());
  store_.PutAttachment(Attachment("lan", "a", "veth1")).IgnoreError();
  ASSERT_TRUE(Apply("networks/lan/attachments/a").ok());
  store_.PutAttachment(Attachment("lan", "b", "veth2")).IgnoreError();
  ASSERT_TRUE(Apply("networks/lan/attachments/b").ok());
  EXPECT_EQ(board_.GetNetwork("lan").attachments, 2u);
  EXPECT_EQ(board_.GetAttachment({"lan", "b"}).state, AttachmentState::kActive);
  // The plugin takes the link away first.
  kernel_.RemoveLink("veth1");
  store_.DeleteAttachment({"lan", "a"}, "").IgnoreError();
  ASSERT_TRUE(Apply("networks/lan/attachments/a").ok());
  EXPECT_EQ(board_.GetNetwork("lan").attachments, 1u);
  EXPECT_EQ(board_.Keys().count("networks/lan/attachments/a"), 0u);
}

// The bridge is made by the same pass.
TEST_F(ReconcileTest, AttachmentOfANetworkThatIsNotUpYetBringsItUp) {
  kernel_.AddVeth("veth1", "pod0");
  Start();
  ASSERT_TRUE(Eventually([&] { return worker_->Report().ready; }));
  store_.PutNetwork(Network("lan", {})).IgnoreError();
  store_.PutAttachment(Attachment("lan", "a", "veth1")).IgnoreError();
  ASSERT_TRUE(Apply("networks/lan/attachments/a").ok());
  EXPECT_EQ(board_.GetAttachment({"lan", "a"}).state, AttachmentState::kActive);
  EXPECT_EQ(kernel_.Find("veth1")->master, IndexOf("lan"));
}

// The agent dies before and after every change of create, update and delete;
// the next start must reach what the store says.
TEST_F(ReconcileTest, EveryFailurePointConverges) {
  for (int n = 1; n < 40; ++n) {
    store_.PutTunnel(Tunnel("eoip1", 1)).IgnoreError();
    store_.PutTunnel(Tunnel("eoip2", 2)).IgnoreError();
    store_.PutNetwork(Network("lan", {"eoip1", "eoip2"})).IgnoreError();
    kernel_.faults().FailNth(
        n, absl::UnavailableError("cut"),
        n % 2 == 0 ? Faults::When::kAfter : Faults::When::kBefore);
    Start();
    ASSERT_TRUE(Eventually([&] {
      return board_.GetNetwork("lan").state == NetworkState::kActive;
    })) << n
        << ": " << board_.GetNetwork("lan").reason;
    TunnelSpec changed = Tunnel("eoip1", 7);
    changed.mtu = 1400;
    store_.PutTunnel(changed).IgnoreError();
    store_.DeleteTunnel("eoip2").IgnoreError();
    store_.PutNetwork(Network("lan", {"eoip1"})).IgnoreError();
    ASSERT_TRUE(Apply("tunnels/eoip2").ok());
    ASSERT_TRUE(Apply("tunnels/eoip1").ok());
    ASSERT_TRUE(Apply("networks/lan").ok());
    ASSERT_TRUE(Eventually([&] {
      auto link = kernel_.Find("eoip1");
      return link.has_value() && link->mtu == 1400 &&
             !kernel_.Find("eoip2").has_value();
    })) << n;
    store_.DeleteNetwork("lan").IgnoreError();
    store_.DeleteTunnel("eoip1").IgnoreError();
    ASSERT_TRUE(Apply("networks/lan").ok());
    ASSERT_TRUE(Apply("tunnels/eoip1").ok());
    ASSERT_TRUE(Eventually([&] {
      return !kernel_.Find("eoip1").has_value() &&
             !kernel_.Find("lan").has_value();
    })) << n;
    worker_.reset();
    kernel_.faults().Clear();
  }
}

TEST_F(ReconcileTest, CountsPassesByDurationAndFailures) {
  Start();
  const auto passes = [&] { return worker_->Report().passes; };
  const auto total = [](const PassReport& report) {
    return std::accumulate(report.durations.begin(), report.durations.end(),
                           uint64_t{0});
  };
  ASSERT_TRUE(Apply("networks/lan").ok());
  const PassReport before = passes();
  EXPECT_GE(total(before), 1u);
  EXPECT_GT(before.seconds, 0);
  EXPECT_EQ(before.failed, 0u);
  EXPECT_EQ(before.failures, 0u);
  store_.PutTunnel(Tunnel("eoip1")).IgnoreError();
  kernel_.faults().FailNth(1, absl::InternalError("no"));
  ASSERT_TRUE(Apply("tunnels/eoip1").ok());
  const PassReport after = passes();
  EXPECT_GT(total(after), total(before));
  EXPECT_GE(after.seconds, before.seconds);
  EXPECT_EQ(after.failed, 0u);
  EXPECT_GE(after.failures, 1u);
}

TEST_F(ReconcileTest, ReadsTheWorkersOfTheDatapathThatHasThem) {
  FakeDatapath kernel(&kernel_, DatapathType::kKernel);
  ReconcileWorker worker({}, &store_, &links_, {&kernel, &tap_}, &board_);
  EXPECT_TRUE(worker.ReadWorkers()->workers.empty());
  WorkersReading reading;
  reading.workers.resize(3);
  reading.workers[2].waits = 7;
  tap_.SetWorkers(reading);
  ASSERT_EQ(worker.ReadWorkers()->workers.size(), 3u);
  EXPECT_EQ(worker.ReadWorkers()->workers[2].waits, 7u);
  tap_.SetAvailable(false, "it hangs", /*lists=*/false);
  EXPECT_EQ(worker.ReadWorkers().status(), absl::UnavailableError("it hangs"));
}

TEST_F(ReconcileTest, StopAnswersThoseThatWait) {
  Start();
  std::thread caller([&] {
    for (int i = 0; i < 1000; ++i) {
      if (!Apply("tunnels/none").ok()) return;
    }
  });
  ASSERT_TRUE(Eventually([&] { return worker_->Report().ready; }));
  worker_->Stop();
  caller.join();
  EXPECT_EQ(Apply("tunnels/none").code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace eoip
