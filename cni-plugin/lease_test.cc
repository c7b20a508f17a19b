// SPDX-License-Identifier: Apache-2.0
#include "lease.h"

#include <gtest/gtest.h>

namespace eoip::cni {
namespace {

v1::Lease MakeLease(const std::string& address) {
  v1::Lease lease;
  lease.set_address(address);
  lease.set_gateway("192.0.2.1");
  v1::LeaseRoute* route = lease.add_routes();
  route->set_destination("0.0.0.0/0");
  route->set_gateway("192.0.2.1");
  lease.add_nameservers("192.0.2.53");
  lease.set_domain("lan");
  return lease;
}

TEST(LeaseResultTest, HasAddressRoutesAndDns) {
  const auto result = LeaseResult(MakeLease("192.0.2.7/24"));
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->ips.size(), 1u);
  EXPECT_EQ(result->ips[0].address, "192.0.2.7/24");
  EXPECT_EQ(result->ips[0].gateway, "192.0.2.1");
  ASSERT_EQ(result->routes.size(), 1u);
  EXPECT_EQ(result->routes[0].dst, "0.0.0.0/0");
  EXPECT_EQ(result->routes[0].gw, "192.0.2.1");
  EXPECT_EQ(result->dns.nameservers[0], "192.0.2.53");
  EXPECT_EQ(result->dns.domain, "lan");
}

TEST(LeaseResultTest, GatewayOutsideIsReachedOnTheLinkOnce) {
  v1::Lease lease = MakeLease("192.0.2.7/32");
  *lease.add_routes() = lease.routes(0);
  lease.mutable_routes(1)->set_destination("10.0.0.0/8");
  const auto result = LeaseResult(lease);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->routes.size(), 3u);
  EXPECT_EQ(result->routes[0].dst, "192.0.2.1/32");
  EXPECT_EQ(result->routes[0].gw, "");
  EXPECT_EQ(result->routes[0].scope, 253u);
}

TEST(LeaseResultTest, RouteWithoutGatewayIsOnTheLink) {
  v1::Lease lease = MakeLease("192.0.2.7/24");
  lease.mutable_routes(0)->clear_gateway();
  const auto result = LeaseResult(lease);
  EXPECT_EQ(result->routes[0].scope, 253u);
}

TEST(LeaseResultTest, NoLeaseSaysWhy) {
  v1::Lease lease;
  lease.set_reason("expired");
  EXPECT_EQ(LeaseResult(lease).status().message(),
            "the agent has no lease: expired");
}

}  // namespace
}  // namespace eoip::cni
