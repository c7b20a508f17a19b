// SPDX-License-Identifier: Apache-2.0
//
// The forwarder and its workers in this process, without gRPC, under traffic
// both ways and all that the control API does at the same time. Made for
// ThreadSanitizer (tests/sanitize): what races is seen there.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tapd/forwarder.h"
#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

constexpr int kWorkers = 3;
constexpr int kRounds = 150;

class TapdThreadsTest : public TapdTest {
 protected:
  void StopTraffic() {
    stop_ = true;
    for (std::thread& thread : traffic_) thread.join();
    traffic_.clear();
  }

  // Frames of many flows from the peer, keepalives and strangers among them.
  void FlowIn() {
    traffic_.emplace_back([this] {
      for (uint32_t i = 0; !stop_; ++i) {
        const Bytes udp = MakeUdp(static_cast<uint16_t>(i % 64));
        SendEoip(
            false,
            Concat(EoipHeader(100, static_cast<uint16_t>(udp.size())), udp));
        if (i % 16 == 0) SendEoip(false, EoipHeader(100, 0));
        if (i % 32 == 0) SendEoip(true, Concat(Eoipv6Header(200), udp));
        if (i % 64 == 0) SendEoip(false, EoipHeader(999, 0));
      }
    });
  }
  // Frames into the TAP.
  void FlowOut() {
    traffic_.emplace_back([this] {
      LinkSocket tap(*host_, "t0");
      for (uint32_t i = 0; !stop_; ++i) {
        tap.Send(MakeUdp(static_cast<uint16_t>(i % 64)));
      }
    });
  }

  static Bytes MakeUdp(uint16_t flow) {
    Bytes udp(208);
    udp[0] = static_cast<uint8_t>(0x40 + flow);
    udp[2] = 0x13;
    udp[5] = 208;
    return Concat(FromHex("0200000000aa 020000000011 0800"),
                  MakeIpv4("10.0.0.1", "10.0.0.2", 17, udp));
  }

  std::unique_ptr<Forwarder> forwarder_;
  std::vector<std::thread> traffic_;
  std::atomic<bool> stop_{false};
};

TunnelConfig Parse(const v1::TunnelConfig& proto) {
  return *ParseTunnelConfig(proto);
}

// Each on a thread of its own, in the namespace of the caller.
void ChangeTunnels(Forwarder* forwarder) {
  for (int i = 0; i < kRounds; ++i) {
    v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
    config.set_keepalive_interval_s(i % 3 == 0 ? 0 : 1);
    config.set_keepalive_retries(1);
    config.set_clamp_tcp_mss(i % 2 == 0);
    config.set_inherit_df(i % 5 == 0);
    config.set_disabled(i % 7 == 6);
    config.set_no_offload(i % 4 == 3);
    EXPECT_TRUE(forwarder->Put(Parse(config)).ok());
  }
}

void MakeAndDeleteTunnels(Forwarder* forwarder) {
  for (int i = 0; i < kRounds / 5; ++i) {
    EXPECT_TRUE(
        forwarder->Put(Parse(MakeConfig("t6", 200, true, kPeer6))).ok());
    EXPECT_TRUE(
        forwarder->Put(Parse(MakeConfig("t1", 101, false, kOther4))).ok());
    EXPECT_TRUE(forwarder->Delete({"t1", "t6"}).ok());
  }
}

void ReadEverything(Forwarder* forwarder) {
  for (int i = 0; i < kRounds * 4; ++i) {
    v1::Info info;
    forwarder->FillInfo(&info);
    EXPECT_EQ(info.workers(), static_cast<uint32_t>(kWorkers));
    EXPECT_GE(forwarder->List({}).size(), 1u);
  }
}

void PauseAndResume(Forwarder* forwarder) {
  for (int i = 0; i < kRounds / 3; ++i) {
    v1::Handover state;
    std::vector<int> descriptors;
    forwarder->Pause(&state, &descriptors);
    EXPECT_EQ(state.workers_size(), kWorkers);
    forwarder->Resume();
  }
}

TEST_F(TapdThreadsTest, ControlAndTrafficGoOnAtOnce) {
  host_->Run([this] {
    auto started = Forwarder::Start({kWorkers, true, 50'000});
    ASSERT_TRUE(started.ok()) << started.status();
    forwarder_ = *std::move(started);
    ASSERT_TRUE(
        forwarder_->Put(Parse(MakeConfig("t0", 100, false, kPeer4))).ok());
  });
  ASSERT_NE(forwarder_, nullptr);
  ASSERT_TRUE(host_->Exec(
      "sysctl -qw net.ipv6.conf.t0.disable_ipv6=1 && ip link set t0 up"));
  FlowIn();
  FlowOut();
  host_->Run([this] {
    std::vector<std::thread> control;
    for (auto* act : {ChangeTunnels, MakeAndDeleteTunnels, ReadEverything,
                      PauseAndResume}) {
      control.emplace_back(act, forwarder_.get());
    }
    for (std::thread& thread : control) thread.join();
    // And it works as before.
    EXPECT_TRUE(
        forwarder_->Put(Parse(MakeConfig("t0", 100, false, kPeer4))).ok());
    const uint64_t before = forwarder_->List({"t0"})[0].counters().rx_packets();
    EXPECT_TRUE(WaitUntil([&] {
      return forwarder_->List({"t0"})[0].counters().rx_packets() > before;
    }));
    const v1::Counters counters = forwarder_->List({"t0"})[0].counters();
    EXPECT_GT(counters.tx_packets(), 0u);
    EXPECT_GT(counters.rx_keepalives(), 0u);
    v1::Info info;
    forwarder_->FillInfo(&info);
    EXPECT_GT(info.drops().at("unknown_tunnel"), 0u);
  });
  StopTraffic();
  host_->Run([this] { forwarder_.reset(); });
}

}  // namespace
}  // namespace eoip::tapd::testing
