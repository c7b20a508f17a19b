// SPDX-License-Identifier: Apache-2.0
//
// The real eoip-tapd under floods: memory stays bounded, drops are counted by
// cause, one tunnel does not starve another, other users of GRE notice nothing.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

using std::chrono::milliseconds;

class TapdFloodTest : public TapdTest {
 protected:
  void TearDown() override {
    StopFlood();
    TapdTest::TearDown();
  }

  // Sends the frames to the link over and over, as fast as they go.
  void Flood(const Netns& netns, const std::string& link,
             std::vector<Bytes> frames) {
    flood_.emplace_back([this, &netns, link, frames = std::move(frames)] {
      LinkSocket to(netns, link);
      std::vector<iovec> iov;
      std::vector<mmsghdr> messages(frames.size());
      for (const Bytes& frame : frames) {
        iov.push_back({const_cast<uint8_t*>(frame.data()), frame.size()});
      }
      for (size_t i = 0; i < frames.size(); ++i) {
        messages[i].msg_hdr.msg_iov = &iov[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
      while (!stop_) {
        // A full queue takes fewer.
        const int sent =
            ::sendmmsg(to.fd(), messages.data(),
                       static_cast<unsigned int>(messages.size()), 0);
        if (sent > 0) flooded_ += static_cast<uint64_t>(sent);
      }
    });
  }
  void StopFlood() {
    stop_ = true;
    for (std::thread& thread : flood_) thread.join();
    flood_.clear();
  }

  Bytes Outer(uint16_t id, const Bytes& frame) {
    return Concat(
        FromHex("020000000001 020000000002 0800"),
        MakeIpv4(kPeer4, kHost4, 47,
                 Concat(EoipHeader(id, static_cast<uint16_t>(frame.size())),
                        frame)));
  }

  long RssKib() {
    std::ostringstream out;
    out << std::ifstream("/proc/" + std::to_string(tapd_->pid()) + "/status")
               .rdbuf();
    const std::string status = out.str();
    return std::stol(status.substr(status.find("VmRSS:") + 6));
  }
  uint64_t TunnelDrops(const std::string& name, const std::string& cause) {
    const v1::TapTunnel tunnel = tapd_->Get(name);
    const auto it = tunnel.counters().drops().find(cause);
    return it == tunnel.counters().drops().end() ? 0 : it->second;
  }

  // From now on the socket hears frames of this length only.
  static void TakeOnly(LinkSocket& socket, uint32_t length) {
    sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
                          BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, length, 0, 1),
                          BPF_STMT(BPF_RET | BPF_K, 0xffff),
                          BPF_STMT(BPF_RET | BPF_K, 0)};
    const sock_fprog program{4, code};
    ASSERT_EQ(::setsockopt(socket.fd(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                           sizeof(program)),
              0);
  }

  std::vector<std::thread> flood_;
  std::atomic<bool> stop_{false};
  std::atomic<uint64_t> flooded_{0};
};

TEST_F(TapdFloodTest, AFloodInOneTunnelDoesNotStarveAnother) {
  StartTapd();
  auto quiet = Tap(MakeConfig("quiet", 1, false, kPeer4));
  auto noisy = Tap(MakeConfig("noisy", 2, false, kPeer4));
  Flood(*host_, "noisy", {TestFrame(60, 1), TestFrame(1400, 1)});
  ASSERT_TRUE(WaitUntil(
      [&] { return tapd_->Get("noisy").counters().tx_packets() > 10'000; },
      std::chrono::seconds(30)));
  // Every frame of the quiet tunnel leaves, and soon. The flood would fill this
  // socket whenever the test does not run for a moment.
  constexpr uint32_t kOuter = 14 + 20 + 8 + 100;
  LinkSocket wire(*peer_, "wire0");
  TakeOnly(wire, kOuter);
  milliseconds worst(0);
  const uint64_t before = tapd_->Get("noisy").counters().tx_packets();
  for (uint8_t i = 0; i < 200; ++i) {
    const Bytes frame = TestFrame(100, i);
    const auto start = std::chrono::steady_clock::now();
    quiet->Send(frame);
    const auto got = wire.Receive([&](const Bytes& f) {
      return f.size() == kOuter && f[14 + 20 + 6] == 1;
    });
    ASSERT_TRUE(got.has_value())
        << int{i} << ": " << tapd_->Get("quiet").ShortDebugString();
    EXPECT_EQ(Bytes(got->end() - 100, got->end()), frame);
    worst = std::max(worst, std::chrono::duration_cast<milliseconds>(
                                std::chrono::steady_clock::now() - start));
  }
  const uint64_t after = tapd_->Get("noisy").counters().tx_packets();
  StopFlood();
  std::printf(
      "beside %llu frames of flood: 200 of 200, the slowest in %lld ms\n",
      static_cast<unsigned long long>(after - before),
      static_cast<long long>(worst.count()));
  EXPECT_GT(after - before, 1000u);
  EXPECT_EQ(tapd_->Get("quiet").counters().tx_packets(), 200u);
  EXPECT_LT(worst, milliseconds(1000));
}

// Protocol unreachable is the kernel's word where nobody takes a protocol.
TEST_F(TapdFloodTest, TheKernelsAnswersToGreAreAsBeforeOnceTunnelsAreGone) {
  const Bytes gre = Concat(FromHex("20006558 00000007"), TestFrame(60, 1));
  const auto answer = [&](milliseconds timeout) {
    SendFromPeer(MakeIpv4(kPeer4, kHost4, 47, gre));
    return wire_->ReceiveIp(1, timeout).has_value();
  };
  ASSERT_TRUE(host_->Exec("sysctl -qw net.ipv4.icmp_ratelimit=0"));
  EXPECT_TRUE(answer(milliseconds(5000)));
  StartTapd();
  EXPECT_TRUE(answer(milliseconds(5000)));
  ASSERT_TRUE(tapd_->Put(MakeConfig("t0", 100, false, kPeer4)).ok());
  // Another user's socket gets GRE that is not EoIP, and EoIP as well.
  UniqueFd other;
  host_->Run([&] {
    other.reset(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 47));
    const timeval timeout{5, 0};
    ::setsockopt(other.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout,
                 sizeof(timeout));
  });
  ASSERT_TRUE(other.valid());
  EXPECT_FALSE(answer(milliseconds(300)));
  const Bytes eoip = Concat(EoipHeader(100, 60), TestFrame(60, 2));
  SendFromPeer(MakeIpv4(kPeer4, kHost4, 47, eoip));
  for (const Bytes& want : {gre, eoip}) {
    Bytes got(2048);
    const ssize_t n = ::recv(other.get(), got.data(), got.size(), 0);
    ASSERT_GT(n, 20);
    EXPECT_EQ(Bytes(got.begin() + 20, got.begin() + n), want);
  }
  other.reset();
  ASSERT_TRUE(tapd_->Delete({"t0"}).ok());
  EXPECT_TRUE(answer(milliseconds(5000)));
}

// Last: while a thousand links go the kernel has little time for others.
TEST_F(TapdFloodTest, MemoryStaysBoundedWithAThousandTunnels) {
  StartTapd();
  for (int i = 0; i < 1000; ++i) {
    v1::TunnelConfig config =
        MakeConfig("t" + std::to_string(i), i, false, kPeer4);
    ASSERT_TRUE(tapd_->Put(config).ok());
  }
  // t0 takes frames, the TAPs of the others are down.
  ASSERT_TRUE(host_->Exec(
      "sysctl -qw net.ipv6.conf.t0.disable_ipv6=1 && ip link set t0 up"));
  const long before = RssKib();
  std::vector<Bytes> in;
  // As many as one system call takes.
  for (uint16_t i = 0; i < 1023; ++i) {
    // Beyond 999: unknown tunnels. Large and small.
    in.push_back(Outer(i, TestFrame(i % 3 == 0 ? 1400 : 60, 1)));
  }
  in.push_back(Outer(0, Bytes(5)));
  Flood(*peer_, "wire0", in);
  Flood(*host_, "t0", {TestFrame(60, 2), TestFrame(1400, 3)});
  // Full on every queue on the way: the kernel's and tapd's own.
  EXPECT_TRUE(WaitUntil([&] { return flooded_ > 1'000'000; },
                        std::chrono::seconds(60)));
  // A full queue may lose this one of 1025 many times.
  EXPECT_TRUE(WaitUntil([&] { return TunnelDrops("t0", "short_frame") > 0; },
                        std::chrono::seconds(30)));
  // And the control API answers meanwhile.
  EXPECT_GT(tapd_->Get("t0").counters().tx_packets(), 1000u);
  const long during = RssKib();
  StopFlood();
  std::printf("%llu frames of flood at 1000 tunnels: RSS %ld KiB, before %ld\n",
              static_cast<unsigned long long>(flooded_.load()), during, before);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(during - before, 16 * 1024);
  EXPECT_LT(during, 48 * 1024);
#endif
  // Whatever was not delivered has a cause.
  EXPECT_GT(tapd_->Get("t0").counters().rx_packets(), 0u);
  EXPECT_GT(TunnelDrops("t999", "tap_down"), 0u);
  EXPECT_GT(tapd_->Info().drops().at("unknown_tunnel"), 0u);
}

}  // namespace
}  // namespace eoip::tapd::testing
