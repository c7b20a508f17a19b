// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "cni_error.h"

namespace eoip::cni {
namespace {

using Variables = std::map<std::string, std::string>;

absl::StatusOr<Request> ParseEnv(const std::string& command,
                                 Variables variables) {
  return ParseEnvironment(command, [variables](const std::string& name) {
    auto it = variables.find(name);
    return it == variables.end() ? "" : it->second;
  });
}

Request Good(const std::string& command) {
  return *ParseEnv(command, {{"CNI_CONTAINERID", "c1"},
                             {"CNI_NETNS", "/n"},
                             {"CNI_IFNAME", "eth0"},
                             {"CNI_PATH", "/p"}});
}

uint32_t InputCode(const std::string& command, const std::string& json) {
  Request request = Good(command);
  const absl::Status status = ParseInput(json, request);
  return status.ok() ? 0 : CniCodeOf(status);
}

TEST(RequestTest, ReadsArgs) {
  const Request request = *ParseEnv("DEL", {{"CNI_CONTAINERID", "c1"},
                                            {"CNI_IFNAME", "eth0"},
                                            {"CNI_PATH", "/p"},
                                            {"CNI_ARGS", "A=b=c;;D="}});
  EXPECT_EQ(request.Arg("A"), "b=c");
  EXPECT_EQ(request.Arg("D"), "");
  EXPECT_EQ(request.Arg("E"), "");
}

TEST(RequestTest, DelForgivesMalformedArgs) {
  EXPECT_TRUE(ParseEnv("DEL", {{"CNI_CONTAINERID", "c1"},
                               {"CNI_IFNAME", "eth0"},
                               {"CNI_PATH", "/p"},
                               {"CNI_ARGS", "nonsense"}})
                  .ok());
}

TEST(RequestTest, DelForgivesFieldsThatAddRefuses) {
  for (const char* field : {R"("network":7)", R"("agentSocket":"x")",
                            R"("mtu":"x")", R"("prevResult":"x")"}) {
    const std::string json =
        absl::StrCat(R"({"cniVersion":"1.0.0","name":"n",)", field, "}");
    EXPECT_EQ(InputCode("DEL", json), 0u) << json;
  }
}

TEST(RequestTest, KeepsTheInputByteForByte) {
  const std::string json =
      " {\"cniVersion\":\"1.1.0\",\n\"name\":\"n\",\"network\":\"lan\"}\n ";
  Request request = Good("ADD");
  ASSERT_TRUE(ParseInput(json, request).ok());
  EXPECT_EQ(request.stdin_data, json);
  EXPECT_EQ(request.version, "1.1.0");
  EXPECT_EQ(request.agent_socket, "/run/eoip/agent.sock");
}

TEST(RequestTest, EmptyIpamMeansNone) {
  for (const char* ipam : {"null", "{}"}) {
    EXPECT_EQ(InputCode("ADD", absl::StrCat(R"({"cniVersion":"1.0.0","name":)",
                                            R"("n","network":"l","ipam":)",
                                            ipam, "}")),
              0u);
  }
}

TEST(RequestTest, ReadsBothKeysOfGc) {
  Request request = Good("GC");
  ASSERT_TRUE(ParseInput(R"({"cniVersion":"1.1.0","name":"n",
      "cni.dev/valid-attachments":[],"cni.dev/attachments":[{}]})",
                         request)
                  .ok());
  EXPECT_TRUE(At(request.conf, {"cni.dev/valid-attachments"}).is_array());
  EXPECT_EQ(At(request.conf, {"cni.dev/attachments"}).size(), 1u);
}

}  // namespace
}  // namespace eoip::cni
