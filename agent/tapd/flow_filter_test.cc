// SPDX-License-Identifier: Apache-2.0
//
// The filters are run by the kernel, on a datagram socket pair.
#include "tapd/flow_filter.h"

#include <sys/socket.h>

#include <random>
#include <set>
#include <vector>

#include "base/unique_fd.h"
#include "gtest/gtest.h"
#include "tapd/testing/packets.h"

namespace eoip::tapd {
namespace {

using testing::Bytes;
using testing::Concat;
using testing::FromHex;
using testing::MakeIpv4;
using testing::MakeIpv6;
using testing::OuterOptions;

class Filter {
 public:
  explicit Filter(const std::vector<sock_filter>& code) {
    int fds[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, fds), 0);
    in_.reset(fds[0]);
    out_.reset(fds[1]);
    const sock_fprog program{static_cast<unsigned short>(code.size()),
                             const_cast<sock_filter*>(code.data())};
    EXPECT_EQ(::setsockopt(out_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &program,
                           sizeof(program)),
              0);
  }
  // Bytes that pass.
  size_t Pass(const Bytes& packet) {
    EXPECT_EQ(::send(in_.get(), packet.data(), packet.size(), 0),
              static_cast<ssize_t>(packet.size()));
    Bytes got(70000);
    const ssize_t n = ::recv(out_.get(), got.data(), got.size(), 0);
    return n < 0 ? 0 : static_cast<size_t>(n);
  }

 private:
  UniqueFd in_, out_;
};

// The worker that gets the packet; -1 none, -2 several.
int WorkerOf(bool ipv6, int workers, const Bytes& packet, size_t want) {
  int found = -1;
  for (int i = 0; i < workers; ++i) {
    const size_t n = Filter(ipv6 ? MakeFlowFilterV6(i, workers)
                                 : MakeFlowFilterV4(i, workers))
                         .Pass(packet);
    if (n == 0) continue;
    EXPECT_EQ(n, want);
    found = found == -1 ? i : -2;
  }
  return found;
}

Bytes TcpFrame(bool ipv6, uint8_t host, uint8_t port) {
  Bytes tcp(20 + 100);
  tcp[1] = port;
  tcp[12] = 0x50;
  const Bytes macs = FromHex("0200000000aa 020000000011");
  if (ipv6) {
    return Concat(
        Concat(macs, FromHex("86dd")),
        MakeIpv6("fd00::" + std::to_string(host), "fd00::99", 6, tcp));
  }
  return Concat(
      Concat(macs, FromHex("0800")),
      MakeIpv4("10.0.0." + std::to_string(host), "10.0.0.99", 6, tcp));
}

TEST(FlowFilter, EveryPacketIsExactlyOneWorkers) {
  std::mt19937 random(5);
  OuterOptions with_options;
  with_options.options = Bytes(8, 1);
  for (int i = 0; i < 300; ++i) {
    for (bool ipv6 : {false, true}) {
      Bytes eoip(random() % 120);
      for (uint8_t& b : eoip) b = static_cast<uint8_t>(random());
      if (i % 3 == 0) eoip = TcpFrame(random() % 2, 1, random() % 256);
      const Bytes header =
          ipv6 ? testing::Eoipv6Header(7)
               : testing::EoipHeader(7, static_cast<uint16_t>(eoip.size()));
      if (i % 3 != 1) eoip = Concat(header, eoip);
      const bool foreign =
          ipv6 ? eoip.size() < 2 || (eoip[0] & 0xf) != 3
               : eoip.size() < 8 || Bytes(eoip.begin(), eoip.begin() + 4) !=
                                        FromHex("20016400");
      const Bytes packet =
          ipv6 ? eoip
               : MakeIpv4("192.0.2.1", "192.0.2.2", 47, eoip,
                          i % 2 ? with_options : OuterOptions());
      if (packet.empty()) continue;
      const size_t want = foreign
                              ? std::min<size_t>(packet.size(), kForeignSnap)
                              : packet.size();
      for (int workers : {1, 2, 5}) {
        const int worker = WorkerOf(ipv6, workers, packet, want);
        EXPECT_GE(worker, 0);
        if (foreign) {
          EXPECT_EQ(worker, 0);
        }
      }
    }
  }
}

TEST(FlowFilter, SpreadsFlowsAndKeepsEachTogether) {
  for (bool outer6 : {false, true}) {
    for (bool inner6 : {false, true}) {
      std::set<int> workers;
      for (uint8_t port = 0; port < 40; ++port) {
        Bytes frame = TcpFrame(inner6, 1, port);
        const auto packet = [&] {
          const Bytes eoip = Concat(
              outer6
                  ? testing::Eoipv6Header(7)
                  : testing::EoipHeader(7, static_cast<uint16_t>(frame.size())),
              frame);
          return outer6 ? eoip : MakeIpv4("192.0.2.1", "192.0.2.2", 47, eoip);
        };
        const int worker = WorkerOf(outer6, 3, packet(), packet().size());
        workers.insert(worker);
        // Another sequence number, size and ToS: the same flow.
        frame[frame.size() - 110] = 0x55;
        frame.resize(frame.size() - 30);
        frame[15] ^= 0x10;
        EXPECT_EQ(WorkerOf(outer6, 3, packet(), packet().size()), worker);
      }
      EXPECT_EQ(workers, (std::set<int>{0, 1, 2}));
    }
  }
}

}  // namespace
}  // namespace eoip::tapd
