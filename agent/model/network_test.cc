// SPDX-License-Identifier: Apache-2.0
#include "model/network.h"

#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::StartsWith;

NetworkSpec Lan() {
  NetworkSpec spec;
  spec.id = "lan";
  spec.ports.push_back(PortSpec{.tunnel = "eoip1"});
  spec.ports.push_back(PortSpec{.link = "eth1", .isolated = true});
  return spec;
}

struct BadCase {
  const char* path;
  std::function<void(NetworkSpec&)> change;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

TEST(ValidateNetwork, AcceptsPortsAndBoundaries) {
  EXPECT_TRUE(ValidateNetwork(Lan()).ok()) << ValidateNetwork(Lan());
  NetworkSpec spec = Lan();
  spec.mtu = 68;
  spec.stp = spec.multicast_snooping = true;
  spec.mac = *MacAddress::Parse("02:00:00:00:00:01");
  spec.comment = std::string(255, 'x');
  spec.ports.clear();
  for (size_t i = 0; i < kMaxPorts; ++i) {
    spec.ports.push_back(PortSpec{.tunnel = absl::StrCat("t", i)});
  }
  EXPECT_TRUE(ValidateNetwork(spec).ok()) << ValidateNetwork(spec);
  spec.ports.push_back(PortSpec{.tunnel = "onemore"});
  EXPECT_EQ(ValidateNetwork(spec).message(),
            "network.ports: '1024': at most 1023 ports");
}

TEST(ValidateNetwork, NamesThePathOfEveryBadField) {
  const std::vector<BadCase> cases = {
      {"network.name", [](auto& s) { s.id = "no such/name"; }},
      {"network.ports[1]", [](auto& s) { s.ports[1].link = ""; }},
      {"network.ports[1]", [](auto& s) { s.ports[1].tunnel = "x"; }},
      {"network.ports[0].tunnel", [](auto& s) { s.ports[0].tunnel = "a b"; }},
      {"network.ports[1].link", [](auto& s) { s.ports[1].link = "lo"; }},
      {"network.ports[1].link", [](auto& s) { s.ports[1].link = "lan"; }},
      {"network.ports[1].link", [](auto& s) { s.ports[1].link = "eoip1"; }},
      {"network.ports[0].pvid", [](auto& s) { s.ports[0].pvid = 4095; }},
      {"network.ports[0].pvid", [](auto& s) { s.ports[0].pvid = 1; }},
      {"network.ports[0].pvid",
       [](auto& s) {
         s.vlan_filtering = true;
         s.ports[0].pvid = 7;
         s.ports[0].tagged = {{5, 9}};
       }},
      {"network.ports[0].tagged[0].first",
       [](auto& s) {
         s.ports[0].tagged = {{0, 5}};
       }},
      {"network.ports[0].tagged[0].last",
       [](auto& s) {
         s.ports[0].tagged = {{5, 4}};
       }},
      {"network.ports[0].tagged[0].last",
       [](auto& s) {
         s.ports[0].tagged = {{5, 4095}};
       }},
      {"network.ports[0].tagged[1].first",
       [](auto& s) {
         s.ports[0].tagged = {{5, 9}, {9, 10}};
       }},
      {"network.ports[0].tagged",
       [](auto& s) {
         s.ports[0].tagged = {{1, 4094}};
       }},
      {"network.mtu", [](auto& s) { s.mtu = 67; }},
      {"network.mtu", [](auto& s) { s.mtu = 65522; }},
      {"network.mac",
       [](auto& s) { s.mac = *MacAddress::Parse("01:00:00:00:00:01"); }},
      {"network.comment", [](auto& s) { s.comment = "\x1b"; }},
      {"network.released_links[0]",
       [](auto& s) { s.released_links = {"a/b"}; }},
      {"network.released_links",
       [](auto& s) { s.released_links.assign(1024, "eth0"); }},
  };
  for (const BadCase& bad : cases) {
    NetworkSpec spec = Lan();
    bad.change(spec);
    const absl::Status status = ValidateNetwork(spec);
    EXPECT_EQ(status.code(), bad.code) << bad.path << ": " << status;
    EXPECT_THAT(std::string(status.message()),
                StartsWith(std::string(bad.path) + ": '"));
  }
}

TEST(ValidateNetworkUpdate, OnlyTheNameIsImmutable) {
  NetworkSpec to = Lan();
  to.ports.clear();
  to.stp = true;
  EXPECT_TRUE(ValidateNetworkUpdate(Lan(), to).ok());
  to.id = "wan";
  EXPECT_THAT(std::string(ValidateNetworkUpdate(Lan(), to).message()),
              StartsWith("network.name: 'networks/wan': immutable"));
}

TEST(ToString, NamesNetworkStates) {
  EXPECT_EQ(ToString(NetworkState::kPending), "PENDING");
  EXPECT_EQ(ToString(NetworkState::kActive), "ACTIVE");
  EXPECT_EQ(ToString(NetworkState::kDegraded), "DEGRADED");
  EXPECT_EQ(ToString(NetworkState::kFailed), "FAILED");
  EXPECT_EQ(ToString(NetworkState::kDeleting), "DELETING");
}

}  // namespace
}  // namespace eoip
