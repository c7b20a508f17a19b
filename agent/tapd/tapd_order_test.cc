// SPDX-License-Identifier: Apache-2.0
//
// Two real eoip-tapd with several workers each: frames of a flow arrive in the
// order in which they were sent, both ways at once and with all workers busy.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

constexpr int kFlows = 12;
constexpr uint64_t kWanted = 4000;  // datagrams per flow and direction
constexpr size_t kDatagram = 600;
constexpr size_t kTrain = 8;  // datagrams per super-frame
constexpr char kWorkers[] = "3";

// What one receiver has seen of a flow.
struct Seen {
  std::atomic<uint64_t> datagrams{0};
  std::atomic<uint64_t> out_of_order{0};
  uint32_t last = 0;
};

class End {
 public:
  // Flows are the UDP ports from 6000 on, the same on both ends.
  End(const Netns& netns, const char* own, const char* other) {
    netns.Run([&] {
      for (int f = 0; f < kFlows; ++f) {
        UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const sockaddr_in from = Address(own, f), to = Address(other, f);
        EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&from),
                         sizeof(from)),
                  0);
        EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to),
                            sizeof(to)),
                  0);
        const timeval wait{0, 20'000};
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
        const int room = 4 << 20;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room));
        // Every other flow is sent as super-frames.
        const int size = kDatagram;
        if (f % 2 == 1) {
          EXPECT_EQ(
              ::setsockopt(fd.get(), SOL_UDP, UDP_SEGMENT, &size, sizeof(size)),
              0);
        }
        fds_.push_back(std::move(fd));
      }
    });
  }
  ~End() { Stop(); }

  // One datagram each way per flow, as at the start of a connection: from then
  // on the kernel knows which queue of the TAP a flow belongs to.
  bool SayHello(int flow) const {
    const uint32_t zero = 0;
    return ::send(fds_[flow].get(), &zero, sizeof(zero), 0) == sizeof(zero);
  }
  bool HearHello(int flow) const {
    uint32_t number;
    return ::recv(fds_[flow].get(), &number, sizeof(number), 0) ==
           sizeof(number);
  }

  void Start() {
    threads_.emplace_back([this] { Send(); });
    for (int f = 0; f < kFlows; ++f) {
      threads_.emplace_back([this, f] { Receive(f); });
    }
  }
  void Stop() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  const Seen& seen(int flow) const { return seen_[flow]; }

 private:
  static sockaddr_in Address(const char* text, int flow) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(6000 + flow));
    ::inet_pton(AF_INET, text, &address.sin_addr);
    return address;
  }

  void Send() {
    std::array<uint32_t, kFlows> next{};
    std::array<uint8_t, kDatagram * kTrain> buffer{};
    while (!stop_) {
      for (int f = 0; f < kFlows; ++f) {
        const size_t count = f % 2 == 1 ? kTrain : 1;
        for (size_t i = 0; i < count; ++i) {
          const uint32_t number = ++next[f];
          std::memcpy(&buffer[i * kDatagram], &number, sizeof(number));
        }
        ::send(fds_[f].get(), buffer.data(), count * kDatagram, 0);
      }
    }
  }

  void Receive(int flow) {
    Seen& seen = seen_[flow];
    std::array<uint8_t, kDatagram> buffer;
    while (!stop_) {
      if (::recv(fds_[flow].get(), buffer.data(), buffer.size(), 0) !=
          static_cast<ssize_t>(kDatagram)) {
        continue;
      }
      uint32_t number;
      std::memcpy(&number, buffer.data(), sizeof(number));
      if (number <= seen.last) {
        ++seen.out_of_order;
      } else {
        seen.last = number;
      }
      ++seen.datagrams;
    }
  }

  std::vector<UniqueFd> fds_;
  std::array<Seen, kFlows> seen_;
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

class TapdOrderTest : public TapdTest {
 protected:
  void SetUp() override {
    TapdTest::SetUp();
    if (IsSkipped()) return;
    auto far = Netns::Create();
    ASSERT_TRUE(far.ok());
    far_ = std::move(*far);
    // The peer is a switch between both hosts; its own link must not have the
    // far host's address.
    ASSERT_TRUE(far_->Exec(
        "ip link add under0 address 02:00:00:00:00:02 type veth peer name "
        "wire1 netns /proc/" +
        std::to_string(::getpid()) + "/fd/" + std::to_string(peer_->fd()) +
        " && ip link set under0 up && ip addr add 192.0.2.2/24 dev under0 && "
        "ip neigh add 192.0.2.1 lladdr 02:00:00:00:00:01 dev under0 nud "
        "permanent"));
    ASSERT_TRUE(peer_->Exec(
        "ip link set wire0 address 02:00:00:00:00:f0 && "
        "ip link add br0 type bridge && ip link set wire0 master br0 && "
        "ip link set wire1 master br0 && ip link set wire1 up && "
        "ip link set br0 up"));
    StartTapd({"--workers", kWorkers});
    far_tapd_ = std::make_unique<TapdProcess>(
        *far_, dir_ + "/far.sock",
        std::vector<std::string>{"--workers", kWorkers});
    ASSERT_TRUE(far_tapd_->WaitReady());
    v1::TunnelConfig config = MakeConfig("t0", 9, false, kPeer4);
    v1::TunnelConfig back = MakeConfig("t0", 9, false, kHost4);
    back.set_mac(std::string("\x02\x00\x00\x00\x00\xbb", 6));
    ASSERT_TRUE(tapd_->Put(config).ok());
    ASSERT_TRUE(far_tapd_->Put(back).ok());
    // Permanent neighbours: where the flood costs the senders' ARP its answers,
    // the kernel holds datagrams back until there is one (arp_queue), and then
    // lets later ones overtake them, before any tunnel sees them.
    ASSERT_TRUE(
        host_->Exec("ip link set t0 up && ip addr add 10.9.0.1/24 dev t0 && "
                    "ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:bb dev t0 nud "
                    "permanent"));
    ASSERT_TRUE(
        far_->Exec("ip link set t0 up && ip addr add 10.9.0.2/24 dev t0 && "
                   "ip neigh add 10.9.0.1 lladdr 02:00:00:00:00:aa dev t0 nud "
                   "permanent"));
  }

  void TearDown() override {
    far_tapd_.reset();
    TapdTest::TearDown();
  }

  std::optional<Netns> far_;
  std::unique_ptr<TapdProcess> far_tapd_;
};

TEST_F(TapdOrderTest, SeveralWorkersKeepEveryFlowInOrder) {
  End host(*host_, "10.9.0.1", "10.9.0.2"), far(*far_, "10.9.0.2", "10.9.0.1");
  for (int f = 0; f < kFlows; ++f) {
    ASSERT_TRUE(WaitUntil([&] { return host.SayHello(f) && far.HearHello(f); }))
        << "flow " << f;
    ASSERT_TRUE(WaitUntil([&] { return far.SayHello(f) && host.HearHello(f); }))
        << "flow " << f;
  }
  host.Start();
  far.Start();
  for (int f = 0; f < kFlows; ++f) {
    EXPECT_TRUE(WaitUntil(
        [&] {
          return host.seen(f).datagrams >= kWanted &&
                 far.seen(f).datagrams >= kWanted;
        },
        std::chrono::seconds(60)))
        << "flow " << f << ": " << host.seen(f).datagrams << " and "
        << far.seen(f).datagrams << " datagrams";
  }
  host.Stop();
  far.Stop();
  for (int f = 0; f < kFlows; ++f) {
    EXPECT_EQ(host.seen(f).out_of_order, 0u) << "flow " << f;
    EXPECT_EQ(far.seen(f).out_of_order, 0u) << "flow " << f;
  }
  // It says nothing unless more than one worker did it.
  for (TapdProcess* tapd : {tapd_.get(), far_tapd_.get()}) {
    int receiving = 0, sending = 0;
    const v1::Info info = tapd->Info();
    for (const v1::WorkerInfo& worker : info.worker_info()) {
      receiving += worker.rx_packets() > kWanted;
      sending += worker.tx_packets() > kWanted;
    }
    EXPECT_GE(receiving, 2);
    EXPECT_GE(sending, 2);
  }
}

}  // namespace
}  // namespace eoip::tapd::testing
