// SPDX-License-Identifier: Apache-2.0
//
// The real eoip-tapd against packets that the test makes and reads itself:
// what is on the wire, what is delivered, what is dropped.
#include <random>

#include "tapd/testing/tapd_env.h"

namespace eoip::tapd::testing {
namespace {

using std::chrono::milliseconds;

struct WireCase {
  bool ipv6;
  uint16_t id;
  const char* header_hex;  // of a 60 byte frame
};

class TapdWireTest : public TapdTest,
                     public ::testing::WithParamInterface<WireCase> {};

// The captured forms of the ids: a frame of 60 bytes is 00 3c.
INSTANTIATE_TEST_SUITE_P(
    Ids, TapdWireTest,
    ::testing::Values(WireCase{false, 0, "20 01 64 00 00 3c 00 00"},
                      WireCase{false, 1, "20 01 64 00 00 3c 01 00"},
                      WireCase{false, 100, "20 01 64 00 00 3c 64 00"},
                      WireCase{false, 0xabc, "20 01 64 00 00 3c bc 0a"},
                      WireCase{false, 4095, "20 01 64 00 00 3c ff 0f"},
                      WireCase{false, 65535, "20 01 64 00 00 3c ff ff"},
                      WireCase{true, 0, "03 00"}, WireCase{true, 1, "03 01"},
                      WireCase{true, 1234, "43 d2"},
                      WireCase{true, 4095, "f3 ff"}));

TEST_P(TapdWireTest, FramesOfAllSizesTravelBothWaysByteForByte) {
  const WireCase c = GetParam();
  StartTapd();
  v1::TunnelConfig config =
      MakeConfig("t0", c.id, c.ipv6, c.ipv6 ? kPeer6 : kPeer4);
  config.set_mtu(9000);
  auto tap = Tap(config);
  uint8_t seed = 1;
  for (size_t size : {14, 42, 60, 1514, 1518, 9014}) {
    SCOPED_TRACE(size);
    const Bytes frame = TestFrame(size, ++seed, size == 1518 ? 0x8100 : 0x88b5);
    Bytes header = FromHex(c.header_hex);
    if (!c.ipv6) {
      header[4] = static_cast<uint8_t>(size >> 8);
      header[5] = static_cast<uint8_t>(size);
    }
    // Out.
    tap->Send(frame);
    const auto sent = FromHost(c.ipv6);
    ASSERT_TRUE(sent.has_value());
    EXPECT_EQ(ToHex(sent->payload), ToHex(Concat(header, frame)));
    EXPECT_EQ(sent->from, c.ipv6 ? kHost6 : kHost4);
    EXPECT_EQ(sent->to, c.ipv6 ? kPeer6 : kPeer4);
    EXPECT_EQ(sent->ttl, 255);
    EXPECT_EQ(sent->tos, 0);
    EXPECT_EQ(sent->flow_label, 0u);
    EXPECT_FALSE(sent->dont_fragment);
    EXPECT_EQ(sent->fragments > 1, size > 1480);
    // In.
    SendEoip(c.ipv6, Concat(header, frame));
    const auto delivered = tap->Receive();
    ASSERT_TRUE(delivered.has_value());
    EXPECT_EQ(ToHex(*delivered), ToHex(frame));
  }
  const v1::TapTunnel tunnel = tapd_->Get("t0");
  EXPECT_EQ(tunnel.counters().tx_packets(), 6u);
  EXPECT_EQ(tunnel.counters().rx_packets(), 6u);
  EXPECT_EQ(tunnel.counters().rx_bytes(), 14u + 42 + 60 + 1514 + 1518 + 9014);
  EXPECT_EQ(tunnel.counters().tx_bytes(), tunnel.counters().rx_bytes());
  EXPECT_TRUE(tunnel.counters().drops().empty()) << tunnel.DebugString();
}

class TapdReceiveTest : public TapdTest {
 protected:
  void SetUp() override {
    TapdTest::SetUp();
    if (IsSkipped()) return;
    StartTapd();
    tap4_ = Tap(MakeConfig("t4", 100, false, kPeer4));
    tap6_ = Tap(MakeConfig("t6", 100, true, kPeer6));
  }

  // A packet that must be dropped for the cause, without delivery or answer.
  void ExpectDrop(const Bytes& ip_packet, const std::string& cause,
                  bool of_tunnel) {
    SCOPED_TRACE(cause);
    const bool ipv6 = ip_packet[0] >> 4 == 6;
    const auto count = [&]() -> uint64_t {
      const auto drops = of_tunnel
                             ? tapd_->Get(ipv6 ? "t6" : "t4").counters().drops()
                             : tapd_->Info().drops();
      const auto it = drops.find(cause);
      return it == drops.end() ? 0 : it->second;
    };
    const uint64_t before = count();
    SendFromPeer(ip_packet);
    EXPECT_TRUE(WaitUntil([&] { return count() == before + 1; })) << count();
  }

  // Nothing came out of the TAPs or back on the wire up to here: a frame that
  // is sent now is the first to come.
  void ExpectSilenceSoFar() {
    const Bytes marker = TestFrame(60, 0x77);
    for (bool ipv6 : {false, true}) {
      SendEoip(ipv6,
               Concat(ipv6 ? Eoipv6Header(100) : EoipHeader(100, 60), marker));
      const auto delivered = (ipv6 ? tap6_ : tap4_)->Receive();
      ASSERT_TRUE(delivered.has_value());
      EXPECT_EQ(ToHex(*delivered), ToHex(marker));
    }
    tap4_->Send(marker);
    // The host's kernel talks to multicast groups now and then.
    const auto on_wire =
        wire_->Receive([](const Bytes& f) { return (f[0] & 1) == 0; });
    ASSERT_TRUE(on_wire.has_value());
    EXPECT_EQ((*on_wire)[14 + 9], 47) << ToHex(*on_wire);
    EXPECT_EQ(on_wire->size(), 14u + 20 + 8 + 60);
  }

  std::unique_ptr<LinkSocket> tap4_, tap6_;
};

TEST_F(TapdReceiveTest, DropsAndCountsBrokenPacketsAndAnswersNone) {
  const Bytes frame = TestFrame(60, 1);
  const auto v4 = [](const Bytes& eoip) {
    return MakeIpv4(kPeer4, kHost4, 47, eoip);
  };
  const auto v6 = [](const Bytes& eoip) {
    return MakeIpv6(kPeer6, kHost6, 97, eoip);
  };
  ExpectDrop(v4(Concat(EoipHeader(100, 61), frame)), "bad_length", true);
  ExpectDrop(v4(Concat(EoipHeader(100, 65535), frame)), "bad_length", true);
  ExpectDrop(v4(Concat(EoipHeader(100, 1), frame)), "short_frame", true);
  ExpectDrop(v4(Concat(EoipHeader(100, 13), frame)), "short_frame", true);
  ExpectDrop(v6(Concat(Eoipv6Header(100), Bytes(13))), "short_frame", true);
  ExpectDrop(v6(Concat(Eoipv6Header(100), Bytes(1))), "short_frame", true);
  ExpectDrop(v4(Concat(EoipHeader(101, 60), frame)), "unknown_tunnel", false);
  ExpectDrop(v6(Concat(Eoipv6Header(101), frame)), "unknown_tunnel", false);
  ExpectDrop(v4(FromHex("20 01 64 00 00 00 64")), "truncated", false);
  ExpectDrop(v4({}), "truncated", false);
  ExpectDrop(v6({0x03}), "truncated", false);
  ExpectDrop(v6({}), "truncated", false);
  // Real GRE, PPTP, EtherIP.
  ExpectDrop(v4(Concat(FromHex("20 00 65 58 00 00 00 64"), frame)), "foreign",
             false);
  ExpectDrop(v4(Concat(FromHex("30 01 88 0b 00 04 00 64"), frame)), "foreign",
             false);
  ExpectDrop(v6(Concat({0x30, 0x00}, frame)), "foreign", false);
  ExpectSilenceSoFar();
}

TEST_F(TapdReceiveTest, TakesPacketsFromThePeerOnly) {
  const Bytes eoip = Concat(EoipHeader(100, 60), TestFrame(60, 1));
  const Bytes eoip6 = Concat(Eoipv6Header(100), TestFrame(60, 1));
  ExpectDrop(MakeIpv4(kOther4, kHost4, 47, eoip), "wrong_source", false);
  ExpectDrop(MakeIpv6(kOther6, kHost6, 97, eoip6), "wrong_source", false);
  // Keepalives too.
  ExpectDrop(MakeIpv4(kOther4, kHost4, 47, EoipHeader(100, 0)), "wrong_source",
             false);
  EXPECT_EQ(tapd_->Get("t4").last_heard_ms(), -1);
  // To an address that the tunnel does not have.
  ASSERT_TRUE(tapd_->Put(MakeConfig("t4", 100, false, kPeer4, kHost4)).ok());
  ASSERT_TRUE(host_->Exec("ip addr add 192.0.2.9/24 dev under0"));
  ExpectDrop(MakeIpv4(kPeer4, "192.0.2.9", 47, eoip), "wrong_local", false);
  ExpectSilenceSoFar();
}

TEST_F(TapdReceiveTest, WithoutLocalAddressTakesPacketsToAnyOfTheHosts) {
  ASSERT_TRUE(host_->Exec("ip addr add 192.0.2.9/24 dev under0"));
  const Bytes frame = TestFrame(60, 9);
  SendFromPeer(
      MakeIpv4(kPeer4, "192.0.2.9", 47, Concat(EoipHeader(100, 60), frame)));
  ASSERT_EQ(tap4_->Receive(), frame);
  // A tunnel with the address takes them from it.
  auto exact = Tap(MakeConfig("t9", 100, false, kPeer4, "192.0.2.9"));
  SendFromPeer(
      MakeIpv4(kPeer4, "192.0.2.9", 47, Concat(EoipHeader(100, 60), frame)));
  ASSERT_EQ(exact->Receive(), frame);
  EXPECT_EQ(tapd_->Get("t4").counters().rx_packets(), 1u);
}

TEST_F(TapdReceiveTest, TrimsWhatFollowsTheFrame) {
  const Bytes frame = TestFrame(60, 3);
  SendEoip(false, Concat(Concat(EoipHeader(100, 60), frame), Bytes(17, 0xee)));
  EXPECT_EQ(tap4_->Receive(), frame);
}

TEST_F(TapdReceiveTest, TakesOuterOptionsAndExtensionHeaders) {
  const Bytes frame = TestFrame(60, 4);
  OuterOptions options;
  options.options = Bytes(40, 1);  // 40 times NOP: the longest header there is
  SendEoip(false, Concat(EoipHeader(100, 60), frame), options);
  EXPECT_EQ(tap4_->Receive(), frame);
  options.options = {0, 0, 1, 4, 0, 0, 0, 0};  // PadN
  SendEoip(true, Concat(Eoipv6Header(100), frame), options);
  EXPECT_EQ(tap6_->Receive(), frame);
}

TEST_F(TapdReceiveTest, TakesFragmentsInAnyOrder) {
  const Bytes frame = TestFrame(1514, 5);
  for (bool ipv6 : {false, true}) {
    const Bytes eoip =
        Concat(ipv6 ? Eoipv6Header(100) : EoipHeader(100, 1514), frame);
    auto fragments = Fragment(ipv6 ? MakeIpv6(kPeer6, kHost6, 97, eoip)
                                   : MakeIpv4(kPeer4, kHost4, 47, eoip),
                              512);
    ASSERT_EQ(fragments.size(), 3u);
    for (size_t i : {2, 0, 1}) SendFromPeer(fragments[i]);
    EXPECT_EQ((ipv6 ? tap6_ : tap4_)->Receive(), frame);
  }
}

TEST_F(TapdReceiveTest, CountsEveryRandomPacketAndDeliversNone) {
  std::mt19937 random(20240229);
  const int kPackets = 2000;
  for (int i = 0; i < kPackets; ++i) {
    Bytes bytes(random() % 200);
    for (uint8_t& b : bytes) b = static_cast<uint8_t>(random());
    // Half of them look right at first.
    if (i % 4 == 0 && bytes.size() >= 4) {
      bytes[0] = 0x20, bytes[1] = 0x01, bytes[2] = 0x64, bytes[3] = 0x00;
      if (bytes.size() >= 8) bytes[6] = 99, bytes[7] = 1;
    }
    if (i % 4 == 1 && bytes.size() >= 2) {
      bytes[0] = static_cast<uint8_t>(bytes[0] & 0xf0) | 3;
      bytes[1] = 99;
    }
    // Not the ids of the tunnels by chance.
    if (i % 2 == 1 && bytes.size() >= 2 && bytes[1] == 100) bytes[1] = 99;
    SendEoip(i % 2 == 1, bytes);
  }
  const auto total = [&] {
    uint64_t sum = 0;
    const v1::Info info = tapd_->Info();
    for (const auto& [cause, n] : info.drops()) sum += n;
    for (const char* name : {"t4", "t6"}) {
      const v1::TapTunnel tunnel = tapd_->Get(name);
      for (const auto& [cause, n] : tunnel.counters().drops()) sum += n;
    }
    return sum;
  };
  EXPECT_TRUE(WaitUntil([&] { return total() == uint64_t{kPackets}; }))
      << total();
  EXPECT_EQ(tapd_->Get("t4").counters().rx_packets(), 0u);
  EXPECT_EQ(tapd_->Get("t6").counters().rx_packets(), 0u);
  ExpectSilenceSoFar();
}

TEST_F(TapdReceiveTest, CongestionMarksReachFramesThatCanCarryThem) {
  // An IPv4 packet with ECT(0) in a frame; outer CE moves in, its checksum
  // stays right.
  const Bytes ethernet = FromHex("0200000000aa 020000000011 0800");
  OuterOptions inner;
  inner.tos = 0x2a;
  OuterOptions outer;
  outer.tos = 0x03;
  const auto deliver = [&](const Bytes& frame) {
    SendEoip(
        false,
        Concat(EoipHeader(100, static_cast<uint16_t>(frame.size())), frame),
        outer);
    return tap4_->Receive();
  };
  inner.tos = 0x2b;
  const Bytes marked =
      Concat(ethernet, MakeIpv4("10.0.0.1", "10.0.0.2", 253, Bytes(30), inner));
  inner.tos = 0x2a;
  EXPECT_EQ(deliver(Concat(ethernet, MakeIpv4("10.0.0.1", "10.0.0.2", 253,
                                              Bytes(30), inner))),
            marked);
  // Not ECN-capable: delivered as it is, never dropped.
  inner.tos = 0x28;
  const Bytes plain =
      Concat(ethernet, MakeIpv4("10.0.0.1", "10.0.0.2", 253, Bytes(30), inner));
  EXPECT_EQ(deliver(plain), plain);
  // RouterOS's odd ToS on frames without IP.
  outer.tos = 0xfe;
  EXPECT_EQ(deliver(TestFrame(60, 8)), TestFrame(60, 8));
}

}  // namespace
}  // namespace eoip::tapd::testing
