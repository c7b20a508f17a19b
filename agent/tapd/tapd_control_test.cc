// SPDX-License-Identifier: Apache-2.0
//
// The real eoip-tapd under its control API: changes, keepalives, errors, the
// process itself.
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

const Bytes kKeepalive = FromHex("20 01 64 00 00 00 64 00");

class TapdControlTest : public TapdTest {
 protected:
  std::optional<IpPacket> NextKeepalive(milliseconds timeout) {
    const auto deadline = Clock::now() + timeout;
    while (true) {
      const auto left =
          std::chrono::ceil<milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) return std::nullopt;
      auto packet = FromHost(false, left);
      if (packet.has_value() && packet->payload == kKeepalive) return packet;
    }
  }
  v1::TunnelConfig WithKeepalive(uint32_t interval, uint32_t retries) {
    v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
    config.set_keepalive_interval_s(interval);
    config.set_keepalive_retries(retries);
    return config;
  }
  std::string Link(const std::string& name) {
    return host_->Output("ip -d link show " + name + " 2>/dev/null");
  }
};

TEST_F(TapdControlTest, TapHasMacAndMtuAndIsLeftDown) {
  StartTapd();
  v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
  config.set_mtu(1458);
  v1::TapTunnel tunnel;
  ASSERT_TRUE(tapd_->Put(config, &tunnel).ok());
  const std::string link = Link("t0");
  EXPECT_NE(link.find("mtu 1458"), std::string::npos) << link;
  EXPECT_NE(link.find("02:00:00:00:00:aa"), std::string::npos) << link;
  EXPECT_NE(link.find("tun type tap"), std::string::npos) << link;
  EXPECT_EQ(link.find("UP"), std::string::npos) << link;
  EXPECT_EQ(link.rfind(std::to_string(tunnel.ifindex()) + ":", 0), 0u) << link;
  EXPECT_TRUE(tunnel.peer_up());
  EXPECT_EQ(tunnel.last_heard_ms(), -1);
}

TEST_F(TapdControlTest, KeepalivesLeaveAtOnceAndOnTime) {
  StartTapd();
  const auto start = Clock::now();
  ASSERT_TRUE(tapd_->Put(WithKeepalive(1, 3)).ok());
  auto first = NextKeepalive(milliseconds(500));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->ttl, 255);
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(NextKeepalive(milliseconds(1500)).has_value());
    const auto at = std::chrono::duration_cast<milliseconds>(
        Clock::now() - start - std::chrono::seconds(i));
    EXPECT_GT(at.count(), -50);
    EXPECT_LT(at.count(), 400);
  }
  // Off: none any more.
  ASSERT_TRUE(tapd_->Put(MakeConfig("t0", 100, false, kPeer4)).ok());
  EXPECT_FALSE(NextKeepalive(milliseconds(1500)).has_value());
}

TEST_F(TapdControlTest, CarrierFollowsThePeer) {
  StartTapd();
  auto tap = Tap(WithKeepalive(1, 1));
  EXPECT_FALSE(HasCarrier("t0"));
  EXPECT_FALSE(tapd_->Get("t0").peer_up());
  SendEoip(false, kKeepalive);
  EXPECT_TRUE(WaitUntil([&] { return HasCarrier("t0"); }, milliseconds(1000)));
  EXPECT_TRUE(tapd_->Get("t0").peer_up());
  // Data is life too: with a frame every 300 ms it stays up past 1.1 s.
  const auto until = Clock::now() + milliseconds(2000);
  while (Clock::now() < until) {
    SendEoip(false, Concat(EoipHeader(100, 60), TestFrame(60, 1)));
    ASSERT_FALSE(WaitUntil([&] { return !tapd_->Get("t0").peer_up(); },
                           milliseconds(300)));
  }
  // Silence: down after 1.1 s, within 1.2 s.
  SendEoip(false, kKeepalive);
  const auto heard = Clock::now();
  ASSERT_TRUE(WaitUntil([&] { return !HasCarrier("t0"); }, milliseconds(3000)));
  const auto silent =
      std::chrono::duration_cast<milliseconds>(Clock::now() - heard).count();
  EXPECT_GE(silent, 1080);
  EXPECT_LE(silent, 1300);
  EXPECT_FALSE(tapd_->Get("t0").peer_up());
  // The first packet brings it back.
  SendEoip(false, kKeepalive);
  EXPECT_TRUE(WaitUntil([&] { return HasCarrier("t0"); }, milliseconds(1000)));
}

TEST_F(TapdControlTest, BrokenPacketsAreNoSignOfLife) {
  StartTapd();
  ASSERT_TRUE(tapd_->Put(WithKeepalive(10, 10)).ok());
  SendEoip(false, Concat(EoipHeader(100, 61), TestFrame(60, 1)));
  ASSERT_TRUE(WaitUntil([&] {
    return tapd_->Get("t0").counters().drops().contains("bad_length");
  }));
  EXPECT_FALSE(tapd_->Get("t0").peer_up());
  EXPECT_EQ(tapd_->Get("t0").last_heard_ms(), -1);
}

TEST_F(TapdControlTest, RetriesZeroOnlySends) {
  StartTapd();
  auto tap = Tap(WithKeepalive(1, 0));
  EXPECT_TRUE(HasCarrier("t0"));
  EXPECT_TRUE(NextKeepalive(milliseconds(500)).has_value());
  EXPECT_TRUE(NextKeepalive(milliseconds(1500)).has_value());
  EXPECT_TRUE(tapd_->Get("t0").peer_up());
}

TEST_F(TapdControlTest, KeepalivesGoOnAfterSendErrors) {
  StartTapd();
  ASSERT_TRUE(host_->Exec("ip route del 192.0.2.0/24 dev under0"));
  ASSERT_TRUE(tapd_->Put(WithKeepalive(1, 3)).ok());
  ASSERT_TRUE(WaitUntil([&] {
    return tapd_->Get("t0").counters().drops().contains("send_error");
  }));
  EXPECT_NE(tapd_->Get("t0").send_error().find("Network is unreachable"),
            std::string::npos)
      << tapd_->Get("t0").send_error();
  ASSERT_TRUE(host_->Exec("ip route add 192.0.2.0/24 dev under0"));
  EXPECT_TRUE(NextKeepalive(milliseconds(1500)).has_value());
  EXPECT_TRUE(WaitUntil([&] { return tapd_->Get("t0").send_error().empty(); }));
}

TEST_F(TapdControlTest, ChangesInPlaceKeepTheLink) {
  StartTapd();
  v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
  auto tap = Tap(config);
  const uint32_t ifindex = tapd_->Get("t0").ifindex();
  const Bytes frame = TestFrame(60, 1);
  config.set_tunnel_id(101);
  config.set_ttl(7);
  config.set_dscp(46);
  config.set_keepalive_interval_s(10);
  config.set_keepalive_retries(10);
  v1::TapTunnel changed;
  ASSERT_TRUE(tapd_->Put(config, &changed).ok());
  EXPECT_EQ(changed.ifindex(), ifindex);
  EXPECT_EQ(changed.config().SerializeAsString(), config.SerializeAsString());
  // The new key works, the old one does not.
  SendEoip(false, Concat(EoipHeader(101, 60), frame));
  EXPECT_EQ(tap->Receive(), frame);
  SendEoip(false, Concat(EoipHeader(100, 60), frame));
  EXPECT_TRUE(WaitUntil(
      [&] { return tapd_->Info().drops().contains("unknown_tunnel"); }));
  auto keepalive = FromHost(false);
  ASSERT_TRUE(keepalive.has_value());
  EXPECT_EQ(ToHex(keepalive->payload), "20 01 64 00 00 00 65 00 ");
  EXPECT_EQ(keepalive->ttl, 7);
  EXPECT_EQ(keepalive->tos, 46 << 2);
  // Even to the other family.
  v1::TunnelConfig v6 = MakeConfig("t0", 100, true, kPeer6);
  ASSERT_TRUE(tapd_->Put(v6, &changed).ok());
  EXPECT_EQ(changed.ifindex(), ifindex);
  SendEoip(true, Concat(Eoipv6Header(100), frame));
  EXPECT_EQ(tap->Receive(), frame);
}

TEST_F(TapdControlTest, DisabledNeitherSendsNorReceives) {
  StartTapd();
  v1::TunnelConfig config = WithKeepalive(1, 0);
  auto tap = Tap(config);
  ASSERT_TRUE(NextKeepalive(milliseconds(500)).has_value());
  config.set_disabled(true);
  ASSERT_TRUE(tapd_->Put(config).ok());
  EXPECT_FALSE(HasCarrier("t0"));
  SendEoip(false, Concat(EoipHeader(100, 60), TestFrame(60, 1)));
  ASSERT_TRUE(WaitUntil([&] {
    return tapd_->Get("t0").counters().drops().contains("disabled");
  }));
  EXPECT_EQ(tapd_->Get("t0").counters().rx_packets(), 0u);
  EXPECT_FALSE(NextKeepalive(milliseconds(1300)).has_value());
  config.set_disabled(false);
  ASSERT_TRUE(tapd_->Put(config).ok());
  EXPECT_TRUE(NextKeepalive(milliseconds(500)).has_value());
  EXPECT_TRUE(HasCarrier("t0"));
}

TEST_F(TapdControlTest, OuterHeaderFollowsFrameAndConfig) {
  StartTapd();
  v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
  config.set_inherit_df(true);
  auto tap = Tap(config);
  const auto send = [&](const Bytes& frame) {
    tap->Send(frame);
    return FromHost(false).value_or(IpPacket());
  };
  const Bytes ethernet = FromHex("0200000000aa 020000000011 0800");
  const Bytes tagged = FromHex("0200000000aa 020000000011 81000005 0800");
  const Bytes double_tagged =
      FromHex("0200000000aa 020000000011 88a80007 81000005 86dd");
  OuterOptions inner;
  inner.tos = 0xb8 | 1;
  inner.dont_fragment = true;
  const Bytes ip = MakeIpv4("10.0.0.1", "10.0.0.2", 253, Bytes(30), inner);
  const Bytes ip6 = MakeIpv6("fd00::1", "fd00::2", 253, Bytes(30), inner);
  IpPacket p = send(Concat(ethernet, ip));
  EXPECT_EQ(p.tos, 0xb9);
  EXPECT_TRUE(p.dont_fragment);
  p = send(Concat(tagged, ip));
  EXPECT_EQ(p.tos, 0xb9);
  EXPECT_TRUE(p.dont_fragment);
  p = send(Concat(double_tagged, ip6));
  EXPECT_EQ(p.tos, 0xb9);
  EXPECT_FALSE(p.dont_fragment);
  p = send(TestFrame(60, 1));
  EXPECT_EQ(p.tos, 0);
  EXPECT_FALSE(p.dont_fragment);
  // Too large with DF 1: counted, not fragmented.
  tap->Send(Concat(ethernet,
                   MakeIpv4("10.0.0.1", "10.0.0.2", 253, Bytes(1480), inner)));
  EXPECT_TRUE(WaitUntil(
      [&] { return tapd_->Get("t0").counters().drops().contains("too_big"); }));
  EXPECT_EQ(tapd_->Get("t0").send_error(), "");
  // DSCP fixed, ECN still the frame's; DF off.
  config.set_dscp(10);
  config.set_inherit_df(false);
  ASSERT_TRUE(tapd_->Put(config).ok());
  p = send(Concat(ethernet, ip));
  EXPECT_EQ(p.tos, 10 << 2 | 1);
  EXPECT_FALSE(p.dont_fragment);
}

TEST_F(TapdControlTest, MarkLocalAddressAndLinkChooseTheWay) {
  // Unmarked packets have no route; the marked one leaves with the address.
  ASSERT_TRUE(host_->Exec(
      "ip addr add 192.0.2.8/24 dev under0 && "
      "ip rule add fwmark 0x77 lookup 77 pref 10 && "
      "ip route add 198.51.100.7 via 192.0.2.2 dev under0 table 77"));
  StartTapd();
  v1::TunnelConfig config =
      MakeConfig("t0", 100, false, "198.51.100.7", "192.0.2.8");
  auto tap = Tap(config);
  tap->Send(TestFrame(60, 1));
  ASSERT_TRUE(WaitUntil([&] {
    return tapd_->Get("t0").counters().drops().contains("send_error");
  }));
  config.set_fwmark(0x77);
  ASSERT_TRUE(tapd_->Put(config).ok());
  tap->Send(TestFrame(60, 2));
  auto packet = FromHost(false);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->from, "192.0.2.8");
  EXPECT_EQ(packet->to, "198.51.100.7");
  // Bound to a link, although the route leads to another.
  ASSERT_TRUE(
      host_->Exec("ip link add under1 index 77 type veth peer name wire1 && "
                  "ip link set under1 up && ip link set wire1 up && "
                  "ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev under1 "
                  "nud permanent"));
  LinkSocket wire1(*host_, "wire1");
  config = MakeConfig("t1", 101, false, kPeer4);
  config.set_underlay_ifindex(77);
  auto other = Tap(config);
  other->Send(TestFrame(60, 3));
  packet = wire1.ReceiveIp(47);
  ASSERT_TRUE(packet.has_value());
  EXPECT_EQ(packet->payload, Concat(EoipHeader(101, 60), TestFrame(60, 3)));
}

TEST_F(TapdControlTest, ForeignLinkOfThatNameIsLeftAlone) {
  StartTapd();
  ASSERT_TRUE(host_->Exec("ip link add t0 type bridge"));
  const std::string before = Link("t0");
  const grpc::Status status = tapd_->Put(MakeConfig("t0", 100, false, kPeer4));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_NE(status.error_message().find("t0"), std::string::npos);
  EXPECT_EQ(Link("t0"), before);
  EXPECT_EQ(tapd_->Info().tunnels(), 0u);
  // A TAP of somebody else too.
  ASSERT_TRUE(host_->Exec("ip tuntap add dev t1 mode tap"));
  EXPECT_EQ(tapd_->Put(MakeConfig("t1", 101, false, kPeer4)).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
}

TEST_F(TapdControlTest, NoticesThatTheLinkWasDeletedAndMakesItAgain) {
  StartTapd();
  const v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
  auto tap = Tap(config);
  ASSERT_TRUE(host_->Exec("ip link del t0"));
  EXPECT_TRUE(WaitUntil([&] { return tapd_->Get("t0").link_gone(); }));
  auto again = Tap(config);
  EXPECT_FALSE(tapd_->Get("t0").link_gone());
  SendEoip(false, Concat(EoipHeader(100, 60), TestFrame(60, 1)));
  EXPECT_EQ(again->Receive(), TestFrame(60, 1));
  ASSERT_TRUE(host_->Exec("ip link del t0"));
  EXPECT_TRUE(WaitUntil([&] { return tapd_->Get("t0").link_gone(); }));
  EXPECT_TRUE(tapd_->Delete({"t0", "never-there"}).ok());
  EXPECT_EQ(tapd_->Get("t0").config().name(), "");
}

TEST_F(TapdControlTest, DeleteRemovesTheLinkAndSilencesTheTunnel) {
  StartTapd();
  auto tap = Tap(WithKeepalive(1, 3));
  ASSERT_TRUE(NextKeepalive(milliseconds(500)).has_value());
  ASSERT_TRUE(tapd_->Delete({"t0"}).ok());
  EXPECT_EQ(Link("t0"), "");
  EXPECT_FALSE(NextKeepalive(milliseconds(1300)).has_value());
}

TEST_F(TapdControlTest, RefusesTwoTunnelsWithOneKey) {
  StartTapd();
  ASSERT_TRUE(tapd_->Put(MakeConfig("t0", 100, false, kPeer4)).ok());
  const grpc::Status status = tapd_->Put(MakeConfig("t1", 100, false, kPeer4));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_NE(status.error_message().find("t0"), std::string::npos);
  EXPECT_EQ(Link("t1"), "");
  ASSERT_TRUE(tapd_->Put(MakeConfig("t1", 101, false, kPeer4)).ok());
  EXPECT_EQ(tapd_->Put(MakeConfig("t1", 100, false, kPeer4)).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(tapd_->Get("t1").config().tunnel_id(), 101u);
}

TEST_F(TapdControlTest, RefusesBadConfigsAndNamesTheField) {
  StartTapd();
  v1::TunnelConfig config = MakeConfig("t0", 65536, false, kPeer4);
  const grpc::Status status = tapd_->Put(config);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "config.tunnel_id: 65536: must be 0..65535");
  EXPECT_EQ(tapd_->Info().tunnels(), 0u);
}

TEST_F(TapdControlTest, OneSocketOneServer) {
  StartTapd();
  struct stat st;
  ASSERT_EQ(::stat(socket_.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600u);
  TapdProcess second(*host_, socket_);
  EXPECT_EQ(second.Stop(0), 1);
  EXPECT_TRUE(tapd_->WaitReady());
  // What a killed one leaves behind is replaced.
  tapd_->Stop(SIGKILL);
  ASSERT_EQ(::stat(socket_.c_str(), &st), 0);
  StartTapd();
  // A file that is no socket is left alone.
  EXPECT_EQ(tapd_->Stop(SIGTERM), 0);
  std::ofstream(socket_) << "mine";
  TapdProcess third(*host_, socket_);
  EXPECT_EQ(third.Stop(0), 1);
  std::ostringstream content;
  content << std::ifstream(socket_).rdbuf();
  EXPECT_EQ(content.str(), "mine");
}

TEST_F(TapdControlTest, SigtermEndsCleanlyAndTheTapsGo) {
  StartTapd();
  auto tap = Tap(MakeConfig("t0", 100, false, kPeer4));
  EXPECT_EQ(tapd_->Stop(SIGTERM), 0);
  EXPECT_EQ(Link("t0"), "");
  EXPECT_NE(::access(socket_.c_str(), F_OK), 0);
}

TEST_F(TapdControlTest, TellsSystemdWhenItIsReady) {
  const std::string notify = dir_ + "/notify";
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, notify.c_str());
  ASSERT_EQ(
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0);
  StartTapd({}, [&] { ::setenv("NOTIFY_SOCKET", notify.c_str(), 1); });
  char text[256] = "";
  ASSERT_GT(::recv(fd.get(), text, sizeof(text) - 1, 0), 0);
  EXPECT_STREQ(text, "READY=1");
}

TEST_F(TapdControlTest, RunsWithTwoCapabilitiesAsNobody) {
  struct stat tun;
  if (::stat("/dev/net/tun", &tun) != 0 || (tun.st_mode & 06) != 06) {
    GTEST_SKIP() << "/dev/net/tun is not for every user here";
  }
  ASSERT_EQ(::chmod(dir_.c_str(), 0777), 0);
  StartTapd({}, [] {
    const uint32_t caps = 1u << CAP_NET_ADMIN | 1u << CAP_NET_RAW;
    ::prctl(PR_SET_KEEPCAPS, 1);
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(127);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[2] = {{caps, caps, caps}, {0, 0, 0}};
    if (::syscall(SYS_capset, &header, data) != 0) ::_exit(127);
    for (int cap : {CAP_NET_ADMIN, CAP_NET_RAW}) {
      if (::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) != 0) {
        ::_exit(127);
      }
    }
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  });
  v1::TunnelConfig config = MakeConfig("t0", 100, false, kPeer4);
  config.set_fwmark(5);
  auto tap = Tap(config);
  tap->Send(TestFrame(60, 1));
  EXPECT_TRUE(FromHost(false).has_value());
  SendEoip(false, Concat(EoipHeader(100, 60), TestFrame(60, 2)));
  EXPECT_EQ(tap->Receive(), TestFrame(60, 2));
}

TEST_F(TapdControlTest, GivesUpWhatItDoesNotNeed) {
  StartTapd();
  std::ostringstream out;
  out << std::ifstream("/proc/" + std::to_string(tapd_->pid()) + "/status")
             .rdbuf();
  const std::string status = out.str();
  EXPECT_NE(status.find("CapPrm:\t0000000000003000"), std::string::npos)
      << status;
  EXPECT_NE(status.find("CapEff:\t0000000000003000"), std::string::npos);
  EXPECT_NE(status.find("CapBnd:\t0000000000003000"), std::string::npos);
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos);
#endif
}

TEST_F(TapdControlTest, StopsQuicklyWithManyTunnels) {
  StartTapd();
  std::string batch;
  for (int i = 0; i < 200; ++i) {
    const std::string name = "t" + std::to_string(i);
    ASSERT_TRUE(tapd_->Put(MakeConfig(name, i, false, kPeer4)).ok());
    batch += "link set " + name + " up\n";
  }
  std::ofstream(dir_ + "/batch") << batch;
  ASSERT_TRUE(host_->Exec("ip -batch " + dir_ + "/batch"));
  // Half of them by request: a foreign link stays.
  ASSERT_TRUE(host_->Exec("ip link add other type bridge"));
  std::vector<std::string> half;
  for (int i = 0; i < 100; ++i) half.push_back("t" + std::to_string(i));
  ASSERT_TRUE(tapd_->Delete(half).ok());
  EXPECT_EQ(Link("t99"), "");
  EXPECT_NE(Link("t100"), "");
  const auto start = Clock::now();
  EXPECT_EQ(tapd_->Stop(SIGTERM), 0);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(2));
  EXPECT_EQ(Link("t100"), "");
  EXPECT_NE(Link("other"), "");
}

TEST_F(TapdControlTest, ThousandTunnelsStaySmallAndIdle) {
  StartTapd();
  const auto create_start = Clock::now();
  for (int i = 0; i < 1000; ++i) {
    v1::TunnelConfig config =
        MakeConfig("t" + std::to_string(i), i, false, kPeer4);
    config.set_mac(std::string("\x02\x00\x00\x01", 4) +
                   static_cast<char>(i >> 8) + static_cast<char>(i));
    const grpc::Status status = tapd_->Put(config);
    ASSERT_TRUE(status.ok()) << i << status.error_message();
  }
  const double create_s =
      std::chrono::duration<double>(Clock::now() - create_start).count();
  const auto read = [&](const std::string& file) {
    std::ostringstream out;
    out << std::ifstream("/proc/" + std::to_string(tapd_->pid()) + "/" + file)
               .rdbuf();
    return out.str();
  };
  const std::string status = read("status");
  const long rss_kib = std::stol(status.substr(status.find("VmRSS:") + 6));
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  EXPECT_LT(rss_kib, 40 * 1024);
#endif
  const auto cpu_ticks = [&] {
    std::istringstream fields(read("stat"));
    std::string skipped;
    for (int i = 0; i < 13; ++i) fields >> skipped;
    long user = 0, system = 0;
    fields >> user >> system;
    return user + system;
  };
  const long before = cpu_ticks();
  const auto until = Clock::now() + milliseconds(1000);
  ASSERT_TRUE(WaitUntil([&] { return Clock::now() > until; }));
  EXPECT_LE(cpu_ticks() - before, 1);
  // One deletes the links behind tapd's back, as the agent does by group.
  const auto delete_start = Clock::now();
  for (int i = 0; i < 1000; i += 100) {
    std::string batch;
    for (int j = i; j < i + 100; ++j) {
      batch += "link set t" + std::to_string(j) + " group 7777\n";
    }
    std::ofstream(dir_ + "/batch") << batch;
    ASSERT_TRUE(host_->Exec("ip -batch " + dir_ + "/batch"));
  }
  ASSERT_TRUE(host_->Exec("ip link del group 7777"));
  EXPECT_TRUE(WaitUntil([&] { return tapd_->Get("t999").link_gone(); }));
  std::vector<std::string> names;
  for (int i = 0; i < 1000; ++i) names.push_back("t" + std::to_string(i));
  ASSERT_TRUE(tapd_->Delete(names).ok());
  const double delete_s =
      std::chrono::duration<double>(Clock::now() - delete_start).count();
  std::printf(
      "1000 tunnels: created in %.2f s, RSS %ld KiB, deleted in %.2f s\n",
      create_s, rss_kib, delete_s);
  EXPECT_EQ(tapd_->Info().tunnels(), 0u);
}

}  // namespace
}  // namespace eoip::tapd::testing
