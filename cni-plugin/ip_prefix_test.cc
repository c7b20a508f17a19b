// SPDX-License-Identifier: Apache-2.0
#include "ip_prefix.h"

#include <gtest/gtest.h>

#include "addressing.h"

namespace eoip::cni {
namespace {

std::string Print(const IpPrefix& prefix) {
  return prefix.address.ToString() + "/" + std::to_string(prefix.length);
}

TEST(IpPrefixTest, ParsesBothFamilies) {
  EXPECT_EQ(Print(*ParsePrefix("192.0.2.7/24")), "192.0.2.7/24");
  EXPECT_EQ(Print(*ParsePrefix("192.0.2.7")), "192.0.2.7/32");
  EXPECT_EQ(Print(*ParsePrefix("2001:DB8::1/64")), "2001:db8::1/64");
  EXPECT_EQ(Print(*ParsePrefix("::/0")), "::/0");
}

TEST(IpPrefixTest, RefusesOthers) {
  for (const char* text :
       {"", "/", "192.0.2.7/", "192.0.2.7/33", "192.0.2/24", "2001:db8::1/129",
        "192.0.2.7/-1", "192.0.2.7/2/3", "192.0.2.7/a", "a/24"}) {
    EXPECT_FALSE(ParsePrefix(text).ok()) << text;
  }
}

TEST(IpPrefixTest, NetworkHasNoHostBits) {
  EXPECT_EQ(Print(NetworkOf(*ParsePrefix("192.0.2.255/25"))), "192.0.2.128/25");
  EXPECT_EQ(Print(NetworkOf(*ParsePrefix("192.0.2.255/0"))), "0.0.0.0/0");
  EXPECT_EQ(Print(NetworkOf(*ParsePrefix("192.0.2.255/32"))), "192.0.2.255/32");
  EXPECT_EQ(Print(NetworkOf(*ParsePrefix("2001:db8::ffff/113"))),
            "2001:db8::8000/113");
}

TEST(AddressingTest, LinkLocalIsMadeFromTheMac) {
  EXPECT_EQ(Print(LinkLocalOf(*MacAddress::Parse("02:00:5e:10:00:01"))),
            "fe80::5eff:fe10:1/64");
}

Route MakeRoute(const std::string& dst, const std::string& gw = "") {
  Route route;
  route.dst = dst;
  route.gw = gw;
  return route;
}

TEST(AddressingTest, RouteTakesTheGatewayOfItsFamily) {
  std::vector<Ip> ips(2);
  ips[0].gateway = "2001:db8::1";
  ips[1].gateway = "192.0.2.1";
  EXPECT_EQ(ParseRoute(MakeRoute("0.0.0.0/0"), ips)->ToString(),
            "0.0.0.0/0 via 192.0.2.1");
  EXPECT_EQ(ParseRoute(MakeRoute("10.1.2.3/8", "192.0.2.9"), ips)->ToString(),
            "10.0.0.0/8 via 192.0.2.9");
  Route on_link = MakeRoute("10.0.0.0/8");
  on_link.scope = 253;
  EXPECT_EQ(ParseRoute(on_link, ips)->ToString(), "10.0.0.0/8");
}

TEST(AddressingTest, RefusesMalformedRoutes) {
  const std::vector<Ip> none;
  EXPECT_FALSE(ParseRoute(MakeRoute(""), none).ok());
  EXPECT_FALSE(ParseRoute(MakeRoute("10.0.0.0/8", "x"), none).ok());
  EXPECT_FALSE(ParseRoute(MakeRoute("10.0.0.0/8", "2001:db8::1"), none).ok());
  Route scope = MakeRoute("10.0.0.0/8");
  scope.scope = 256;
  EXPECT_FALSE(ParseRoute(scope, none).ok());
}

}  // namespace
}  // namespace eoip::cni
