// SPDX-License-Identifier: Apache-2.0
#include "net_conf.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "cni_error.h"

namespace eoip::cni {
namespace {

absl::StatusOr<Config> Parse(const std::string& json,
                             const std::string& args = "",
                             const std::string& ipam = "") {
  Request request;
  request.container_id = "c1";
  request.ifname = "eth0";
  request.conf = *ParseJson("test", json);
  request.ipam_type = ipam;
  if (!args.empty()) {
    const size_t equals = args.find('=');
    request.args[args.substr(0, equals)] = args.substr(equals + 1);
  }
  return ParseConfig(request);
}

TEST(HostLinkNameTest, IsALinkNameOfItsOwn) {
  std::set<std::string> names;
  for (int i = 0; i < 10000; ++i) {
    const std::string name = HostLinkName(absl::StrCat("c", i), "eth0");
    EXPECT_EQ(name.size(), 15u);
    EXPECT_EQ(name.substr(0, 2), "eo");
    names.insert(name);
  }
  EXPECT_EQ(names.size(), 10000u);
  EXPECT_NE(HostLinkName("a", "bc"), HostLinkName("ab", "c"));
}

// DEL of a newer plugin must find the links of an older one's ADD.
TEST(HostLinkNameTest, NeverChanges) {
  EXPECT_EQ(HostLinkName("c1", "eth0"), "eoh7qisubanlokd");
  EXPECT_EQ(DerivedMac("c1", "eth0").ToString(), "72:6a:d3:12:2b:37");
}

TEST(ParseConfigTest, DefaultsAreZero) {
  const Config config = *Parse("{}");
  EXPECT_EQ(config.mtu, 0u);
  EXPECT_EQ(config.vlan, 0u);
  EXPECT_EQ(config.mac, DerivedMac("c1", "eth0"));
  EXPECT_TRUE(config.mac.IsUnicast());
  EXPECT_FALSE(config.isolated || config.hairpin || config.promisc);
}

TEST(ParseConfigTest, MacOfTheRuntimeComesFirst) {
  const std::string conf = R"("mac":"02:00:00:00:00:01")";
  const std::string args = R"(,"args":{"cni":{"mac":"02:00:00:00:00:03"}})";
  const std::string runtime = R"(,"runtimeConfig":{"mac":"02:00:00:00:00:04"})";
  const std::string env = "MAC=02:00:00:00:00:02";
  auto mac = [](const absl::StatusOr<Config>& config) {
    return config->mac.ToString();
  };
  EXPECT_EQ(mac(Parse("{" + conf + "}")), "02:00:00:00:00:01");
  EXPECT_EQ(mac(Parse("{" + conf + "}", env)), "02:00:00:00:00:02");
  EXPECT_EQ(mac(Parse("{" + conf + args + "}", env)), "02:00:00:00:00:03");
  EXPECT_EQ(mac(Parse("{" + conf + args + runtime + "}", env)),
            "02:00:00:00:00:04");
}

Request DhcpRequest(const std::string& json,
                    const std::map<std::string, std::string>& args) {
  Request request;
  request.name = "site-a";
  request.container_id = "c1";
  request.ifname = "eth0";
  request.conf = *ParseJson("test", json);
  request.args = args;
  return request;
}

TEST(ParseDhcpTest, ThePodsNameMakesTheClientId) {
  const auto pod =
      ParseConfig(DhcpRequest(R"({"dhcp":true})", {{"K8S_POD_NAMESPACE", "db"},
                                                   {"K8S_POD_NAME", "pg-0"}}));
  ASSERT_TRUE(pod.ok()) << pod.status();
  EXPECT_EQ(pod->dhcp->client_id, std::string("\0site-a/db/pg-0/eth0", 20));
  EXPECT_EQ(pod->dhcp->hostname, "pg-0");
  const auto nameless = ParseConfig(DhcpRequest(R"({"dhcp":{}})", {}));
  EXPECT_EQ(nameless->dhcp->client_id, std::string("\0site-a/c1/eth0", 15));
  EXPECT_EQ(nameless->dhcp->hostname, "");
}

TEST(ParseDhcpTest, LongNamesStayDifferentAndFit) {
  const auto id = [](const std::string& pod) {
    return ParseConfig(
               DhcpRequest(R"({"dhcp":true})",
                           {{"K8S_POD_NAMESPACE", "n"}, {"K8S_POD_NAME", pod}}))
        ->dhcp->client_id;
  };
  const std::string long_name(253, 'a');
  EXPECT_EQ(id(long_name + "1").size(), 255u);
  EXPECT_NE(id(long_name + "1"), id(long_name + "2"));
  EXPECT_EQ(id(long_name + "1"), id(long_name + "1"));
}

TEST(ParseDhcpTest, ConfiguredIdsAreTextOrBytes) {
  const auto id = [](const std::string& text) {
    return ParseConfig(
               DhcpRequest("{\"dhcp\":{\"clientId\":\"" + text + "\"}}", {}))
        ->dhcp->client_id;
  };
  EXPECT_EQ(id("printer"), std::string("\0printer", 8));
  EXPECT_EQ(id("01:0A:ff"), std::string("\x01\x0a\xff", 3));
  EXPECT_EQ(id("01:0g"), std::string("\0"
                                     "01:0g",
                                     6));
  EXPECT_EQ(id("7"), std::string("\0"
                                 "7",
                                 2));
}

TEST(ParseDhcpTest, OffMeansNone) {
  for (const char* json : {"{}", R"({"dhcp":false})", R"({"dhcp":null})"}) {
    EXPECT_FALSE(ParseConfig(DhcpRequest(json, {}))->dhcp) << json;
  }
}

TEST(ParseConfigTest, ReadsVlans) {
  const Config config =
      *Parse(R"({"vlan":7,"vlanTrunk":[{"id":5},{"minID":10,"maxID":20}]})");
  EXPECT_EQ(config.vlan, 7u);
  ASSERT_EQ(config.trunk.size(), 2u);
  EXPECT_EQ(config.trunk[0].first, 5u);
  EXPECT_EQ(config.trunk[0].last, 5u);
  EXPECT_EQ(config.trunk[1].last, 20u);
}

TEST(ParseConfigTest, AddressesAreForIpamWhenThereIsOne) {
  const std::string json = R"({"runtimeConfig":{"ips":["10.0.0.1/24"]}})";
  EXPECT_EQ(Parse(json)->ips.size(), 1u);
  EXPECT_TRUE(Parse(json, "", "host-local")->ips.empty());
  EXPECT_EQ(Parse("{}", "IP=10.0.0.1/24,2001:db8::1/64")->ips.size(), 2u);
  EXPECT_FALSE(Parse("{}", "IP=10.0.0.1").ok());
  EXPECT_TRUE(Parse("{}", "IP=10.0.0.1", "static").ok());
}

TEST(ParseConfigTest, RuntimeKeysOfOthersAreTolerated) {
  const auto config = Parse(
      R"({"runtimeConfig":{"aliases":{"net":["a"]},"bandwidth":{"ingressRate":1},
          "deviceID":"0000:00:1f.6","infinibandGUID":"x","ipRanges":[]}})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->warnings.size(), 3u);
}

TEST(ParseConfigTest, ErrorsNameFieldValueAndWhatIsAllowed) {
  const auto config = Parse(R"({"mtu":67})");
  EXPECT_EQ(CniCodeOf(config.status()), 7u);
  EXPECT_EQ(config.status().message(),
            "mtu: '67': must be 0 (the network's) or 68 to 65521");
}

}  // namespace
}  // namespace eoip::cni
