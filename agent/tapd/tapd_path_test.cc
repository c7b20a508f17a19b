// SPDX-License-Identifier: Apache-2.0
//
// Sending past the IP stack: that it is used, says the same on the wire, and
// follows the kernel's routes, neighbours and policies.
#include <sys/ptrace.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

// Holds one thread of a process, as a busy kernel does.
class HeldThread {
 public:
  HeldThread(pid_t pid, const std::string& name) {
    const auto tasks = "/proc/" + std::to_string(pid) + "/task";
    for (const auto& task : std::filesystem::directory_iterator(tasks)) {
      std::string comm;
      std::getline(std::ifstream(task.path() / "comm"), comm);
      if (comm == name) thread_ = std::stoi(task.path().filename());
    }
    held_ = thread_ > 0 &&
            ::ptrace(PTRACE_SEIZE, thread_, nullptr, nullptr) == 0 &&
            ::ptrace(PTRACE_INTERRUPT, thread_, nullptr, nullptr) == 0 &&
            ::waitpid(thread_, nullptr, __WALL) == thread_;
  }
  ~HeldThread() { ::ptrace(PTRACE_DETACH, thread_, nullptr, nullptr); }
  bool held() const { return held_; }

 private:
  pid_t thread_ = -1;
  bool held_ = false;
};

class TapdPathTest : public TapdTest,
                     public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    TapdTest::SetUp();
    if (IsSkipped()) return;
    // Before the first tunnel, so that nothing changes behind the test's back.
    StartTapd();
    ipv6_ = GetParam();
    config_ = MakeConfig("t0", 7, ipv6_, ipv6_ ? kPeer6 : kPeer4);
    tap_ = Tap(config_);
  }

  uint64_t Fast() { return tapd_->Get("t0").counters().tx_fast_packets(); }

  // Sends one frame and says how it arrived.
  std::optional<Bytes> SendOne() {
    tap_->Send(TestFrame(60, ++seed_));
    const Bytes frame = TestFrame(60, seed_);
    return wire_->Receive([&](const Bytes& f) {
      return f.size() > frame.size() &&
             Bytes(f.end() - static_cast<long>(frame.size()), f.end()) == frame;
    });
  }
  // Sends until a frame took the fast path; that frame.
  Bytes SendFast() {
    Bytes sent;
    EXPECT_TRUE(WaitUntil([&] {
      const uint64_t before = Fast();
      sent = SendOne().value_or(Bytes());
      return Fast() > before;
    }));
    return sent;
  }
  // Longer than any answer of the kernel is believed.
  bool StaysSlow() {
    const uint64_t before = Fast();
    return !WaitUntil(
        [&] {
          SendOne();
          return Fast() > before;
        },
        std::chrono::milliseconds(1500));
  }
  std::string Host(const std::string& v4, const std::string& v6) {
    return ipv6_ ? v6 : v4;
  }

  bool ipv6_ = false;
  uint8_t seed_ = 0;
  v1::TunnelConfig config_;
  std::unique_ptr<LinkSocket> tap_;
};

INSTANTIATE_TEST_SUITE_P(Families, TapdPathTest, ::testing::Bool());

TEST_P(TapdPathTest, SendsTheSameBytesAsTheIpStack) {
  Bytes slow;
  {
    // The first packet goes through the stack.
    slow = SendOne().value_or(Bytes());
    ASSERT_EQ(Fast(), 0u);
  }
  Bytes fast = SendFast();
  ASSERT_EQ(fast.size(), slow.size());
  // But for the seed of the frame and, in IPv4, id and header checksum.
  const size_t frame_at = fast.size() - 60;
  for (Bytes* b : {&fast, &slow}) {
    b->resize(frame_at);
    if (!ipv6_) (*b)[18] = (*b)[19] = (*b)[24] = (*b)[25] = 0;
  }
  EXPECT_EQ(ToHex(fast), ToHex(slow));
}

TEST_P(TapdPathTest, FollowsTheNeighbour) {
  SendFast();
  ASSERT_TRUE(host_->Exec(
      Host("ip neigh replace 192.0.2.2", "ip neigh replace 2001:db8::2") +
      " lladdr 02:00:00:00:00:77 dev under0 nud permanent"));
  // The very next one: the kernel's message was there before.
  EXPECT_EQ(SendOne().value_or(Bytes(6))[5], 0x77);
  EXPECT_EQ(SendFast()[5], 0x77);
}

TEST_P(TapdPathTest, StopsWhenTheRouteGoes) {
  SendFast();
  ASSERT_TRUE(host_->Exec(Host("ip route del 192.0.2.0/24 dev under0",
                               "ip -6 route del 2001:db8::/64 dev under0")));
  ASSERT_TRUE(WaitUntil([&] {
    tap_->Send(TestFrame(60, 1));
    return tapd_->Get("t0").counters().drops().contains("send_error");
  }));
  const uint64_t before = Fast();
  EXPECT_FALSE(WaitUntil(
      [&] {
        tap_->Send(TestFrame(60, 1));
        return Fast() > before;
      },
      std::chrono::milliseconds(300)));
}

TEST_P(TapdPathTest, LeavesFragmentingMarksOfDfAndDscpToTheStack) {
  SendFast();
  const uint64_t before = Fast();
  tap_->Send(TestFrame(1514, 9));
  const auto packet = FromHost(ipv6_);
  ASSERT_TRUE(packet.has_value());
  EXPECT_GT(packet->fragments, 1);
  EXPECT_EQ(Fast(), before);
  config_.set_dscp(46);
  ASSERT_TRUE(tapd_->Put(config_).ok());
  EXPECT_TRUE(StaysSlow());
}

TEST_P(TapdPathTest, LeavesAllToTheStackWhereIpsecPoliciesAre) {
  SendFast();
  const std::string policy = Host("src 198.51.100.0/24 dst 203.0.113.0/24",
                                  "src 2001:db8:5::/64 dst 2001:db8:6::/64") +
                             " dir out";
  if (!host_->Exec("ip xfrm policy add " + policy + " priority 9")) {
    GTEST_SKIP() << "this kernel has no IPsec";
  }
  EXPECT_TRUE(StaysSlow());
  ASSERT_TRUE(host_->Exec("ip xfrm policy del " + policy));
  SendFast();
}

TEST_P(TapdPathTest, ForwardsWhileTheKernelDoesNotAnswer) {
  SendFast();
  {
    const HeldThread finder(tapd_->pid(), "tapd-paths");
    ASSERT_TRUE(finder.held());
    ASSERT_TRUE(host_->Exec("ip link add other0 type bridge"));
    EXPECT_TRUE(StaysSlow());
    // Both ways, and the control API.
    EXPECT_TRUE(SendOne().has_value());
    const Bytes frame = TestFrame(60, 99);
    SendEoip(ipv6_, ipv6_ ? Concat(Eoipv6Header(7), frame)
                          : Concat(EoipHeader(7, 60), frame));
    EXPECT_TRUE(tap_->Receive([&](const Bytes& f) { return f == frame; }));
    // The answer's tunnel is another one by then.
    ASSERT_TRUE(tapd_->Delete({"t0"}).ok());
    tap_ = Tap(config_);
    EXPECT_TRUE(SendOne().has_value());
  }
  SendFast();
}

TEST_P(TapdPathTest, GoesThroughTheStackNowAndThen) {
  // So that the kernel keeps the neighbour alive: within 1.2 s.
  SendFast();
  EXPECT_TRUE(WaitUntil(
      [&] {
        const uint64_t before = Fast();
        return SendOne().has_value() && Fast() == before;
      },
      std::chrono::milliseconds(1200)));
}

}  // namespace
}  // namespace eoip::tapd::testing
