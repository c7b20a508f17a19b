// SPDX-License-Identifier: Apache-2.0
#include "result.h"

#include <gtest/gtest.h>

#include "cni_error.h"

namespace eoip::cni {
namespace {

Result Sample() {
  Result result;
  Interface& pod = result.interfaces.emplace_back();
  pod.name = "eth0";
  pod.mac = "02:00:00:00:00:01";
  pod.mtu = 1458;
  pod.sandbox = "/run/netns/x";
  Ip& ip = result.ips.emplace_back();
  ip.interface = 0;
  ip.address = "2001:db8::5/64";
  Route& route = result.routes.emplace_back();
  route.dst = "0.0.0.0/0";
  route.mtu = 1400;
  route.table = 0;
  return result;
}

TEST(ResultTest, NewestVersionHasEverything) {
  EXPECT_EQ(
      PrintResult(Sample(), "1.1.0"),
      R"({"cniVersion":"1.1.0","interfaces":[{"name":"eth0",)"
      R"("mac":"02:00:00:00:00:01","mtu":1458,"sandbox":"/run/netns/x"}],)"
      R"("ips":[{"interface":0,"address":"2001:db8::5/64"}],)"
      R"("routes":[{"dst":"0.0.0.0/0","mtu":1400,"table":0}],"dns":{}})");
}

TEST(ResultTest, OlderVersionsDropWhatTheyDoNotHave) {
  EXPECT_EQ(PrintResult(Sample(), "1.0.0"),
            R"({"cniVersion":"1.0.0","interfaces":[{"name":"eth0",)"
            R"("mac":"02:00:00:00:00:01","sandbox":"/run/netns/x"}],)"
            R"("ips":[{"interface":0,"address":"2001:db8::5/64"}],)"
            R"("routes":[{"dst":"0.0.0.0/0"}],"dns":{}})");
}

TEST(ResultTest, AddressesHaveAFamilyBeforeOneZero) {
  for (const char* version : {"0.3.0", "0.3.1", "0.4.0"}) {
    const std::string json = PrintResult(Sample(), version);
    EXPECT_NE(json.find(R"("ips":[{"version":"6","interface":0)"),
              std::string::npos)
        << json;
  }
}

TEST(ResultTest, ErrorsCarryCodeTextAndDetails) {
  EXPECT_EQ(PrintError(CniError(CniCode::kNetns, "a \"b\"", "c"), "0.4.0"),
            R"({"cniVersion":"0.4.0","code":8,"msg":"a \"b\"","details":"c"})");
  EXPECT_EQ(PrintError(absl::InternalError("x"), ""),
            R"({"cniVersion":"1.1.0","code":100,"msg":"x"})");
}

TEST(CniErrorTest, ContextAndJoinKeepTheFirstCode) {
  const absl::Status first = CniError(CniCode::kNetns, "a", "d");
  const absl::Status second = CniError(CniCode::kConfig, "b");
  EXPECT_EQ(CniCodeOf(Join(first, second)), 8u);
  EXPECT_EQ(Join(first, second).message(), "a; b");
  EXPECT_EQ(CniDetailsOf(WithContext(first, "c")), "d");
  EXPECT_EQ(CniCodeOf(Join(absl::OkStatus(), second)), 7u);
  EXPECT_TRUE(WithContext(absl::OkStatus(), "c").ok());
}

TEST(ResultTest, PrevResultMayBeAbsentOrNull) {
  EXPECT_TRUE(ParsePrevResult(Json())->interfaces.empty());
  EXPECT_EQ(CniCodeOf(ParsePrevResult("x").status()), 6u);
}

TEST(ResultTest, ReadsWhatItPrints) {
  const std::string text = PrintResult(Sample(), "1.1.0");
  const auto result = ParsePrevResult(*ParseJson("test", text));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(PrintResult(*result, "1.1.0"), text);
}

TEST(ResultTest, ErrorsSayWhichValue) {
  const auto json =
      ParseJson("test", R"({"routes":[{"dst":"0.0.0.0/0"},{"mtu":-1}]})");
  EXPECT_EQ(ParsePrevResult(*json).status().message(),
            "prevResult: routes[1].mtu: -1: must be a number 0 to 4294967295");
}

}  // namespace
}  // namespace eoip::cni
