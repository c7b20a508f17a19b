// SPDX-License-Identifier: Apache-2.0
#include "service/inline_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace eoip {
namespace {

using testing::HasSubstr;

v1::InlineNetwork Site() {
  v1::InlineNetwork proto;
  proto.mutable_network()->set_name("networks/site");
  proto.mutable_network()->add_ports()->set_tunnel("tunnels/s1");
  v1::Tunnel* tunnel = proto.add_tunnels();
  tunnel->set_name("tunnels/s1");
  tunnel->set_kind(v1::EOIP);
  tunnel->set_remote("192.0.2.7");
  tunnel->set_tunnel_id(100);
  return proto;
}

TEST(ReadInlineNetwork, MarksWhatItMakes) {
  const auto read = ReadInlineNetwork(Site());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->network.source, kInlineSource);
  ASSERT_EQ(read->tunnels.size(), 1u);
  EXPECT_EQ(read->tunnels[0].source, kInlineSource);
}

TEST(ReadInlineNetwork, NamesThePathOfWhatIsWrong) {
  const struct {
    const char* path;
    std::function<void(v1::InlineNetwork&)> change;
  } cases[] = {
      {"inline_network: network.mtu",
       [](auto& n) { n.mutable_network()->set_mtu(1); }},
      {"inline_network: network.name", [](auto& n) { n.clear_network(); }},
      {"inline_network.tunnels[0]: tunnel.remote",
       [](auto& n) { n.mutable_tunnels(0)->set_remote("0.0.0.0"); }},
      {"inline_network.tunnels[0]: 'other'",
       [](auto& n) { n.mutable_tunnels(0)->set_name("tunnels/other"); }},
      {"inline_network.tunnels[1]: 's1'",
       [](auto& n) { *n.add_tunnels() = n.tunnels(0); }},
      {"inline_network.network.ports: 's1'",
       [](auto& n) { n.clear_tunnels(); }},
  };
  for (const auto& bad : cases) {
    v1::InlineNetwork proto = Site();
    bad.change(proto);
    const absl::Status status = ReadInlineNetwork(proto).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad.path;
    EXPECT_THAT(std::string(status.message()), HasSubstr(bad.path));
  }
}

TEST(AddInlineNetwork, SharesTheSameContentWhoeverMadeIt) {
  State state;
  const InlineNetwork site = *ReadInlineNetwork(Site());
  ASSERT_TRUE(AddInlineNetwork(site, &state).ok());
  EXPECT_EQ(state.desired.networks.count("site"), 1u);
  EXPECT_EQ(state.desired.tunnels.count("s1"), 1u);
  EXPECT_TRUE(AddInlineNetwork(site, &state).ok());

  NetworkSpec made = site.network;
  made.source.clear();
  made.released_links = {"eth7"};
  state.desired.networks["site"] =
      std::make_shared<const NetworkRecord>(NetworkRecord{made, "1"});
  EXPECT_TRUE(AddInlineNetwork(site, &state).ok());
}

TEST(AddInlineNetwork, SaysWhatDiffers) {
  State state;
  ASSERT_TRUE(AddInlineNetwork(*ReadInlineNetwork(Site()), &state).ok());
  v1::InlineNetwork other = Site();
  other.mutable_tunnels(0)->set_tunnel_id(101);
  absl::Status status = AddInlineNetwork(*ReadInlineNetwork(other), &state);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("modified: tunnel_id: 100 -> 101"));
  other = Site();
  other.mutable_network()->set_mtu(1400);
  status = AddInlineNetwork(*ReadInlineNetwork(other), &state);
  EXPECT_THAT(std::string(status.message()), HasSubstr("mtu: 1400"));
}

TEST(AddInlineNetwork, ObeysTheRulesBetweenResources) {
  State state;
  ASSERT_TRUE(AddInlineNetwork(*ReadInlineNetwork(Site()), &state).ok());
  // The same key under another name.
  v1::InlineNetwork other = Site();
  other.mutable_network()->set_name("networks/other");
  other.mutable_network()->mutable_ports(0)->set_tunnel("tunnels/s2");
  other.mutable_tunnels(0)->set_name("tunnels/s2");
  EXPECT_EQ(AddInlineNetwork(*ReadInlineNetwork(other), &state).code(),
            absl::StatusCode::kAlreadyExists);
}

}  // namespace
}  // namespace eoip
