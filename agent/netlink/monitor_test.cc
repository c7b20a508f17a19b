// SPDX-License-Identifier: Apache-2.0
#include "netlink/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "netlink/message_writer.h"
#include "netlink/netlink_links.h"
#include "netlink/netlink_socket.h"
#include "netlink/test_netns.h"

namespace eoip {
namespace {

using testing::Contains;

// What the monitor told, with a way to wait for it.
class Told {
 public:
  void Link(const std::string& name) {
    std::unique_lock<std::mutex> lock(mu_);
    cond_.wait(lock, [this] { return !held_; });
    names_.push_back(name);
    cond_.notify_all();
  }
  void Lost() {
    std::lock_guard<std::mutex> lock(mu_);
    lost_ = true;
    cond_.notify_all();
  }
  // The monitor's thread waits in its next call until it is let go.
  void Hold(bool held) {
    std::lock_guard<std::mutex> lock(mu_);
    held_ = held;
    cond_.notify_all();
  }
  bool WaitForLink(const std::string& name) {
    return Wait([&] {
      return std::find(names_.begin(), names_.end(), name) != names_.end();
    });
  }
  bool WaitForLost() {
    return Wait([&] { return lost_; });
  }
  void Forget() {
    std::lock_guard<std::mutex> lock(mu_);
    names_.clear();
  }
  std::vector<std::string> names() {
    std::lock_guard<std::mutex> lock(mu_);
    return names_;
  }
  bool lost() {
    std::lock_guard<std::mutex> lock(mu_);
    return lost_;
  }

 private:
  bool Wait(const std::function<bool()>& done) {
    std::unique_lock<std::mutex> lock(mu_);
    return cond_.wait_for(lock, std::chrono::seconds(20), done);
  }

  std::mutex mu_;
  std::condition_variable cond_;
  bool held_ = false;
  bool lost_ = false;
  std::vector<std::string> names_;
};

class MonitorTest : public testing::Test {
 protected:
  void SetUp() override {
    const absl::Status status = EnterNewNetns();
    if (!status.ok()) GTEST_SKIP() << "no network namespace: " << status;
    auto links = NetlinkLinks::Open();
    ASSERT_TRUE(links.ok()) << links.status();
    links_ = *std::move(links);
  }
  void Start() {
    auto monitor = LinkMonitor::Start(
        [this](const std::string& name) { told_.Link(name); },
        [this] { told_.Lost(); });
    ASSERT_TRUE(monitor.ok()) << monitor.status();
    monitor_ = *std::move(monitor);
  }
  uint32_t AddBridge(const std::string& name) {
    BridgeConfig config;
    config.name = name;
    return links_->CreateBridge(config).value_or(0);
  }
  // Renames a link and returns the kernel's answer.
  absl::Status Rename(uint32_t ifindex, const std::string& to) {
    ifinfomsg header = {};
    header.ifi_index = static_cast<int>(ifindex);
    MessageWriter writer(RTM_SETLINK, 0, header);
    writer.PutString(IFLA_IFNAME, to);
    EOIP_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open());
    EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                          socket.Ask(std::move(writer).Finish()));
    return reply.ToStatus("rename");
  }

  Told told_;
  std::unique_ptr<NetlinkLinks> links_;
  std::unique_ptr<LinkMonitor> monitor_;
};

TEST_F(MonitorTest, TellsNewChangedAndDeletedLinks) {
  Start();
  const uint32_t ifindex = AddBridge("lan");
  EXPECT_TRUE(told_.WaitForLink("lan"));
  AddBridge("mark1");
  ASSERT_TRUE(told_.WaitForLink("mark1"));
  told_.Forget();
  ASSERT_TRUE(links_->Change(ifindex, {.mtu = 1400}).ok());
  EXPECT_TRUE(told_.WaitForLink("lan"));
  AddBridge("mark2");
  ASSERT_TRUE(told_.WaitForLink("mark2"));
  told_.Forget();
  ASSERT_TRUE(links_->Delete({ifindex}).ok());
  EXPECT_TRUE(told_.WaitForLink("lan"));
  EXPECT_FALSE(told_.lost());
}

TEST_F(MonitorTest, TellsBothNamesOfARename) {
  const uint32_t ifindex = AddBridge("before");
  Start();
  ASSERT_TRUE(Rename(ifindex, "after").ok());
  EXPECT_TRUE(told_.WaitForLink("after"));
  EXPECT_THAT(told_.names(), Contains("before"));
  told_.Forget();
  ASSERT_TRUE(Rename(ifindex, "last").ok());
  EXPECT_TRUE(told_.WaitForLink("last"));
  EXPECT_THAT(told_.names(), Contains("after"));
}

TEST_F(MonitorTest, TellsAPortThatLeavesItsBridgeAndKnowsItAfterwards) {
  const uint32_t lan = AddBridge("lan");
  ASSERT_TRUE(links_->Change(lan, {.up = true}).ok());
  ASSERT_TRUE(system("ip link add v type veth peer name w") == 0);
  const uint32_t port = links_->Get("v")->ifindex;
  ASSERT_TRUE(links_->Change(port, {.master = lan}).ok());
  Start();
  ASSERT_TRUE(links_->Change(port, {.master = 0}).ok());
  EXPECT_TRUE(told_.WaitForLink("v"));
  AddBridge("mark");
  ASSERT_TRUE(told_.WaitForLink("mark"));
  told_.Forget();
  ASSERT_TRUE(Rename(port, "free").ok());
  EXPECT_TRUE(told_.WaitForLink("free"));
  EXPECT_THAT(told_.names(), Contains("v"));
}

TEST_F(MonitorTest, SaysSoWhenEventsWereLostAndGoesOn) {
  Start();
  told_.Hold(true);
  const uint32_t ifindex = AddBridge("lan");
  // More events than any receive buffer holds, at about 2 KiB each.
  for (uint32_t i = 0; i < 12000; ++i) {
    ASSERT_TRUE(links_->Change(ifindex, {.mtu = 1400 + i % 2}).ok());
  }
  told_.Hold(false);
  EXPECT_TRUE(told_.WaitForLost());
  AddBridge("later");
  EXPECT_TRUE(told_.WaitForLink("later"));
  // Names are right again, too.
  ASSERT_TRUE(Rename(ifindex, "renamed").ok());
  EXPECT_TRUE(told_.WaitForLink("renamed"));
}

TEST_F(MonitorTest, StartsWhileLinksComeAndGo) {
  // So many that the kernel needs several parts to list them.
  for (int i = 0; i < 200; ++i) AddBridge(absl::StrCat("lan", i));
  auto links = NetlinkLinks::Open();
  ASSERT_TRUE(links.ok());
  std::atomic<bool> stop = false;
  std::thread churn([&] {
    BridgeConfig config;
    config.name = "fleeting";
    while (!stop) {
      const auto ifindex = (*links)->CreateBridge(config);
      if (ifindex.ok()) (void)(*links)->Delete({*ifindex});
    }
  });
  absl::Status status;
  for (int i = 0; i < 100 && status.ok(); ++i) {
    status = LinkMonitor::Start([](const std::string&) {}, [] {}).status();
  }
  stop = true;
  churn.join();
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(MonitorTest, StaysInItsNamespace) {
  Start();
  ASSERT_TRUE(EnterNewNetns().ok());
  auto elsewhere = NetlinkLinks::Open();
  ASSERT_TRUE(elsewhere.ok());
  BridgeConfig config;
  config.name = "elsewhere";
  ASSERT_TRUE((*elsewhere)->CreateBridge(config).ok());
  AddBridge("here");  // links_ stayed as well
  EXPECT_TRUE(told_.WaitForLink("here"));
  EXPECT_THAT(told_.names(), testing::Not(Contains("elsewhere")));
}

TEST_F(MonitorTest, EndsWhileEventsCome) {
  const uint32_t ifindex = AddBridge("lan");
  for (int i = 0; i < 50; ++i) {
    Start();
    ASSERT_TRUE(
        links_->Change(ifindex, {.mtu = 1400 + static_cast<uint32_t>(i)}).ok());
    monitor_.reset();
  }
}

}  // namespace
}  // namespace eoip
