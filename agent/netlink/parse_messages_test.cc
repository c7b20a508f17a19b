// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "netlink/messages.h"
#include "netlink/test_bytes.h"

namespace eoip {
namespace {

using testing::HasSubstr;

constexpr uint16_t kNewLink = 16;
constexpr uint16_t kDelLink = 17;
constexpr uint8_t kFamilyBridge = 7;
constexpr uint32_t kUp = 0x1;
constexpr uint32_t kLowerUp = 0x10000;
// Attribute ids, from linux/if_link.h.
constexpr uint16_t kAddress = 1, kIfname = 3, kMtu = 4, kMaster = 10,
                   kLinkInfo = 18, kStats64 = 23, kGroup = 27, kCarrier = 33;
constexpr uint16_t kInfoKind = 1, kInfoData = 2, kSlaveKind = 4, kSlaveData = 5;

absl::StatusOr<Link> Parse(const std::string& bytes) {
  const Message message(bytes);
  return ParseLink(message.get());
}

std::string Name(const std::string& name) {
  return Attribute(kIfname, name + '\0');
}

// All that the module reports of an eoip tunnel.
std::string EoipData() {
  return Attribute(1, U32(3)) + Attribute(4, U32(65535)) +
         Attribute(6, FromHex("c0000201")) + Attribute(7, FromHex("c0000207")) +
         Attribute(8, U8(64)) + Attribute(9, U8(46 << 2)) +
         Attribute(32, U32(5)) + Attribute(33, U8(7)) + Attribute(64, U32(1)) +
         Attribute(65, U8(2)) + Attribute(66, U32(9)) + Attribute(67, U8(0)) +
         Attribute(68, U8(0)) + Attribute(69, U64(1500)) +
         Attribute(70, std::string("0.1.0\0", 6));
}

std::string TunnelMessage(const std::string& kind, const std::string& data) {
  return LinkMessage(
      kNewLink, 0, 12, kUp,
      Name("site1") + Attribute(kMtu, U32(1500)) +
          Attribute(kAddress, FromHex("fea1a2a3a4a5")) +
          Attribute(kCarrier, U8(0)) +
          Attribute(kLinkInfo, Attribute(kInfoKind, kind + '\0') +
                                   Attribute(kInfoData, data)));
}

TEST(ParseLink, ReadsWhatEveryLinkHas) {
  const auto link = Parse(LinkMessage(
      kNewLink, 0, 5, kUp | kLowerUp,
      Name("eth0") + Attribute(kMtu, U32(9000)) + Attribute(kMaster, U32(3)) +
          Attribute(kGroup, U32(0x656f6970)) +
          Attribute(kAddress, FromHex("02005e100001"))));
  ASSERT_TRUE(link.ok()) << link.status();
  EXPECT_EQ(link->name, "eth0");
  EXPECT_EQ(link->ifindex, 5u);
  EXPECT_TRUE(link->up);
  EXPECT_TRUE(link->carrier);
  EXPECT_EQ(link->mtu, 9000u);
  EXPECT_EQ(link->master, 3u);
  EXPECT_TRUE(link->owned());
  EXPECT_EQ(link->mac.ToString(), "02:00:5e:10:00:01");
  EXPECT_EQ(link->kind, "");
  EXPECT_FALSE(link->bridge || link->bridge_port || link->tunnel);
  EXPECT_FALSE(link->foreign_eoip);
}

TEST(ParseLink, ReadsABridge) {
  const auto link = Parse(LinkMessage(
      kNewLink, 0, 5, 0,
      Name("lan") +
          Attribute(kLinkInfo,
                    Attribute(kInfoKind, std::string("bridge\0", 7)) +
                        Attribute(kInfoData, Attribute(5, U32(1)) +
                                                 Attribute(7, U8(1)) +
                                                 Attribute(23, U8(1))))));
  ASSERT_TRUE(link.ok());
  ASSERT_TRUE(link->bridge);
  EXPECT_EQ(*link->bridge, (BridgeInfo{.stp = true,
                                       .multicast_snooping = true,
                                       .vlan_filtering = true}));
}

TEST(ParseLink, ABridgeOfAKernelWithoutSnoopingSnoopsNot) {
  const auto link = Parse(LinkMessage(
      kNewLink, 0, 5, 0,
      Name("lan") + Attribute(kLinkInfo,
                              Attribute(kInfoKind, std::string("bridge\0", 7)) +
                                  Attribute(kInfoData, Attribute(5, U32(0))))));
  ASSERT_TRUE(link.ok());
  ASSERT_TRUE(link->bridge);
  EXPECT_FALSE(link->bridge->multicast_snooping);
}

TEST(ParseLink, ReadsTheBridgePortOfAPortOnly) {
  const std::string info = Attribute(
      kLinkInfo,
      Attribute(kInfoKind, std::string("veth\0", 5)) +
          Attribute(kSlaveKind, std::string("bridge\0", 7)) +
          Attribute(kSlaveData, Attribute(1, U8(3)) + Attribute(4, U8(1)) +
                                    Attribute(33, U8(1))));
  const auto port = Parse(LinkMessage(
      kNewLink, 0, 5, 0, Name("v") + Attribute(kMaster, U32(2)) + info));
  ASSERT_TRUE(port.ok());
  EXPECT_EQ(port->kind, "veth");
  EXPECT_EQ(port->bridge_port,
            (BridgePortInfo{.state = 3, .isolated = true, .hairpin = true}));
  const auto free = Parse(LinkMessage(kNewLink, 0, 5, 0, Name("v") + info));
  ASSERT_TRUE(free.ok());
  EXPECT_FALSE(free->bridge_port);
}

TEST(ParseLink, ReadsEveryAttributeOfATunnel) {
  const auto link = Parse(TunnelMessage("eoip", EoipData()));
  ASSERT_TRUE(link.ok());
  ASSERT_TRUE(link->tunnel);
  EXPECT_FALSE(link->foreign_eoip);
  TunnelConfig want;
  want.name = "site1";
  want.local = *IpAddress::Parse("192.0.2.1");
  want.remote = *IpAddress::Parse("192.0.2.7");
  want.tunnel_id = 65535;
  want.ttl = 64;
  want.dscp = 46;
  want.inherit_df = true;
  want.keepalive_interval_s = 5;
  want.keepalive_retries = 7;
  want.clamp_tcp_mss = false;
  want.fwmark = 9;
  want.underlay_ifindex = 3;
  want.gso = false;
  want.mac = link->mac;
  EXPECT_EQ(link->tunnel->config, want);
  EXPECT_EQ(link->tunnel->datapath, DatapathType::kKernel);
  EXPECT_EQ(link->tunnel->ifindex, 12u);
  EXPECT_EQ(link->tunnel->last_heard, absl::Milliseconds(1500));
  EXPECT_FALSE(link->tunnel->peer_up);
}

TEST(ParseLink, ReadsAnEoipV6TunnelWithDefaults) {
  const auto link = Parse(TunnelMessage(
      "eoipv6",
      Attribute(4, U32(0)) + Attribute(6, std::string(16, '\0')) +
          Attribute(7, FromHex("20010db8 00000000 00000000 00000002")) +
          Attribute(9, U8(1)) + Attribute(64, U32(1)) +
          Attribute(69, U64(~uint64_t{0}))));
  ASSERT_TRUE(link.ok());
  ASSERT_TRUE(link->tunnel);
  const TunnelConfig& config = link->tunnel->config;
  EXPECT_EQ(config.kind, TunnelKind::kEoipV6);
  EXPECT_FALSE(config.local);
  EXPECT_EQ(config.remote.ToString(), "2001:db8::2");
  EXPECT_EQ(config.ttl, 255u);
  EXPECT_FALSE(config.dscp);
  EXPECT_EQ(config.keepalive_interval_s, 10u);
  EXPECT_TRUE(config.clamp_tcp_mss);
  EXPECT_TRUE(config.gso);
  EXPECT_FALSE(link->tunnel->last_heard);
}

TEST(ParseLink, AnotherModulesTunnelIsForeign) {
  const std::string key = Attribute(4, U32(1));
  const std::string remote = Attribute(7, FromHex("c0000207"));
  const struct {
    const char* what;
    std::string data;
  } cases[] = {
      {"no ABI number", key + remote},
      {"an ABI number that is not known", key + remote + Attribute(64, U32(2))},
      {"no tunnel id", remote + Attribute(64, U32(1))},
      {"no remote", key + Attribute(64, U32(1))},
      {"a remote of the other family",
       key + Attribute(7, std::string(16, '\1')) + Attribute(64, U32(1))},
      {"an ABI number that is too short", key + remote + Attribute(64, U8(1))},
      {"nothing", ""},
      {"garbage", FromHex("0300ffff 01")},
  };
  for (const auto& test : cases) {
    const auto link = Parse(TunnelMessage("eoip", test.data));
    ASSERT_TRUE(link.ok()) << test.what;
    EXPECT_FALSE(link->tunnel) << test.what;
    EXPECT_TRUE(link->foreign_eoip) << test.what;
  }
}

TEST(ParseLink, RefusesWhatIsNoLink) {
  EXPECT_FALSE(Parse(LinkMessage(kNewLink, 0, 5, 0, "")).ok());
  EXPECT_FALSE(Parse(LinkMessage(kNewLink, 0, 0, 0, Name("x"))).ok());
  EXPECT_FALSE(Parse(LinkMessage(kNewLink, 0, 0xffffffff, 0, Name("x"))).ok());
  // A header only, and one that is too short for a link.
  EXPECT_FALSE(Parse(FromHex("10000000 10000000 00000000 00000000")).ok());
  EXPECT_FALSE(
      Parse(FromHex("14000000 10000000 00000000 00000000 00000000")).ok());
}

TEST(ParseLink, NeverReadsBehindATruncatedMessage) {
  const std::string whole = TunnelMessage("eoip", EoipData());
  for (size_t length = 16; length < whole.size(); ++length) {
    std::string cut = whole.substr(0, length);
    const std::string size = U32(static_cast<uint32_t>(length));
    cut.replace(0, 4, size);
    // A sanitizer would stop the test.
    Parse(cut).status().IgnoreError();
    ParseReading(Message(cut).get()).status().IgnoreError();
    ParseNews(Message(cut).get()).status().IgnoreError();
  }
}

TEST(ParseLink, NeverReadsBehindADamagedMessage) {
  const std::string whole = TunnelMessage("eoip", EoipData());
  std::mt19937 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = whole;
    for (int n = random() % 4; n >= 0; --n) {
      damaged[32 + random() % (damaged.size() - 32)] =
          static_cast<char>(random());
    }
    const auto link = Parse(damaged);
    if (link.ok()) {
      EXPECT_FALSE(link->name.empty());
      EXPECT_FALSE(link->tunnel && link->foreign_eoip);
    }
  }
}

TEST(ParseReading, ReadsCountersAndCarrier) {
  std::string stats;
  for (uint64_t value : {11, 22, 33, 44, 5, 6, 7, 8}) stats += U64(value);
  const Message message(LinkMessage(
      kNewLink, 0, 5, 0,
      Name("x") + Attribute(kCarrier, U8(1)) + Attribute(kStats64, stats)));
  const auto reading = ParseReading(message.get());
  ASSERT_TRUE(reading.ok());
  EXPECT_EQ(reading->counters.rx_packets, 11u);
  EXPECT_EQ(reading->counters.tx_packets, 22u);
  EXPECT_EQ(reading->counters.rx_bytes, 33u);
  EXPECT_EQ(reading->counters.tx_bytes, 44u);
  EXPECT_TRUE(reading->carrier);
}

TEST(ParseNews, TellsADeletedLinkFromALeftBridge) {
  const auto news = [](uint16_t type, uint8_t family) {
    return *ParseNews(
        Message(LinkMessage(type, family, 5, 0, Name("x"))).get());
  };
  EXPECT_FALSE(news(kNewLink, 0).deleted);
  EXPECT_TRUE(news(kDelLink, 0).deleted);
  EXPECT_FALSE(news(kDelLink, kFamilyBridge).deleted);
  EXPECT_EQ(news(kDelLink, 0).name, "x");
  EXPECT_EQ(news(kDelLink, 0).ifindex, 5u);
}

// An NLMSG_ERROR: error, copy of the request (header only when capped), TLVs.
std::string ErrorMessage(uint16_t flags, int error, uint32_t request_length,
                         const std::string& rest) {
  std::string bytes = U32(static_cast<uint32_t>(36 + rest.size()));
  bytes += {2, 0, static_cast<char>(flags), static_cast<char>(flags >> 8)};
  bytes += U32(7) + U32(0);
  bytes += U32(static_cast<uint32_t>(-error));
  bytes += U32(request_length) + FromHex("10000506 07000000 00000000");
  return bytes + rest;
}
constexpr uint16_t kCapped = 0x100, kTlvs = 0x200;

NetlinkReply Reply(const std::string& bytes) {
  const auto reply = ParseReply(Message(bytes).get());
  EXPECT_TRUE(reply.ok()) << reply.status();
  return reply.ok() ? *reply : NetlinkReply{};
}

TEST(ParseReply, DoneIsOk) {
  const NetlinkReply reply = Reply(ErrorMessage(kCapped, 0, 100, ""));
  EXPECT_EQ(reply.error, 0);
  EXPECT_TRUE(reply.ToStatus("x").ok());
}

TEST(ParseReply, KeepsErrnoAndExtackWordForWord) {
  const std::string tlvs =
      Attribute(1, std::string("mtu greater than device maximum\0", 32)) +
      Attribute(2, U32(40));
  for (const NetlinkReply& reply :
       {Reply(ErrorMessage(kCapped | kTlvs, EINVAL, 100, tlvs)),
        Reply(ErrorMessage(kTlvs, EINVAL, 24, "request." + tlvs))}) {
    EXPECT_EQ(reply.error, EINVAL);
    EXPECT_EQ(reply.attribute, 40u);
    const absl::Status status = reply.ToStatus("change link a");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(),
              "change link a: Invalid argument: mtu greater than device "
              "maximum");
  }
}

TEST(ParseReply, AMissingModuleIsNamed) {
  NetlinkReply reply;
  reply.error = EOPNOTSUPP;
  reply.extack = "Unknown device type";
  const absl::Status status = reply.ToStatus("create tunnel a");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("kernel module eoip is not loaded"));
  reply.extack = "";
  EXPECT_THAT(std::string(reply.ToStatus("x").message()),
              testing::Not(HasSubstr("module")));
}

TEST(ParseReply, RefusesOrIgnoresWhatIsBroken) {
  EXPECT_FALSE(
      ParseReply(
          Message(FromHex("14000000 02000000 00000000 00000000 ffffffff"))
              .get())
          .ok());
  // What no errno is: found by netlink_fuzz.
  for (uint32_t error : {0x80000000u, 1u, 0u - 4096u}) {
    EXPECT_FALSE(
        ParseReply(Message(FromHex("24000000 02000000 00000000 00000000") +
                           U32(error) +
                           FromHex("10000000 00000000 00000000 00000000"))
                       .get())
            .ok())
        << error;
  }
  // The copy of the request is said to be longer than the whole message.
  EXPECT_FALSE(
      ParseReply(Message(ErrorMessage(kTlvs, EINVAL, 4000, "")).get()).ok());
  EXPECT_FALSE(
      ParseReply(Message(ErrorMessage(kTlvs, EINVAL, 3, "")).get()).ok());
  const NetlinkReply reply = Reply(
      ErrorMessage(kTlvs | kCapped, EINVAL, 100, FromHex("ffff0100 41414141")));
  EXPECT_EQ(reply.error, EINVAL);
  EXPECT_EQ(reply.extack, "");
}

TEST(ParseProbe, TellsWhoAnswers) {
  const struct {
    int error;
    const char* extack;
    KindProbe who;
  } cases[] = {
      {EOPNOTSUPP, "Unknown device type", KindProbe::kAbsent},
      {EOPNOTSUPP, "Unknown device type.", KindProbe::kAbsent},
      {EADDRNOTAVAIL, "not an address of a host", KindProbe::kForeign},
      {EADDRNOTAVAIL, "eoip: address: must be unicast, not all zero",
       KindProbe::kBundled},
      {EINVAL, "eoip: df: must be 0, 1 or 2", KindProbe::kBundled},
      {EINVAL, "Invalid number of transmit queues", KindProbe::kForeign},
      {EADDRNOTAVAIL, "", KindProbe::kForeign},
      {EINVAL, "", KindProbe::kForeign},
  };
  for (const auto& test : cases) {
    NetlinkReply reply;
    reply.error = test.error;
    reply.extack = test.extack;
    const auto who = ParseProbe(reply);
    ASSERT_TRUE(who.ok()) << test.extack;
    EXPECT_EQ(*who, test.who) << test.error << " " << test.extack;
  }
}

TEST(ParseProbe, OtherErrorsAreErrors) {
  NetlinkReply reply;
  EXPECT_FALSE(ParseProbe(reply).ok());
  reply.error = EPERM;
  EXPECT_EQ(ParseProbe(reply).status().code(),
            absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace eoip
