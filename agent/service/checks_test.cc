// SPDX-License-Identifier: Apache-2.0
#include "service/checks.h"

#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;

class ChecksTest : public ::testing::Test {
 protected:
  TunnelSpec& AddTunnel(const std::string& id, uint32_t tunnel_id) {
    auto record = std::make_shared<TunnelRecord>();
    record->spec.id = id;
    record->spec.remote = *IpAddress::Parse("192.0.2.1");
    record->spec.tunnel_id = tunnel_id;
    state_.desired.tunnels[id] = record;
    return record->spec;
  }
  void AddNetwork(const std::string& id, const PortSpec& port) {
    auto record = std::make_shared<NetworkRecord>();
    record->spec.id = id;
    record->spec.ports = {port};
    state_.desired.networks[id] = record;
  }
  static void ExpectError(const absl::Status& status, absl::StatusCode code,
                          const std::string& text) {
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(text));
  }
  State state_;
};

TEST_F(ChecksTest, ATunnelMayReplaceItself) {
  TunnelSpec spec = AddTunnel("a", 1);
  spec.mtu = 1400;
  EXPECT_TRUE(CheckTunnel(state_, spec).ok());
  AddNetwork("lan", {.tunnel = "a"});
  EXPECT_TRUE(CheckTunnel(state_, spec).ok());
  NetworkSpec network = state_.desired.networks["lan"]->spec;
  network.mtu = 1400;
  EXPECT_TRUE(CheckNetwork(state_, network).ok());
}

TEST_F(ChecksTest, TheKeyIsKindRemoteLocalAndId) {
  TunnelSpec spec = AddTunnel("a", 1);
  spec.id = "b";
  ExpectError(CheckTunnel(state_, spec), absl::StatusCode::kAlreadyExists,
              "tunnels/a");
  TunnelSpec other = spec;
  other.tunnel_id = 2;
  EXPECT_TRUE(CheckTunnel(state_, other).ok());
  other = spec;
  other.local = *IpAddress::Parse("192.0.2.2");
  EXPECT_TRUE(CheckTunnel(state_, other).ok());
  other = spec;
  other.remote = *IpAddress::Parse("192.0.2.3");
  EXPECT_TRUE(CheckTunnel(state_, other).ok());
}

TEST_F(ChecksTest, ALayer3TunnelIsNoPort) {
  AddTunnel("l3", 1).kind = TunnelKind::kIpip;
  NetworkSpec network;
  network.id = "lan";
  network.ports = {{.tunnel = "l3"}};
  ExpectError(CheckNetwork(state_, network),
              absl::StatusCode::kFailedPrecondition, "IPIP");
  state_.desired.networks["lan"] =
      std::make_shared<NetworkRecord>(NetworkRecord{network, ""});
  TunnelSpec tunnel = state_.desired.tunnels["l3"]->spec;
  state_.desired.tunnels.clear();
  ExpectError(CheckTunnel(state_, tunnel),
              absl::StatusCode::kFailedPrecondition, "networks/lan");
}

TEST_F(ChecksTest, ALinkThatIsATunnelMustBeNamedAsOne) {
  AddTunnel("a", 1);
  NetworkSpec network;
  network.id = "lan";
  network.ports = {{.link = "a"}};
  ExpectError(CheckNetwork(state_, network),
              absl::StatusCode::kFailedPrecondition, "name it as tunnel");
}

TEST_F(ChecksTest, ANetworkIsNoPortOfAnother) {
  AddNetwork("wan", {.link = "eth0"});
  NetworkSpec network;
  network.id = "lan";
  network.ports = {{.link = "wan"}};
  ExpectError(CheckNetwork(state_, network),
              absl::StatusCode::kFailedPrecondition, "is networks/wan");
  network.ports.clear();
  network.id = "eth0";
  ExpectError(CheckNetwork(state_, network), absl::StatusCode::kAlreadyExists,
              "networks/wan");
  TunnelSpec tunnel;
  tunnel.id = "eth0";
  ExpectError(CheckTunnel(state_, tunnel), absl::StatusCode::kAlreadyExists,
              "networks/wan");
}

TEST_F(ChecksTest, ASetAsideNameIsKeptForItsKind) {
  state_.set_aside.push_back({"networks/x", "", "", absl::Now()});
  TunnelSpec tunnel;
  tunnel.id = "x";
  ExpectError(CheckTunnel(state_, tunnel), absl::StatusCode::kAlreadyExists,
              "set aside");
  NetworkSpec network;
  network.id = "x";
  EXPECT_TRUE(CheckNetwork(state_, network).ok());
}

}  // namespace
}  // namespace eoip
