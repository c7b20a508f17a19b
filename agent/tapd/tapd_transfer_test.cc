// SPDX-License-Identifier: Apache-2.0
//
// Two real eoip-tapd and two real TCP stacks, with a bad wire between them.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

// Forwards between two links, in both directions, losing, doubling, reordering
// and corrupting one of one_in frames each on purpose; 0: none. One thread per
// direction, many frames per system call.
class BadWire {
 public:
  BadWire(const Netns& netns, const std::string& a, const std::string& b,
          int one_in)
      : one_in_(one_in) {
    for (int i = 0; i < 2; ++i) {
      links_[i] = std::make_unique<LinkSocket>(netns, i == 0 ? a : b);
      const timeval timeout{0, 20'000};
      ::setsockopt(links_[i]->fd(), SOL_SOCKET, SO_RCVTIMEO, &timeout,
                   sizeof(timeout));
    }
    for (int i = 0; i < 2; ++i) {
      threads_[i] = std::thread([this, i] { Forward(i); });
    }
  }
  ~BadWire() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }
  int lost() const { return lost_; }
  int doubled() const { return doubled_; }
  int reordered() const { return reordered_; }
  int corrupted() const { return corrupted_; }

 private:
  static constexpr int kBatch = 64;
  static constexpr size_t kRoom = 2048;

  struct Buffers {
    std::array<std::array<uint8_t, kRoom>, kBatch> data;
    std::array<iovec, kBatch> iov;
    std::array<mmsghdr, kBatch> messages{};
    Bytes held;
  };

  void Forward(int from) {
    std::mt19937 random(7 + from);
    auto buffers = std::make_unique<Buffers>();
    Buffers& b = *buffers;
    std::vector<iovec> out;
    while (!stop_) {
      for (int i = 0; i < kBatch; ++i) {
        b.iov[i] = {b.data[i].data(), kRoom};
        b.messages[i].msg_hdr.msg_iov = &b.iov[i];
        b.messages[i].msg_hdr.msg_iovlen = 1;
      }
      const int n = ::recvmmsg(links_[from]->fd(), b.messages.data(), kBatch,
                               MSG_WAITFORONE, nullptr);
      out.clear();
      // Behind the first frame of this batch, or by itself where none came.
      Bytes held;
      held.swap(b.held);
      for (int i = 0; i < n; ++i) {
        b.iov[i].iov_len = b.messages[i].msg_len;
        Pass(b.iov[i], &random, &b.held, &out);
        if (i == 0 && !held.empty()) out.push_back({held.data(), held.size()});
      }
      if (n <= 0 && !held.empty()) out.push_back({held.data(), held.size()});
      Send(1 - from, &out);
    }
  }

  // Puts the frame to *out, or does to it what a bad wire does.
  void Pass(iovec frame, std::mt19937* random, Bytes* held,
            std::vector<iovec>* out) {
    auto* data = static_cast<uint8_t*>(frame.iov_base);
    const bool harm = one_in_ > 0 && frame.iov_len > 200;
    switch (harm ? (*random)() % static_cast<unsigned>(one_in_) : 99) {
      case 0:
        ++lost_;
        return;
      case 1:
        ++doubled_;
        out->push_back(frame);
        break;
      case 2:
        if (!held->empty()) break;
        ++reordered_;
        held->assign(data, data + frame.iov_len);
        return;
      case 3:
        // In the payload of the inner packet: nothing but its checksum tells.
        data[150 + (*random)() % (frame.iov_len - 150)] ^= 0x20;
        ++corrupted_;
        break;
    }
    out->push_back(frame);
  }

  void Send(int to, std::vector<iovec>* out) {
    std::vector<mmsghdr> messages(out->size());
    for (size_t i = 0; i < out->size(); ++i) {
      messages[i].msg_hdr.msg_iov = &(*out)[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    for (size_t at = 0; at < messages.size();) {
      const int sent =
          ::sendmmsg(links_[to]->fd(), &messages[at],
                     static_cast<unsigned int>(messages.size() - at), 0);
      // A full queue loses a frame: that is what this wire is for.
      at += sent > 0 ? static_cast<size_t>(sent) : 1;
    }
  }

  const int one_in_;
  std::unique_ptr<LinkSocket> links_[2];
  std::thread threads_[2];
  std::atomic<bool> stop_{false};
  std::atomic<int> lost_{0}, doubled_{0}, reordered_{0}, corrupted_{0};
};

// A blocking TCP socket pair through the tunnel: [0] connects from the host to
// [1] at the far end.
struct Connection {
  UniqueFd host, far;
};

Connection Connect(const Netns& host, const Netns& far, const char* address) {
  Connection c;
  UniqueFd listener;
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(5001);
  ::inet_pton(AF_INET, address, &to.sin_addr);
  far.Run([&] {
    listener.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(
        ::bind(listener.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0)
        << std::strerror(errno);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
  });
  host.Run([&] {
    c.host.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(
        ::connect(c.host.get(), reinterpret_cast<sockaddr*>(&to), sizeof(to)),
        0)
        << std::strerror(errno);
  });
  c.far.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return c;
}

// Sends size random bytes and compares what arrives.
void Transfer(int from, int to, size_t size) {
  std::thread sender([&] {
    std::mt19937 random(1);
    std::vector<uint32_t> block(16384);
    for (size_t sent = 0; sent < size;) {
      for (uint32_t& word : block) word = random();
      const size_t n = std::min(size - sent, block.size() * 4);
      for (size_t at = 0; at < n;) {
        const ssize_t w =
            ::send(from, reinterpret_cast<char*>(block.data()) + at, n - at, 0);
        if (w <= 0) return;
        at += static_cast<size_t>(w);
      }
      sent += n;
    }
  });
  std::mt19937 random(1);
  std::vector<uint32_t> block(16384);
  std::vector<char> got(block.size() * 4);
  size_t received = 0;
  while (received < size) {
    const size_t n = std::min(size - received, got.size());
    size_t at = 0;
    while (at < n) {
      pollfd p{to, POLLIN, 0};
      ASSERT_GT(::poll(&p, 1, 30000), 0) << "stalled after " << received + at;
      const ssize_t r = ::recv(to, got.data() + at, n - at, 0);
      ASSERT_GT(r, 0);
      at += static_cast<size_t>(r);
    }
    for (uint32_t& word : block) word = random();
    ASSERT_EQ(std::memcmp(got.data(), block.data(), n), 0)
        << "after " << received << " bytes";
    received += n;
  }
  sender.join();
}

class TapdTransferTest : public TapdTest {
 protected:
  void SetUp() override {
    TapdTest::SetUp();
    if (IsSkipped()) return;
    auto far = Netns::Create();
    ASSERT_TRUE(far.ok());
    far_ = std::move(*far);
    ASSERT_TRUE(far_->Exec(
        "ip link add under0 address 02:00:00:00:00:02 type veth peer name "
        "wire1 netns /proc/" +
        std::to_string(::getpid()) + "/fd/" + std::to_string(peer_->fd()) +
        " && ip link set under0 up && ip addr add 192.0.2.2/24 dev under0 && "
        "ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev under0 nud "
        "permanent"));
    ASSERT_TRUE(peer_->Exec(
        "sysctl -qw net.ipv6.conf.wire1.disable_ipv6=1 && ip link set wire1 "
        "up"));
    // The test's wire forwards single frames; super-frames stop at the tunnel.
    StartTapd();
    far_tapd_ = std::make_unique<TapdProcess>(*far_, dir_ + "/far.sock");
    ASSERT_TRUE(far_tapd_->WaitReady());
  }

  void TearDown() override {
    far_tapd_.reset();
    TapdTest::TearDown();
  }

  void StartTunnels(const std::function<void(v1::TunnelConfig*)>& change) {
    v1::TunnelConfig config = MakeConfig("t0", 9, false, kPeer4);
    v1::TunnelConfig back = MakeConfig("t0", 9, false, kHost4);
    back.set_mac(std::string("\x02\x00\x00\x00\x00\xbb", 6));
    change(&config);
    change(&back);
    ASSERT_TRUE(tapd_->Put(config).ok());
    ASSERT_TRUE(far_tapd_->Put(back).ok());
    ASSERT_TRUE(
        host_->Exec("ip link set t0 up && ip addr add 10.9.0.1/24 dev t0"));
    ASSERT_TRUE(
        far_->Exec("ip link set t0 up && ip addr add 10.9.0.2/24 dev t0"));
  }

  std::optional<Netns> far_;
  std::unique_ptr<TapdProcess> far_tapd_;
};

TEST_F(TapdTransferTest, SuperFramesArriveByteForByte) {
  BadWire wire(*peer_, "wire0", "wire1", 0);
  StartTunnels([](v1::TunnelConfig*) {});
  Connection c = Connect(*host_, *far_, "10.9.0.2");
  Transfer(c.host.get(), c.far.get(), 32 << 20);
  Transfer(c.far.get(), c.host.get(), 8 << 20);
  const v1::Counters sent = tapd_->Get("t0").counters();
  const v1::Counters received = far_tapd_->Get("t0").counters();
  EXPECT_GT(sent.tx_super_frames(), 100u);
  EXPECT_GT(received.rx_super_frames(), 100u);
  EXPECT_GT(received.rx_packets(), 4 * received.rx_super_frames());
}

TEST_F(TapdTransferTest, WithoutOffloadToo) {
  BadWire wire(*peer_, "wire0", "wire1", 0);
  StartTunnels([](v1::TunnelConfig* c) { c->set_no_offload(true); });
  Connection c = Connect(*host_, *far_, "10.9.0.2");
  Transfer(c.host.get(), c.far.get(), 4 << 20);
  EXPECT_EQ(tapd_->Get("t0").counters().tx_super_frames(), 0u);
  EXPECT_EQ(far_tapd_->Get("t0").counters().rx_super_frames(), 0u);
}

// How much the next tests send; TAPD_TRANSFER_MB asks for more.
size_t TransferBytes() {
  const char* mb = ::getenv("TAPD_TRANSFER_MB");
  return mb != nullptr ? std::strtoull(mb, nullptr, 10) * 1'000'000
                       : size_t{24} << 20;
}

class TapdBadWireTest : public TapdTransferTest {
 protected:
  // underlay_mtu 1600: no outer packet has to be fragmented.
  void Run(int underlay_mtu, int one_in) {
    const std::string mtu = " mtu " + std::to_string(underlay_mtu);
    ASSERT_TRUE(host_->Exec("ip link set under0" + mtu));
    ASSERT_TRUE(far_->Exec("ip link set under0" + mtu));
    ASSERT_TRUE(peer_->Exec("ip link set wire0" + mtu));
    ASSERT_TRUE(peer_->Exec("ip link set wire1" + mtu));
    BadWire wire(*peer_, "wire0", "wire1", one_in);
    StartTunnels([](v1::TunnelConfig*) {});
    Connection c = Connect(*host_, *far_, "10.9.0.2");
    const size_t bytes = TransferBytes();
    const auto start = std::chrono::steady_clock::now();
    Transfer(c.host.get(), c.far.get(), bytes);
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
            .count();
    const v1::Counters received = far_tapd_->Get("t0").counters();
    std::printf(
        "%zu bytes right in %.1f s (%.0f Mbit/s): %d frames lost, %d doubled, "
        "%d reordered, %d corrupted; %llu super-frames made of %llu frames\n",
        bytes, seconds, static_cast<double>(bytes) * 8e-6 / seconds,
        wire.lost(), wire.doubled(), wire.reordered(), wire.corrupted(),
        static_cast<unsigned long long>(received.rx_super_frames()),
        static_cast<unsigned long long>(received.rx_packets()));
    // The kernel at the far end found them broken, and not tapd's work right.
    const std::string errors =
        far_->Output("nstat -asz TcpInCsumErrors | awk '/Csum/ {print $2}'");
    EXPECT_GT(std::atoi(errors.c_str()), 0) << errors;
    EXPECT_GT(wire.lost(), 0);
    EXPECT_GT(wire.doubled(), 0);
    EXPECT_GT(wire.reordered(), 0);
    EXPECT_GT(wire.corrupted(), 0);
    EXPECT_GT(received.rx_super_frames(), 0u);
  }
};

TEST_F(TapdBadWireTest, LossReorderingDuplicatesAndCorruptionDoNoHarm) {
  Run(1600, 2000);
}

TEST_F(TapdBadWireTest, NorDoTheyToFragments) { Run(1500, 2000); }

TEST_F(TapdTransferTest, ClampMakesTcpFitTheTunnel) {
  BadWire wire(*peer_, "wire0", "wire1", 0);
  StartTunnels([](v1::TunnelConfig* c) {
    c->set_mtu(1400);
    c->set_clamp_tcp_mss(true);
  });
  // The inner hosts believe in 1500: as behind a bridge.
  ASSERT_TRUE(host_->Exec("ip link set t0 mtu 1500"));
  ASSERT_TRUE(far_->Exec("ip link set t0 mtu 1500"));
  Connection c = Connect(*host_, *far_, "10.9.0.2");
  Transfer(c.host.get(), c.far.get(), 1 << 20);
  EXPECT_EQ(tapd_->Get("t0").counters().rx_clamped(), 1u);
  EXPECT_EQ(far_tapd_->Get("t0").counters().rx_clamped(), 1u);
  const std::string info = host_->Output("ss -Htin dst 10.9.0.2");
  // 1400 less 40; timestamps take 12 more.
  EXPECT_NE(info.find("mss:1348"), std::string::npos) << info;
}

}  // namespace
}  // namespace eoip::tapd::testing
