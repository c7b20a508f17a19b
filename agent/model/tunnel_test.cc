// SPDX-License-Identifier: Apache-2.0
#include "model/tunnel.h"

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

IpAddress Ip(absl::string_view text) { return *IpAddress::Parse(text); }
MacAddress Mac(absl::string_view text) { return *MacAddress::Parse(text); }

TunnelSpec V4() {
  TunnelSpec spec;
  spec.id = "eoip1";
  spec.remote = Ip("192.0.2.1");
  spec.tunnel_id = 100;
  return spec;
}

TunnelSpec V6() {
  TunnelSpec spec;
  spec.id = "eoip6";
  spec.kind = TunnelKind::kEoipV6;
  spec.remote = Ip("2001:db8::1");
  spec.tunnel_id = 100;
  return spec;
}

using Change = std::function<void(TunnelSpec&)>;

TEST(ValidateTunnel, AcceptsEveryBoundary) {
  const std::vector<Change> good_v4 = {
      [](TunnelSpec&) {},
      [](TunnelSpec& s) { s.tunnel_id = 0; },
      [](TunnelSpec& s) { s.tunnel_id = 65535; },
      [](TunnelSpec& s) { s.local = Ip("192.0.2.2"); },
      [](TunnelSpec& s) { s.remote = Ip("169.254.7.7"); },
      [](TunnelSpec& s) { s.mtu = 68; },
      [](TunnelSpec& s) { s.mtu = 65521; },
      [](TunnelSpec& s) { s.ttl = 1; },
      [](TunnelSpec& s) { s.ttl = 255; },
      [](TunnelSpec& s) { s.dscp = 0; },
      [](TunnelSpec& s) { s.dscp = 63; },
      [](TunnelSpec& s) { s.inherit_df = true; },
      [](TunnelSpec& s) { s.keepalive = KeepaliveSpec{.off = true}; },
      [](TunnelSpec& s) { s.keepalive = KeepaliveSpec{.interval_s = 1}; },
      [](TunnelSpec& s) {
        s.keepalive = KeepaliveSpec{.interval_s = 3600, .retries = 255};
      },
      [](TunnelSpec& s) { s.keepalive = KeepaliveSpec{.retries = 1}; },
      [](TunnelSpec& s) { s.fwmark = 0xffffffff; },
      [](TunnelSpec& s) { s.link = "eth0"; },
      [](TunnelSpec& s) { s.vrf = "red"; },
      [](TunnelSpec& s) { s.mac = Mac("02:00:00:00:00:01"); },
      [](TunnelSpec& s) { s.datapath = DatapathType::kTap; },
      [](TunnelSpec& s) { s.allow_fast_path = false; },
      [](TunnelSpec& s) { s.comment = std::string(255, 'x'); },
  };
  for (size_t i = 0; i < good_v4.size(); ++i) {
    TunnelSpec spec = V4();
    good_v4[i](spec);
    EXPECT_TRUE(ValidateTunnel(spec).ok()) << i << ValidateTunnel(spec);
  }
  TunnelSpec v6 = V6();
  EXPECT_TRUE(ValidateTunnel(v6).ok()) << ValidateTunnel(v6);
  v6.tunnel_id = 4095;
  v6.local = Ip("2001:db8::2");
  EXPECT_TRUE(ValidateTunnel(v6).ok()) << ValidateTunnel(v6);
  v6.remote = Ip("fe80::1");
  v6.link = "eth0";
  EXPECT_TRUE(ValidateTunnel(v6).ok()) << ValidateTunnel(v6);
}

struct BadCase {
  const char* path;
  Change change;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

void ExpectRefused(const TunnelSpec& base, const std::vector<BadCase>& cases) {
  for (const BadCase& bad : cases) {
    TunnelSpec spec = base;
    bad.change(spec);
    const absl::Status status = ValidateTunnel(spec);
    EXPECT_EQ(status.code(), bad.code) << bad.path << ": " << status;
    EXPECT_THAT(std::string(status.message()),
                StartsWith(std::string(bad.path) + ": '"));
  }
}

TEST(ValidateTunnel, NamesThePathOfEveryBadFieldOfAnEoipTunnel) {
  ExpectRefused(
      V4(),
      {
          {"tunnel.name", [](auto& s) { s.id = ""; }},
          {"tunnel.name", [](auto& s) { s.id = "sixteen-chars-xx"; }},
          {"tunnel.name", [](auto& s) { s.id = "lo"; }},
          {"tunnel.local", [](auto& s) { s.local = Ip("2001:db8::2"); }},
          {"tunnel.local", [](auto& s) { s.local = Ip("0.0.0.0"); }},
          {"tunnel.local", [](auto& s) { s.local = Ip("224.0.0.1"); }},
          {"tunnel.local", [](auto& s) { s.local = Ip("127.0.0.1"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("2001:db8::1"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("0.0.0.0"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("239.1.1.1"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("127.0.0.1"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("255.255.255.255"); }},
          {"tunnel.remote", [](auto& s) { s.local = s.remote; }},
          {"tunnel.tunnel_id", [](auto& s) { s.tunnel_id.reset(); }},
          {"tunnel.tunnel_id", [](auto& s) { s.tunnel_id = 65536; }},
          {"tunnel.mtu", [](auto& s) { s.mtu = 67; }},
          {"tunnel.mtu", [](auto& s) { s.mtu = 65522; }},
          {"tunnel.ttl", [](auto& s) { s.ttl = 256; }},
          {"tunnel.dscp", [](auto& s) { s.dscp = 64; }},
          {"tunnel.keepalive.interval",
           [](auto& s) { s.keepalive = KeepaliveSpec{.interval_s = 0}; }},
          {"tunnel.keepalive.interval",
           [](auto& s) { s.keepalive = KeepaliveSpec{.interval_s = 3601}; }},
          {"tunnel.keepalive.interval",
           [](auto& s) {
             s.keepalive = KeepaliveSpec{.off = true, .interval_s = 5};
           }},
          {"tunnel.keepalive.retries",
           [](auto& s) { s.keepalive = KeepaliveSpec{.retries = 256}; }},
          {"tunnel.keepalive.retries",
           [](auto& s) {
             s.keepalive = KeepaliveSpec{.off = true, .retries = 3};
           }},
          {"tunnel.link", [](auto& s) { s.link = "no/link"; }},
          {"tunnel.link", [](auto& s) { s.link = s.id; }},
          {"tunnel.vrf", [](auto& s) { s.vrf = "-"; }},
          {"tunnel.vrf", [](auto& s) { s.vrf = s.id; }},
          {"tunnel.vrf",
           [](auto& s) {
             s.link = "eth0";
             s.vrf = "red";
           }},
          {"tunnel.mac", [](auto& s) { s.mac = Mac("01:00:5e:00:00:01"); }},
          {"tunnel.mac", [](auto& s) { s.mac = MacAddress(); }},
          {"tunnel.comment",
           [](auto& s) { s.comment = std::string(256, 'x'); }},
          {"tunnel.comment", [](auto& s) { s.comment = "two\nlines"; }},
          {"tunnel.datapath", [](auto& s) { s.datapath = DatapathType::kBpf; },
           absl::StatusCode::kUnimplemented},
          {"tunnel.kind", [](auto& s) { s.kind = TunnelKind::kIpip; },
           absl::StatusCode::kUnimplemented},
          {"tunnel.kind", [](auto& s) { s.kind = TunnelKind::kIpipV6; },
           absl::StatusCode::kUnimplemented},
      });
}

TEST(ValidateTunnel, NamesThePathOfEveryBadFieldOfAnEoipv6Tunnel) {
  ExpectRefused(
      V6(),
      {
          {"tunnel.local", [](auto& s) { s.local = Ip("192.0.2.2"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("192.0.2.2"); }},
          {"tunnel.remote", [](auto& s) { s.remote = IpAddress(); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("::ffff:192.0.2.2"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("ff02::1"); }},
          {"tunnel.remote", [](auto& s) { s.remote = Ip("::1"); }},
          {"tunnel.tunnel_id", [](auto& s) { s.tunnel_id = 4096; }},
          {"tunnel.link", [](auto& s) { s.remote = Ip("fe80::1"); }},
      });
}

TEST(ValidateTunnel, SaysWhatIsAllowed) {
  TunnelSpec spec = V6();
  spec.tunnel_id = 4096;
  EXPECT_EQ(ValidateTunnel(spec).message(),
            "tunnel.tunnel_id: '4096': 0..4095 is required for EOIPV6");
  spec = V4();
  spec.kind = TunnelKind::kIpip;
  EXPECT_EQ(ValidateTunnel(spec).message(),
            "tunnel.kind: 'IPIP': not built yet; allowed EOIP, EOIPV6");
}

TEST(ValidateTunnelUpdate, NameAndKindAreImmutable) {
  TunnelSpec to = V4();
  to.remote = Ip("192.0.2.9");
  to.datapath = DatapathType::kKernel;
  EXPECT_TRUE(ValidateTunnelUpdate(V4(), to).ok());
  to = V4();
  to.id = "other";
  EXPECT_THAT(std::string(ValidateTunnelUpdate(V4(), to).message()),
              StartsWith("tunnel.name: 'tunnels/other': immutable"));
  to = V4();
  to.kind = TunnelKind::kEoipV6;
  const absl::Status status = ValidateTunnelUpdate(V4(), to);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("tunnel.kind: 'EOIPV6': immutable, it is EOIP"));
}

TEST(ResolveTunnel, TakesRouterOsDefaults) {
  const TunnelConfig config = ResolveTunnel(V4(), "node-1", 0);
  TunnelConfig want;
  want.name = "eoip1";
  want.remote = Ip("192.0.2.1");
  want.tunnel_id = 100;
  want.mtu = 1500;
  want.ttl = 255;
  want.keepalive_interval_s = 10;
  want.keepalive_retries = 10;
  want.clamp_tcp_mss = true;
  want.gso = true;
  want.mac = MacAddress::Derive("node-1", "eoip1");
  EXPECT_EQ(config, want);
}

TEST(ResolveTunnel, KeepsEverythingThatIsSet) {
  TunnelSpec spec = V6();
  spec.local = Ip("2001:db8::2");
  spec.mtu = 1444;
  spec.ttl = 64;
  spec.dscp = 46;
  spec.inherit_df = true;
  spec.keepalive = KeepaliveSpec{.interval_s = 3, .retries = 5};
  spec.clamp_tcp_mss = false;
  spec.fwmark = 7;
  spec.mac = Mac("02:00:00:00:00:01");
  spec.allow_fast_path = false;
  spec.disabled = true;
  TunnelConfig want;
  want.name = "eoip6";
  want.kind = TunnelKind::kEoipV6;
  want.local = spec.local;
  want.remote = spec.remote;
  want.tunnel_id = 100;
  want.mtu = 1444;
  want.ttl = 64;
  want.dscp = 46;
  want.inherit_df = true;
  want.keepalive_interval_s = 3;
  want.keepalive_retries = 5;
  want.clamp_tcp_mss = false;
  want.fwmark = 7;
  want.underlay_ifindex = 12;
  want.mac = *spec.mac;
  want.gso = false;
  want.disabled = true;
  EXPECT_EQ(ResolveTunnel(spec, "node-1", 12), want);
}

TEST(ResolveTunnel, KeepaliveOffIsIntervalZero) {
  TunnelSpec spec = V4();
  spec.keepalive = KeepaliveSpec{.off = true};
  EXPECT_EQ(ResolveTunnel(spec, "n", 0).keepalive_interval_s, 0u);
  spec.keepalive = KeepaliveSpec{.retries = 3};
  EXPECT_EQ(ResolveTunnel(spec, "n", 0).keepalive_interval_s, 10u);
  EXPECT_EQ(ResolveTunnel(spec, "n", 0).keepalive_retries, 3u);
}

TEST(ToString, GivesTheNamesOfTheApi) {
  EXPECT_EQ(ToString(TunnelKind::kEoip), "EOIP");
  EXPECT_EQ(ToString(TunnelKind::kEoipV6), "EOIPV6");
  EXPECT_EQ(ToString(TunnelKind::kIpip), "IPIP");
  EXPECT_EQ(ToString(TunnelKind::kIpipV6), "IPIPV6");
  EXPECT_EQ(ToString(DatapathType::kAuto), "AUTO");
  EXPECT_EQ(ToString(DatapathType::kKernel), "KERNEL");
  EXPECT_EQ(ToString(DatapathType::kBpf), "BPF");
  EXPECT_EQ(ToString(DatapathType::kTap), "TAP");
  EXPECT_EQ(ToString(TunnelState::kPending), "PENDING");
  EXPECT_EQ(ToString(TunnelState::kActive), "ACTIVE");
  EXPECT_EQ(ToString(TunnelState::kPeerDown), "PEER_DOWN");
  EXPECT_EQ(ToString(TunnelState::kFailed), "FAILED");
  EXPECT_EQ(ToString(TunnelState::kDeleting), "DELETING");
  EXPECT_EQ(ToString(TunnelState::kDisabled), "DISABLED");
}

}  // namespace
}  // namespace eoip
