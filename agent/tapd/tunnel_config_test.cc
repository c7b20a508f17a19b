// SPDX-License-Identifier: Apache-2.0
#include "tapd/tunnel_config.h"

#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

v1::TunnelConfig Valid() {
  v1::TunnelConfig proto;
  proto.set_name("eoip1");
  proto.set_tunnel_id(65535);
  proto.set_remote("\xc0\x00\x02\x02", 4);
  proto.set_mac("\x02\x00\x00\x00\x00\x01", 6);
  proto.set_ttl(255);
  proto.set_mtu(1500);
  return proto;
}

TEST(ParseTunnelConfig, KeepsEveryField) {
  v1::TunnelConfig proto = Valid();
  proto.set_ipv6(true);
  proto.set_tunnel_id(4095);
  proto.set_remote(std::string(16, '\x20'));
  proto.set_local(std::string(16, '\x21'));
  proto.set_dscp(0);
  proto.set_inherit_df(true);
  proto.set_keepalive_interval_s(10);
  proto.set_keepalive_retries(9);
  proto.set_clamp_tcp_mss(true);
  proto.set_fwmark(0xffffffff);
  proto.set_underlay_ifindex(7);
  proto.set_no_offload(true);
  proto.set_disabled(true);
  const auto config = ParseTunnelConfig(proto);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(MakeTunnelConfigProto(*config).SerializeAsString(),
            proto.SerializeAsString());
}

TEST(ParseTunnelConfig, NamesTheBadFieldItsValueAndWhatIsAllowed) {
  const std::string name_rule =
      ": must be a link name of 1..15 printable characters without space, '/', "
      "':' or '%'";
  const std::vector<
      std::pair<std::string, std::function<void(v1::TunnelConfig*)>>>
      cases = {
          {"config.name: \"\"" + name_rule, [](auto* c) { c->set_name(""); }},
          {"config.name: \"a b\"" + name_rule,
           [](auto* c) { c->set_name("a b"); }},
          {"config.name: \"tap%d\"" + name_rule,
           [](auto* c) { c->set_name("tap%d"); }},
          {"config.name: \"..\"" + name_rule,
           [](auto* c) { c->set_name(".."); }},
          {"config.name: \"sixteen-letters-\"" + name_rule,
           [](auto* c) { c->set_name("sixteen-letters-"); }},
          {"config.tunnel_id: 65536: must be 0..65535",
           [](auto* c) { c->set_tunnel_id(65536); }},
          {"config.tunnel_id: 4096: must be 0..4095",
           [](auto* c) {
             c->set_ipv6(true);
             c->set_tunnel_id(4096);
           }},
          {"config.ttl: 0: must be 1..255", [](auto* c) { c->set_ttl(0); }},
          {"config.ttl: 256: must be 1..255", [](auto* c) { c->set_ttl(256); }},
          {"config.dscp: 64: must be 0..63", [](auto* c) { c->set_dscp(64); }},
          {"config.keepalive_interval_s: 86401: must be 0..86400",
           [](auto* c) { c->set_keepalive_interval_s(86401); }},
          {"config.keepalive_retries: 256: must be 0..255",
           [](auto* c) { c->set_keepalive_retries(256); }},
          {"config.mtu: 67: must be 68..65521",
           [](auto* c) { c->set_mtu(67); }},
          {"config.mtu: 65522: must be 68..65521",
           [](auto* c) { c->set_mtu(65522); }},
          {"config.underlay_ifindex: 2147483648: must be 0..2147483647",
           [](auto* c) { c->set_underlay_ifindex(2147483648u); }},
          {"config.remote: 16 bytes: must be 4 bytes, as ipv6 is false",
           [](auto* c) { c->set_remote(std::string(16, 'a')); }},
          {"config.remote: 224.0.0.1: must be a unicast address",
           [](auto* c) { c->set_remote("\xe0\x00\x00\x01", 4); }},
          {"config.local: 0.0.0.0: must be a unicast address",
           [](auto* c) { c->set_local(std::string(4, '\0')); }},
          {"config.local: 3 bytes: must be 4 bytes, as ipv6 is false",
           [](auto* c) { c->set_local("abc"); }},
          {"config.mac: 0 bytes: must be 6 bytes",
           [](auto* c) { c->clear_mac(); }},
          {"config.mac: 010000000001: must be a unicast address other than "
           "zero",
           [](auto* c) { c->set_mac("\x01\x00\x00\x00\x00\x01", 6); }},
      };
  for (const auto& [message, spoil] : cases) {
    v1::TunnelConfig proto = Valid();
    spoil(&proto);
    const auto config = ParseTunnelConfig(proto);
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(config.status().message(), message);
  }
}

TEST(SameKey, IsFamilyIdRemoteAndLocal) {
  const TunnelConfig a = *ParseTunnelConfig(Valid());
  TunnelConfig b = a;
  b.name = "other";
  b.mtu = 1400;
  EXPECT_TRUE(SameKey(a, b));
  b.has_local = true;
  b.local = {192, 0, 2, 1};
  EXPECT_FALSE(SameKey(a, b));
  b = a;
  b.tunnel_id = 1;
  EXPECT_FALSE(SameKey(a, b));
}

}  // namespace
}  // namespace eoip::tapd
