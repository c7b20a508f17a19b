// SPDX-License-Identifier: Apache-2.0
//
// The real eoip-tapd with 1, 2 and 4 workers, and an underlay that does what it
// can to disturb the order of flows: within a flow nothing overtakes.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

constexpr int kFlows = 12;
constexpr size_t kTcpPayload = 400;

uint32_t Get32(const Bytes& b, size_t at) {
  return static_cast<uint32_t>(b[at]) << 24 | b[at + 1] << 16 | b[at + 2] << 8 |
         b[at + 3];
}
void Put16(Bytes* b, size_t at, size_t value) {
  (*b)[at] = static_cast<uint8_t>(value >> 8);
  (*b)[at + 1] = static_cast<uint8_t>(value);
}
void Put32(Bytes* b, size_t at, uint32_t value) {
  Put16(b, at, value >> 16);
  Put16(b, at + 2, value);
}

// A frame of flow number port whose first 4 bytes of payload (UDP), or sequence
// number (TCP, with a right checksum), are the serial.
Bytes MakeFrame(bool tcp, uint8_t port, uint32_t serial, size_t payload) {
  Bytes l4(tcp ? 20 : 12);
  l4[0] = 0x40, l4[1] = port;
  l4[2] = 0x13;
  l4.resize(l4.size() + payload, static_cast<uint8_t>(serial));
  if (tcp) {
    Put32(&l4, 4, serial);
    l4[12] = 0x50, l4[13] = 0x10, l4[14] = 1;
    Bytes pseudo = FromHex("0a000001 0a000002 0006 0000");
    Put16(&pseudo, 10, l4.size());
    Put16(&l4, 16, InternetChecksum(Concat(pseudo, l4)));
  } else {
    Put32(&l4, 8, serial);
    Put16(&l4, 4, l4.size());
  }
  OuterOptions options;
  options.dont_fragment = tcp;
  return Concat(FromHex("0200000000aa 020000000011 0800"),
                MakeIpv4("10.0.0.1", "10.0.0.2", tcp ? 6 : 17, l4, options));
}

using Serials = std::map<uint8_t, std::vector<uint32_t>>;

// Adds what a frame from the TAP carries: super-frames have several.
void AddSerials(const Bytes& frame, Serials* out) {
  if (frame.size() < 46 || frame[12] != 8 || frame[34] != 0x40) return;
  std::vector<uint32_t>& serials = (*out)[frame[35]];
  if (frame[23] == 17) {
    serials.push_back(Get32(frame, 42));
    return;
  }
  const uint32_t first = Get32(frame, 38);
  for (size_t at = 54; at < frame.size(); at += kTcpPayload) {
    serials.push_back(first + static_cast<uint32_t>(at - 54));
  }
}

class TapdDisorderTest : public TapdTest,
                         public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    TapdTest::SetUp();
    if (IsSkipped()) return;
    StartTapd({"--workers", std::to_string(GetParam())});
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, TapdDisorderTest, ::testing::Values(1, 2, 4));

TEST_P(TapdDisorderTest, FlowsComeOutAsTheUnderlayDeliveredThem) {
  // Else the kernel gives a packet up when many fragments of others came.
  ASSERT_TRUE(host_->Exec("sysctl -qw net.ipv4.ipfrag_max_dist=0"));
  auto tap = Tap(MakeConfig("t0", 100, false, kPeer4));
  std::mt19937 random(GetParam());
  // Per flow the order of the sender, with neighbours swapped and doubled: a
  // train of TCP or UDP of sizes that need outer fragments or none.
  std::vector<std::vector<Bytes>> trains(kFlows);
  for (uint8_t flow = 0; flow < kFlows; ++flow) {
    const bool tcp = flow % 3 == 0;
    for (uint32_t i = 0; i < 200; ++i) {
      trains[flow].push_back(
          tcp ? MakeFrame(true, flow, i * kTcpPayload, kTcpPayload)
              : MakeFrame(false, flow, i, random() % 1460));
    }
    for (size_t i = 0; i + 1 < trains[flow].size(); ++i) {
      if (random() % 20 == 0) std::swap(trains[flow][i], trains[flow][i + 1]);
      if (random() % 20 == 0) trains[flow][i] = trains[flow][i + 1];
    }
  }
  Serials want;
  uint16_t ip_id = 0;
  // Fragments of one packet of each flow, not yet sent.
  std::vector<std::vector<Bytes>> fragments(kFlows);
  const auto left = [&] {
    return std::any_of(trains.begin(), trains.end(),
                       [](const auto& train) { return !train.empty(); }) ||
           std::any_of(fragments.begin(), fragments.end(),
                       [](const auto& parts) { return !parts.empty(); });
  };
  while (left()) {
    const uint8_t flow = static_cast<uint8_t>(random() % kFlows);
    std::vector<Bytes>& parts = fragments[flow];
    // A burst, as trains that can be joined come in one.
    for (size_t n = 1 + random() % 8; n > 0; --n) {
      if (parts.empty()) {
        if (trains[flow].empty()) break;
        const Bytes frame = trains[flow].front();
        trains[flow].erase(trains[flow].begin());
        AddSerials(frame, &want);
        OuterOptions options;
        options.id = ++ip_id;
        parts = Fragment(
            MakeIpv4(
                kPeer4, kHost4, 47,
                Concat(EoipHeader(100, static_cast<uint16_t>(frame.size())),
                       frame),
                options),
            frame.size() > 700 ? 600 : 1400);
        std::shuffle(parts.begin(), parts.end(), random);
      }
      // Other flows' packets and fragments come between those of this one.
      SendFromPeer(parts.back());
      parts.pop_back();
    }
  }
  size_t total = 0;
  for (const auto& [flow, serials] : want) total += serials.size();
  Serials got;
  size_t received = 0;
  while (received < total) {
    const auto frame = tap->Receive();
    ASSERT_TRUE(frame.has_value()) << received << " of " << total;
    AddSerials(*frame, &got);
    received = 0;
    for (const auto& [flow, serials] : got) received += serials.size();
  }
  for (const auto& [flow, serials] : want) {
    EXPECT_EQ(got[flow], serials) << "flow " << int{flow};
  }
  // The flows did go through several workers.
  int busy = 0;
  const v1::Info info = tapd_->Info();
  for (const v1::WorkerInfo& worker : info.worker_info()) {
    busy += worker.rx_packets() > 0 ? 1 : 0;
  }
  EXPECT_EQ(busy, GetParam());
}

class TapdSendDisorderTest : public TapdDisorderTest {
 protected:
  // Sends numbered datagrams of random sizes in kFlows flows into the TAP.
  void SendFlows() {
    host_->Run([] {
      std::vector<UniqueFd> sockets;
      for (uint8_t flow = 0; flow < kFlows; ++flow) {
        UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        sockaddr_in from{};
        from.sin_family = AF_INET;
        from.sin_port = htons(static_cast<uint16_t>(0x4000 + flow));
        ASSERT_EQ(
            ::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), sizeof(from)),
            0);
        sockaddr_in to = from;
        to.sin_port = htons(0x1300);
        ::inet_pton(AF_INET, "10.0.0.2", &to.sin_addr);
        ASSERT_EQ(
            ::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)),
            0);
        sockets.push_back(std::move(fd));
      }
      std::mt19937 random(1);
      for (uint32_t serial = 0; serial < 1500; ++serial) {
        for (const UniqueFd& fd : sockets) {
          // Behind the fast path's limit, or not.
          Bytes payload(4 + random() % 1460);
          Put32(&payload, 0, serial);
          ::send(fd.get(), payload.data(), payload.size(), 0);
        }
      }
    });
  }

  // Serials in the order in which they, or their first fragments, left.
  Serials Capture(size_t at_least) {
    Serials got;
    size_t count = 0;
    while (true) {
      const auto frame = wire_->Receive(
          std::chrono::milliseconds(count < at_least ? 5000 : 300));
      if (!frame.has_value()) return got;
      const Bytes& f = *frame;
      const bool first = f.size() > 90 && f[12] == 8 && f[13] == 0 &&
                         f[23] == 47 && ((f[20] & 0x1f) | f[21]) == 0;
      // Outer IP and EoIP header, then the frame.
      if (!first || f[42 + 12] != 8 || f[42 + 23] != 17) continue;
      got[f[42 + 35]].push_back(Get32(f, 42 + 42));
      ++count;
    }
  }

  static int Backwards(const Serials& serials) {
    int count = 0;
    for (const auto& [flow, list] : serials) {
      for (size_t i = 1; i < list.size(); ++i) count += list[i] <= list[i - 1];
    }
    return count;
  }

  void SetUpTap() {
    ASSERT_TRUE(tapd_->Put(MakeConfig("t0", 100, false, kPeer4)).ok());
    ASSERT_TRUE(host_->Exec(
        "sysctl -qw net.ipv6.conf.t0.disable_ipv6=1 && ip link set t0 up && "
        "ip addr add 10.0.0.1/24 dev t0 && ip neigh add 10.0.0.2 lladdr "
        "02:00:00:00:00:22 dev t0 nud permanent"));
  }
};

INSTANTIATE_TEST_SUITE_P(Workers, TapdSendDisorderTest,
                         ::testing::Values(1, 2, 4));

TEST_P(TapdSendDisorderTest, FlowsLeaveInTheOrderOfTheKernel) {
  SetUpTap();
  SendFlows();
  const Serials got = Capture(kFlows * 100);
  ASSERT_EQ(got.size(), size_t{kFlows});
  EXPECT_EQ(Backwards(got), 0);
}

// The kernel chooses the TAP's queue of a flow by where the flow's other
// direction came in.
TEST_P(TapdSendDisorderTest, AlsoWhenTheOtherDirectionOfAFlowStarts) {
  SetUpTap();
  std::atomic<bool> stop{false};
  std::thread answers([&] {
    for (uint32_t i = 0; !stop; ++i) {
      Bytes udp(20);
      udp[0] = 0x13, udp[2] = 0x40;
      udp[3] = static_cast<uint8_t>(i % kFlows);
      udp[5] = 20;
      const Bytes frame = Concat(FromHex("0200000000aa 020000000022 0800"),
                                 MakeIpv4("10.0.0.2", "10.0.0.1", 17, udp));
      SendEoip(
          false,
          Concat(EoipHeader(100, static_cast<uint16_t>(frame.size())), frame));
    }
  });
  SendFlows();
  stop = true;
  answers.join();
  const Serials got = Capture(kFlows * 100);
  ASSERT_EQ(got.size(), size_t{kFlows});
  EXPECT_EQ(Backwards(got), 0);
}

}  // namespace
}  // namespace eoip::tapd::testing
