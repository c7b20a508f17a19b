// SPDX-License-Identifier: Apache-2.0
#include "service/convert.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/proto_codec.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TunnelSpec FullTunnel() {
  TunnelSpec spec;
  spec.id = "eoip6";
  spec.kind = TunnelKind::kEoipV6;
  spec.local = *IpAddress::Parse("2001:db8::1");
  spec.remote = *IpAddress::Parse("2001:db8::2");
  spec.tunnel_id = 0;
  spec.mtu = 1444;
  spec.ttl = 64;
  spec.dscp = 0;
  spec.inherit_df = true;
  spec.keepalive = KeepaliveSpec{.interval_s = 3, .retries = 5};
  spec.clamp_tcp_mss = false;
  spec.fwmark = 0xffffffff;
  spec.link = "eth0";
  spec.mac = *MacAddress::Parse("02:00:00:00:00:01");
  spec.disabled = true;
  spec.datapath = DatapathType::kKernel;
  spec.allow_fast_path = false;
  spec.comment = "\"quoted\" \xe2\x80\x93 text";
  return spec;
}

NetworkSpec FullNetwork() {
  NetworkSpec spec;
  spec.id = "lan";
  spec.ports = {{.tunnel = "eoip6", .isolated = true}, {.link = "eth1"}};
  spec.mtu = 1400;
  spec.stp = true;
  spec.multicast_snooping = true;
  spec.mac = *MacAddress::Parse("02:00:00:00:00:02");
  spec.comment = "text";
  return spec;
}

AttachmentSpec FullAttachment() {
  AttachmentSpec spec;
  spec.network = "lan";
  spec.id = "pod";
  spec.host_link = "veth0";
  spec.container_id = "c0ffee";
  spec.ifname = "eth0";
  spec.netns = "/run/netns/pod";
  spec.mac = *MacAddress::Parse("02:00:00:00:00:03");
  spec.addresses = {"192.0.2.7/24", "2001:db8::7/64"};
  spec.isolated = true;
  spec.hairpin = true;
  spec.pod_namespace = "default";
  spec.pod_name = "web-0";
  return spec;
}

TEST(Convert, GoesThereAndBack) {
  EXPECT_EQ(*FromProto(ToProto(FullTunnel())), FullTunnel());
  EXPECT_EQ(*FromProto(ToProto(FullNetwork())), FullNetwork());
  EXPECT_EQ(*FromProto(ToProto(FullAttachment())), FullAttachment());
  TunnelSpec least;
  least.id = "a";
  least.remote = *IpAddress::Parse("192.0.2.1");
  EXPECT_EQ(*FromProto(ToProto(least)), least);
  least.keepalive = KeepaliveSpec{};
  EXPECT_EQ(*FromProto(ToProto(least)), least);
}

TEST(Convert, AVlanRangeWithoutALastIsOneVlan) {
  v1::Network network = ToProto(FullNetwork());
  network.mutable_ports(0)->add_tagged()->set_first(7);
  EXPECT_EQ(FromProto(network)->ports[0].tagged[0], (VlanRange{7, 7}));
}

TEST(Convert, TellsHostNamesFromNonsense) {
  v1::Tunnel tunnel = ToProto(FullTunnel());
  for (const char* name : {"site.example", "site", "a-b.example.", "x_y.z"}) {
    tunnel.set_remote(name);
    EXPECT_TRUE(absl::IsUnimplemented(FromProto(tunnel).status())) << name;
  }
  for (const char* text : {"", "1.2.3.4.5", "1.2.3", "a..b", "-a.b", "a b",
                           "2001:db8::zz", "192.0.2.1/24", "."}) {
    tunnel.set_remote(text);
    EXPECT_TRUE(absl::IsInvalidArgument(FromProto(tunnel).status())) << text;
  }
}

TEST(Convert, NeverShowsASecret) {
  v1::Tunnel tunnel = ToProto(FullTunnel());
  tunnel.set_ipsec_secret("hush-hush");
  const absl::Status status = FromProto(tunnel).status();
  EXPECT_TRUE(absl::IsUnimplemented(status));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("hush")));
}

TEST(Convert, ShowsTheWholeStatus) {
  TunnelStatus status;
  status.state = TunnelState::kPeerDown;
  status.reason = "silent";
  status.datapath = DatapathType::kTap;
  status.datapath_reason = "no module";
  status.effective_mtu = 1500;
  status.ifindex = 7;
  status.mac = *MacAddress::Parse("02:00:00:00:00:01");
  status.last_heard = absl::FromUnixSeconds(5);
  status.last_change = absl::FromUnixMillis(6500);
  status.network = "lan";
  const v1::TunnelStatus proto = ToProto(status);
  EXPECT_EQ(proto.state(), v1::TunnelStatus::PEER_DOWN);
  EXPECT_EQ(proto.reason(), "silent");
  EXPECT_EQ(proto.datapath(), v1::TAP);
  EXPECT_EQ(proto.datapath_reason(), "no module");
  EXPECT_EQ(proto.effective_mtu(), 1500u);
  EXPECT_EQ(proto.ifindex(), 7u);
  EXPECT_EQ(proto.mac(), "02:00:00:00:00:01");
  EXPECT_EQ(proto.last_heard().seconds(), 5);
  EXPECT_EQ(proto.last_change().seconds(), 6);
  EXPECT_EQ(proto.last_change().nanos(), 500000000);
  EXPECT_EQ(proto.network(), "networks/lan");
  EXPECT_FALSE(ToProto(TunnelStatus()).has_last_change());
}

TEST(ProtoCodec, GoesThereAndBack) {
  const ProtoCodec codec;
  TunnelSpec tunnel;
  ASSERT_TRUE(codec.Decode(codec.Encode(FullTunnel()), &tunnel).ok());
  EXPECT_EQ(tunnel, FullTunnel());
  NetworkSpec network = FullNetwork();
  network.released_links = {"eth7", "eth8"};
  NetworkSpec network_read;
  ASSERT_TRUE(codec.Decode(codec.Encode(network), &network_read).ok());
  EXPECT_EQ(network_read, network);
  AttachmentSpec attachment;
  ASSERT_TRUE(codec.Decode(codec.Encode(FullAttachment()), &attachment).ok());
  EXPECT_EQ(attachment, FullAttachment());
}

TEST(ProtoCodec, RefusesWhatItWouldLose) {
  const ProtoCodec codec;
  TunnelSpec tunnel;
  for (const char* json :
       {"", "{", "[]", "{\"name\":\"tunnels/a\",\"tomorrow\":1}",
        "{\"name\":5}", "{\"name\":\"tunnels/a\",\"kind\":\"GRE\"}", "null"}) {
    EXPECT_FALSE(codec.Decode(json, &tunnel).ok()) << json;
  }
}

}  // namespace
}  // namespace eoip
