// SPDX-License-Identifier: Apache-2.0
//
// The expected bytes were made by another program from the kernel's headers:
// nlmsghdr (16 bytes), ifinfomsg (16 bytes), attributes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netlink/messages.h"
#include "netlink/test_bytes.h"

namespace eoip {
namespace {

IpAddress Ip(absl::string_view text) { return *IpAddress::Parse(text); }
MacAddress Mac(absl::string_view text) { return *MacAddress::Parse(text); }

TEST(MakeMessages, DumpLinksAsksForAllWithoutCounters) {
  EXPECT_EQ(MakeDumpLinks(), FromHex("28000000 12000103 00000000 00000000"
                                     "00000000 00000000 00000000 00000000"
                                     "08001d00 08000000"));
}

TEST(MakeMessages, DumpKindFiltersByKind) {
  EXPECT_EQ(MakeDumpKind("eoip"),
            FromHex("30000000 12000103 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "10001280 09000100 656f6970 00000000"));
}

TEST(MakeMessages, GetLinkByName) {
  EXPECT_EQ(MakeGetLink("eoip-a", /*counters=*/false),
            FromHex("34000000 12000100 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "0b000300 656f6970 2d610000 08001d00"
                    "08000000"));
}

TEST(MakeMessages, CreateBridgeSetsOwnerMtuMacAndOptions) {
  BridgeConfig config;
  config.name = "lan";
  config.mac = Mac("fe:01:02:03:04:05");
  config.mtu = 1400;
  config.info = {
      .stp = true, .multicast_snooping = false, .vlan_filtering = true};
  EXPECT_EQ(MakeCreateBridge(config),
            FromHex("70000000 10000106 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "08000300 6c616e00 08001b00 70696f65"
                    "08000400 78050000 0a000100 fe010203"
                    "04050000 2c001280 0b000100 62726964"
                    "67650000 1c000280 08000500 01000000"
                    "05001700 00000000 05000700 01000000"));
}

TEST(MakeMessages, CreateEoipTunnelSendsEveryAttribute) {
  TunnelConfig config;
  config.name = "site1";
  config.remote = Ip("192.0.2.7");
  config.tunnel_id = 0xabc;
  config.mac = Mac("fe:a1:a2:a3:a4:a5");
  EXPECT_EQ(MakePutTunnel(config, /*create=*/true),
            FromHex("bc000000 10000106 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "0a000300 73697465 31000000 08001b00"
                    "70696f65 08000400 dc050000 0a000100"
                    "fea1a2a3 a4a50000 74001280 09000100"
                    "656f6970 00000000 64000280 08000100"
                    "00000000 08000400 bc0a0000 08000600"
                    "00000000 08000700 c0000207 05000800"
                    "ff000000 05000900 01000000 08002000"
                    "0a000000 05002100 0a000000 05004100"
                    "00000000 08004200 00000000 05004300"
                    "01000000 05004400 01000000"));
}

TEST(MakeMessages, ChangeEoipV6TunnelSendsEveryAttributeAndNoGroup) {
  TunnelConfig config;
  config.name = "site6";
  config.kind = TunnelKind::kEoipV6;
  config.local = Ip("2001:db8::1");
  config.remote = Ip("2001:db8::2");
  config.tunnel_id = 4095;
  config.mtu = 9000;
  config.ttl = 64;
  config.dscp = 46;
  config.inherit_df = true;
  config.keepalive_interval_s = 3;
  config.keepalive_retries = 5;
  config.clamp_tcp_mss = false;
  config.fwmark = 0x11223344;
  config.underlay_ifindex = 7;
  config.gso = false;
  config.mac = Mac("fe:a1:a2:a3:a4:a6");
  EXPECT_EQ(MakePutTunnel(config, /*create=*/false),
            FromHex("cc000000 10000100 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "0a000300 73697465 36000000 08000400"
                    "28230000 0a000100 fea1a2a3 a4a60000"
                    "8c001280 0b000100 656f6970 76360000"
                    "7c000280 08000100 07000000 08000400"
                    "ff0f0000 14000600 20010db8 00000000"
                    "00000000 00000001 14000700 20010db8"
                    "00000000 00000000 00000002 05000800"
                    "40000000 05000900 b8000000 08002000"
                    "03000000 05002100 05000000 05004100"
                    "02000000 08004200 44332211 05004300"
                    "00000000 05004400 00000000"));
}

TEST(MakeMessages, AnUnsetLocalAddressIsZeroOfTheKindsFamily) {
  TunnelConfig config;
  config.name = "a";
  config.kind = TunnelKind::kEoipV6;
  config.remote = Ip("2001:db8::2");
  EXPECT_THAT(MakePutTunnel(config, true),
              testing::HasSubstr(FromHex("14000600 00000000 00000000"
                                         "00000000 00000000 14000700")));
}

TEST(MakeMessages, DscpZeroIsNotInherit) {
  TunnelConfig config;
  config.name = "a";
  config.remote = Ip("192.0.2.7");
  config.dscp = 0;
  EXPECT_THAT(MakePutTunnel(config, true),
              testing::HasSubstr(FromHex("05000900 00000000")));
}

TEST(MakeMessages, ChangeSendsWhatIsAsked) {
  EXPECT_EQ(MakeChange(9, {.up = true,
                           .mtu = 1400,
                           .mac = Mac("fe:01:02:03:04:05"),
                           .master = 4,
                           .group = kOwnedGroup}),
            FromHex("44000000 13000100 00000000 00000000"
                    "00000000 09000000 01000000 01000000"
                    "0a000100 fe010203 04050000 08000400"
                    "78050000 08001b00 70696f65 08000a00"
                    "04000000"));
}

TEST(MakeMessages, ChangeLeavesTheRestAlone) {
  EXPECT_EQ(MakeChange(9, {.up = false}),
            FromHex("20000000 13000100 00000000 00000000"
                    "00000000 09000000 00000000 01000000"));
  EXPECT_EQ(MakeChange(9, {}), FromHex("20000000 13000100 00000000 00000000"
                                       "00000000 09000000 00000000 00000000"));
}

TEST(MakeMessages, SetBridgeIsAChangeWithInfoDataOfWhatDiffers) {
  EXPECT_EQ(MakeSetBridge(4, BridgeInfo{.stp = true},
                          BridgeInfo{.vlan_filtering = true}),
            FromHex("44000000 10000100 00000000 00000000"
                    "00000000 04000000 00000000 00000000"
                    "24001280 0b000100 62726964 67650000"
                    "14000280 08000500 00000000 05000700"
                    "01000000"));
  EXPECT_EQ(
      MakeSetBridge(4, BridgeInfo{.multicast_snooping = false}, BridgeInfo{}),
      FromHex("3c000000 10000100 00000000 00000000"
              "00000000 04000000 00000000 00000000"
              "1c001280 0b000100 62726964 67650000"
              "0c000280 05001700 01000000"));
}

TEST(MakeMessages, SetBridgePortIsOfFamilyBridge) {
  EXPECT_EQ(MakeSetBridgePort(5, {.isolated = true, .hairpin = true}),
            FromHex("44000000 13000100 00000000 00000000"
                    "07000000 05000000 00000000 00000000"
                    "24000c80"
                    "05000400 01000000"
                    "05002100 01000000"
                    "05000800 01000000"
                    "05002700 00000000"));
  // A locked port forgets what it learnt: IFLA_BRPORT_FLUSH, a flag.
  EXPECT_EQ(
      MakeSetBridgePort(5, {.locked = true, .learning = false}).substr(32),
      FromHex("28000c80"
              "05000400 00000000"
              "05002100 00000000"
              "05000800 00000000"
              "05002700 01000000"
              "04001800"));
}

TEST(MakeMessages, DeleteByIndexAndByGroup) {
  EXPECT_EQ(MakeDeleteLink(5), FromHex("20000000 11000100 00000000 00000000"
                                       "00000000 05000000 00000000 00000000"));
  EXPECT_EQ(MakeDeleteGroup(kDoomedGroup),
            FromHex("28000000 11000100 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "08001b00 71696f65"));
}

TEST(MakeMessages, ProbeAsksForNothingThatCouldBeMade) {
  EXPECT_EQ(MakeProbe(TunnelKind::kEoipV6),
            FromHex("50000000 10000106 00000000 00000000"
                    "00000000 00000000 00000000 00000000"
                    "0a000100 00000000 00000000 08001f00"
                    "00000000 1c001280 0b000100 656f6970"
                    "76360000 0c000280 05004100 ff000000"));
}

}  // namespace
}  // namespace eoip
