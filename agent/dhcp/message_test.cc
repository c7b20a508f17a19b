// SPDX-License-Identifier: Apache-2.0
#include "dhcp/message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "dhcp/test_frames.h"

namespace eoip {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing_dhcp::FixUp;
using testing_dhcp::kMac;
using testing_dhcp::MakeReply;
using testing_dhcp::Option;

IpAddress Ip(const char* text) { return *IpAddress::Parse(text); }

absl::StatusOr<DhcpReply> Parse(const std::string& frame) {
  return ParseFrame(frame, kMac, false);
}

DhcpQuery Discover() {
  DhcpQuery query{.type = DhcpType::kDiscover};
  query.xid = 0x01020304;
  query.mac = kMac;
  query.spec = {std::string("\0abc", 4), "web-0"};
  return query;
}

TEST(MessageTest, DiscoverIsBroadcastByteForByte) {
  const std::string frame = MakeFrame(Discover());
  ASSERT_EQ(frame.size(), 14u + 20 + 8 + 300);
  EXPECT_EQ(absl::BytesToHexString(frame.substr(0, 42)),
            "ffffffffffff"
            "02005e100001"
            "0800"
            "45100148000000004011799600000000ffffffff"
            "00440043013401f3");
  EXPECT_EQ(absl::BytesToHexString(frame.substr(42, 34)),
            "010106000102030400008000"
            "00000000000000000000000000000000"
            "02005e100001");
  EXPECT_EQ(absl::BytesToHexString(frame.substr(42 + 236, 43)),
            "63825363"
            "350101"
            "3d0400616263"
            "0c057765622d30"
            "39020578"
            "3708017903060f1a3a3b"
            "ff"
            "0000000000000000");
}

TEST(MessageTest, RenewalGoesToTheServerAlone) {
  DhcpQuery query = Discover();
  query.type = DhcpType::kRequest;
  query.ciaddr = Ip("192.0.2.7");
  query.to = Ip("192.0.2.1");
  query.to_mac = *MacAddress::Parse("02:00:00:00:00:01");
  const std::string frame = MakeFrame(query);
  EXPECT_EQ(absl::BytesToHexString(frame.substr(0, 6)), "020000000001");
  EXPECT_EQ(absl::BytesToHexString(frame.substr(26, 8)), "c0000207c0000201");
  // No broadcast flag; ciaddr.
  EXPECT_EQ(absl::BytesToHexString(frame.substr(42 + 10, 6)), "0000c0000207");
}

TEST(MessageTest, ReleaseSaysWhatAndNoMore) {
  DhcpQuery query = Discover();
  query.type = DhcpType::kRelease;
  query.ciaddr = Ip("192.0.2.7");
  query.server = Ip("192.0.2.1");
  query.to = query.server;
  query.to_mac = *MacAddress::Parse("02:00:00:00:00:01");
  EXPECT_EQ(absl::BytesToHexString(MakeFrame(query).substr(42 + 240, 16)),
            "350107"
            "3d0400616263"
            "3604c0000201"
            "ff");
}

TEST(MessageTest, ReadsAnAckWithEverything) {
  const auto reply = Parse(MakeReply(
      5, "192.0.2.7",
      Option(51, "00000e10") + Option(58, "00000708") + Option(59, "00000c4e") +
          Option(3, "c0000201c0000202") + Option(6, "c0000235") +
          Option(15, absl::BytesToHexString("lan.x")) + Option(26, "0578"),
      Option(1, "ffffff80")));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->type, DhcpType::kAck);
  EXPECT_EQ(reply->xid, 0x01020304u);
  const Lease& lease = reply->lease;
  EXPECT_EQ(lease.address, Ip("192.0.2.7"));
  EXPECT_EQ(lease.prefix_length, 25u);
  EXPECT_EQ(lease.server, Ip("192.0.2.1"));
  EXPECT_EQ(lease.server_mac.ToString(), "02:00:00:00:00:01");
  EXPECT_EQ(lease.gateway, Ip("192.0.2.1"));
  EXPECT_THAT(lease.routes, ElementsAre(LeaseRoute{{}, 0, Ip("192.0.2.1")}));
  EXPECT_THAT(lease.nameservers, ElementsAre(Ip("192.0.2.53")));
  EXPECT_EQ(lease.domain, "lan.x");
  EXPECT_EQ(lease.mtu, 1400u);
  EXPECT_EQ(reply->lease_time, absl::Seconds(3600));
  EXPECT_EQ(reply->renewal_time, absl::Seconds(1800));
  EXPECT_EQ(reply->rebinding_time, absl::Seconds(3150));
}

TEST(MessageTest, ClasslessRoutesReplaceTheRouter) {
  // 10/8 via .1, 198.51.100.0/25 on the link, default via .2; split in two
  // options (RFC 3396).
  const auto reply =
      Parse(MakeReply(5, "192.0.2.7",
                      Option(3, "c0000209") + Option(121, "080ac0000201") +
                          Option(121,
                                 "19c633640000000000"
                                 "00c0000202")));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->lease.routes,
              ElementsAre(LeaseRoute{Ip("10.0.0.0"), 8, Ip("192.0.2.1")},
                          LeaseRoute{Ip("198.51.100.0"), 25, {}},
                          LeaseRoute{{}, 0, Ip("192.0.2.2")}));
}

TEST(MessageTest, DamagedRoutesAreLeftOutWhole) {
  for (const char* bad :
       {"080ac00002", "21c0000201c0000201ff", "080a7f000001"}) {
    const auto reply = Parse(
        MakeReply(5, "192.0.2.7", Option(3, "c0000209") + Option(121, bad)));
    ASSERT_TRUE(reply.ok()) << reply.status();
    EXPECT_THAT(reply->lease.routes,
                ElementsAre(LeaseRoute{{}, 0, Ip("192.0.2.9")}))
        << bad;
  }
}

TEST(MessageTest, InfiniteLeaseAndNoMask) {
  const auto reply =
      Parse(MakeReply(5, "172.16.0.9", Option(51, "ffffffff"), /*mask=*/""));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->lease_time, absl::InfiniteDuration());
  EXPECT_EQ(reply->lease.prefix_length, 16u);  // of its class
}

TEST(MessageTest, OptionsInTheFieldsOfNames) {
  // Option 52 says that "file" holds options.
  std::string frame = MakeReply(5, "192.0.2.7", Option(52, "01"));
  const std::string dns = absl::HexStringToBytes("0604c0000208ff");
  frame.replace(42 + 108, dns.size(), dns);
  const auto reply = Parse(FixUp(frame));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_THAT(reply->lease.nameservers, ElementsAre(Ip("192.0.2.8")));
}

TEST(MessageTest, NakHasATextThatTerminalsCanShow) {
  const auto reply = Parse(MakeReply(6, "0.0.0.0", Option(56, "6e6f1b5b6d")));
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->type, DhcpType::kNak);
  EXPECT_EQ(reply->text, "no?[m");
}

TEST(MessageTest, WrongChecksumCountsUnlessTheSenderLeftIt) {
  std::string frame = MakeReply(5, "192.0.2.7", "");
  frame[40] = static_cast<char>(frame[40] ^ 1);
  EXPECT_THAT(Parse(frame).status().message(), HasSubstr("UDP checksum"));
  EXPECT_TRUE(ParseFrame(frame, kMac, true).ok());
  frame = MakeReply(5, "192.0.2.7", "");
  frame[40] = frame[41] = 0;  // none
  EXPECT_TRUE(Parse(frame).ok());
}

TEST(MessageTest, RefusesWhatIsNoAnswerForThisPod) {
  const std::string good = MakeReply(5, "192.0.2.7", "");
  const auto damaged = [&](size_t at, char to) {
    std::string frame = good;
    frame[at] = to;
    return std::string(Parse(FixUp(frame)).status().message());
  };
  EXPECT_EQ(damaged(12, '\x86'), "no DHCP message");
  EXPECT_EQ(damaged(20, '\x20'), "no whole UDP packet");  // a fragment
  EXPECT_EQ(damaged(34 + 1, '\x44'), "not from a DHCP server");
  EXPECT_EQ(damaged(42, '\1'), "no DHCP answer");
  EXPECT_EQ(damaged(42 + 28, '\4'), "for somebody else");
  EXPECT_EQ(damaged(42 + 236, '\0'), "no DHCP answer");
  EXPECT_EQ(Parse(MakeReply(5, "255.255.255.255", "")).status().message(),
            "an address that no host can have");
  EXPECT_EQ(Parse(MakeReply(5, "192.0.2.7", Option(1, "ff00ff00"), ""))
                .status()
                .message(),
            "a mask that is none");
  EXPECT_EQ(Parse(MakeReply(8, "192.0.2.7", "")).status().message(),
            "a message type that no server sends to a client");
}

// Whatever is cut off, nothing outside of the frame is read (ASan judges).
TEST(MessageTest, EveryCutFrameIsRefusedOrWhole) {
  const std::string frame = MakeReply(
      5, "192.0.2.7", Option(51, "00000e10") + Option(121, "080ac0000201"));
  for (size_t size = 0; size < frame.size(); ++size) {
    EXPECT_FALSE(Parse(frame.substr(0, size)).ok()) << size;
    // And with lengths that fit what is left.
    std::string cut = frame.substr(0, size);
    if (size >= 42) ParseFrame(FixUp(cut), kMac, false).status().IgnoreError();
  }
}

}  // namespace
}  // namespace eoip
