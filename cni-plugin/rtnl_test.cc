// SPDX-License-Identifier: Apache-2.0
#include "rtnl.h"

#include <gtest/gtest.h>
#include <linux/if_link.h>

#include <cstring>
#include <utility>
#include <vector>

#include "links.h"
#include "pod_link.h"

namespace eoip::cni {
namespace {

std::vector<std::pair<uint16_t, std::string>> Attributes(
    absl::string_view bytes) {
  std::vector<std::pair<uint16_t, std::string>> all;
  ForEachAttribute(bytes, [&all](uint16_t type, absl::string_view value) {
    all.emplace_back(type, std::string(value));
  });
  return all;
}

TEST(RtnlMessageTest, AttributesComeBackAsWritten) {
  RtnlMessage message(RTM_NEWLINK, NLM_F_CREATE, ifinfomsg{});
  message.PutString(IFLA_IFNAME, "abc");
  const size_t outer = message.Begin(IFLA_LINKINFO);
  message.PutU8(7, 9);
  message.PutU32(8, 0x01020304);
  message.End(outer);
  const std::string bytes = message.Finish();
  nlmsghdr header;
  memcpy(&header, bytes.data(), sizeof(header));
  EXPECT_EQ(header.nlmsg_len, bytes.size());
  EXPECT_EQ(header.nlmsg_flags, NLM_F_CREATE | NLM_F_REQUEST);
  auto all = Attributes(AttributesOf(
      reinterpret_cast<const nlmsghdr*>(bytes.data()), sizeof(ifinfomsg)));
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].second, std::string("abc\0", 4));
  auto inner = Attributes(all[1].second);
  ASSERT_EQ(inner.size(), 2u);
  EXPECT_EQ(inner[0].second, "\x09");
  EXPECT_EQ(ReadU32(inner[1].second), 0x01020304u);
}

TEST(RtnlMessageTest, TruncatedAttributesEndTheWalk) {
  rtattr header{20, 1};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof(header));
  EXPECT_TRUE(Attributes(bytes + "abcd").empty());
  header.rta_len = 3;
  memcpy(bytes.data(), &header, sizeof(header));
  EXPECT_TRUE(Attributes(bytes + "abcd").empty());
  EXPECT_TRUE(Attributes("abc").empty());
  EXPECT_EQ(ReadU32("abc"), 0u);
}

TEST(RtnlSocketTest, TellsAMissingLinkAndFindsTheLoopback) {
  auto socket = RtnlSocket::Open();
  ASSERT_TRUE(socket.ok()) << socket.status();
  auto missing = GetLink(*socket, "eoip-not-there");
  EXPECT_TRUE(absl::IsNotFound(missing.status())) << missing.status();
  auto lo = GetLink(*socket, "lo");
  ASSERT_TRUE(lo.ok()) << lo.status();
  EXPECT_EQ(GetLink(*socket, lo->ifindex)->name, "lo");
  auto all = ListLinks(*socket);
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_FALSE(all->empty());
}

TEST(AliasTest, SaysWhoseTheLinkIs) {
  const std::string alias = MakeAlias("net1", "eth0", "abc");
  EXPECT_EQ(alias, "eoip/net1/eth0/abc");
  EXPECT_EQ(AliasName(alias), "net1");
  EXPECT_TRUE(AliasMatches(alias, "eth0", "abc"));
  EXPECT_FALSE(AliasMatches(alias, "eth1", "abc"));
  EXPECT_FALSE(AliasMatches(alias, "eth0", "abcd"));
  EXPECT_FALSE(AliasMatches("something", "eth0", "abc"));
  EXPECT_FALSE(AliasMatches("", "eth0", "abc"));
  EXPECT_EQ(AliasName("something"), "");
}

TEST(AliasTest, LongContainerIdsAreCutAndStillMatch) {
  const std::string id(300, 'x');
  const std::string alias = MakeAlias(std::string(128, 'n'), "eth0", id);
  EXPECT_EQ(alias.size(), 255u);
  EXPECT_TRUE(AliasMatches(alias, "eth0", id));
}

}  // namespace
}  // namespace eoip::cni
