// SPDX-License-Identifier: Apache-2.0
#include "client/connection.h"

#include <cstdlib>
#include <string>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip::client {
namespace {

using ::testing::HasSubstr;

class SocketPathTest : public ::testing::Test {
 protected:
  void SetUp() override { ::unsetenv(kSocketVariable); }
  void TearDown() override { ::unsetenv(kSocketVariable); }
};

TEST_F(SocketPathTest, TakesTheFlagThenTheVariableThenTheDefault) {
  EXPECT_EQ(*SocketPath(""), "/run/eoip/agent.sock");
  ASSERT_EQ(::setenv(kSocketVariable, "/tmp/a.sock", 1), 0);
  EXPECT_EQ(*SocketPath(""), "/tmp/a.sock");
  EXPECT_EQ(*SocketPath("/tmp/b.sock"), "/tmp/b.sock");
  ASSERT_EQ(::setenv(kSocketVariable, "", 1), 0);
  EXPECT_EQ(*SocketPath(""), "/run/eoip/agent.sock");
}

TEST_F(SocketPathTest, TakesTheUnixSchemeAndRelativePaths) {
  EXPECT_EQ(*SocketPath("unix:/tmp/a.sock"), "/tmp/a.sock");
  EXPECT_EQ(*SocketPath("unix:///tmp/a.sock"), "/tmp/a.sock");
  EXPECT_EQ(*SocketPath("./a.sock"), "./a.sock");
}

TEST_F(SocketPathTest, RefusesWhatIsNoSocketPath) {
  for (const char* bad : {"tcp://192.0.2.1:50", "192.0.2.1:50", "unix:"}) {
    const auto path = SocketPath(bad);
    EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(path.status().message()), HasSubstr(bad));
  }
  EXPECT_TRUE(SocketPath("/" + std::string(106, 'a')).ok());
  EXPECT_FALSE(SocketPath("/" + std::string(107, 'a')).ok());
}

TEST(ToStatus, SaysWhyTheAgentCannotBeReached) {
  const absl::Status status =
      ToStatus(grpc::Status(grpc::StatusCode::UNAVAILABLE, "whatever"),
               "/nonexistent/agent.sock");
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(),
            "cannot reach eoip-agent at /nonexistent/agent.sock: No such file "
            "or directory");
}

TEST(ToStatus, KeepsCodeAndMessageOfTheAgent) {
  const absl::Status status = ToStatus(
      grpc::Status(grpc::StatusCode::ABORTED, "tunnel.etag: 'x'"), "/none");
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  EXPECT_EQ(status.message(), "tunnel.etag: 'x'");
  EXPECT_TRUE(ToStatus(grpc::Status::OK, "/none").ok());
}

TEST(SetDeadline, LeavesACallWithoutEndAlone) {
  grpc::ClientContext endless;
  SetDeadline(absl::InfiniteFuture(), &endless);
  EXPECT_EQ(endless.deadline(), std::chrono::system_clock::time_point::max());
  grpc::ClientContext ending;
  const absl::Time end = absl::Now() + absl::Seconds(5);
  SetDeadline(end, &ending);
  EXPECT_LT(ending.deadline(), std::chrono::system_clock::time_point::max());
}

}  // namespace
}  // namespace eoip::client
