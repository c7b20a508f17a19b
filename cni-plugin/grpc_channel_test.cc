// SPDX-License-Identifier: Apache-2.0
//
// The channel against gRPC's own server.
#include "grpc_channel.h"

#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip::cni {
namespace {

using ::testing::HasSubstr;

constexpr char kEcho[] = "/test.Service/Echo";

grpc::ByteBuffer ToBuffer(const std::string& bytes) {
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToBytes(const grpc::ByteBuffer& buffer) {
  grpc::Slice slice;
  EXPECT_TRUE(buffer.DumpToSingleSlice(&slice).ok());
  return {reinterpret_cast<const char*>(slice.begin()), slice.size()};
}

// Echoes any message, but for "hang" and "refuse".
class Echo : public grpc::CallbackGenericService {
 public:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override {
    return new Reactor(this, context);
  }

  std::string trace_;
  absl::Duration left_;

 private:
  class Reactor : public grpc::ServerGenericBidiReactor {
   public:
    Reactor(Echo* echo, grpc::GenericCallbackServerContext* context)
        : echo_(echo), context_(context) {
      StartRead(&request_);
    }
    void OnReadDone(bool ok) override {
      const std::string text = ok ? ToBytes(request_) : "refuse";
      const auto& metadata = context_->client_metadata();
      const auto trace = metadata.find("traceparent");
      if (trace != metadata.end()) {
        echo_->trace_ = std::string(trace->second.data(), trace->second.size());
      }
      echo_->left_ = absl::FromChrono(context_->deadline()) - absl::Now();
      if (context_->method() != kEcho) {
        Finish({grpc::StatusCode::UNIMPLEMENTED, "what?"});
      } else if (text == "refuse") {
        Finish({grpc::StatusCode::NOT_FOUND, "name: 'a%b\nä': not there"});
      } else if (text != "hang") {
        answer_ = ToBuffer(text);
        StartWriteAndFinish(&answer_, {}, grpc::Status::OK);
      }
    }
    void OnCancel() override { Finish(grpc::Status::CANCELLED); }
    void OnDone() override { delete this; }

   private:
    Echo* const echo_;
    grpc::GenericCallbackServerContext* const context_;
    grpc::ByteBuffer request_;
    grpc::ByteBuffer answer_;
  };
};

class GrpcChannelTest : public testing::Test {
 protected:
  GrpcChannelTest() {
    char pattern[] = "/tmp/eoip-channel-XXXXXX";
    folder_ = ::mkdtemp(pattern);
    path_ = folder_ + "/sock";
  }
  ~GrpcChannelTest() override {
    Stop();
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    // A service belongs to one server.
    echo_ = std::make_unique<Echo>();
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path_,
                             grpc::InsecureServerCredentials());
    builder.RegisterCallbackGenericService(echo_.get());
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(absl::ToChronoTime(absl::Now()));
    server_.reset();
  }

  static absl::StatusOr<std::string> Call(
      GrpcChannel& channel, const std::string& text,
      absl::Duration timeout = absl::Seconds(10),
      const GrpcChannel::Metadata& metadata = {}) {
    return channel.Call(kEcho, text, metadata, absl::Now() + timeout);
  }

  std::string folder_;
  std::string path_;
  std::unique_ptr<Echo> echo_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(GrpcChannelTest, AnswersOneCallAfterTheOther) {
  Start();
  GrpcChannel channel(path_);
  for (const char* text : {"a", "b", ""}) {
    const auto answer = Call(channel, text);
    ASSERT_TRUE(answer.ok()) << answer.status();
    EXPECT_EQ(*answer, text);
  }
}

TEST_F(GrpcChannelTest, CarriesMoreThanAWindowBothWays) {
  Start();
  GrpcChannel channel(path_);
  const std::string large(1'000'000, 'x');
  const auto answer = Call(channel, large);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, large);
}

TEST_F(GrpcChannelTest, HandsOverMetadataAndDeadline) {
  Start();
  GrpcChannel channel(path_);
  ASSERT_TRUE(
      Call(channel, "a", absl::Seconds(100), {{"traceparent", "00-1-2-3"}})
          .ok());
  EXPECT_EQ(echo_->trace_, "00-1-2-3");
  EXPECT_LE(echo_->left_, absl::Seconds(101));
  EXPECT_GT(echo_->left_, absl::Seconds(50));
}

TEST_F(GrpcChannelTest, ServersErrorKeepsItsTextAndTheConnection) {
  Start();
  GrpcChannel channel(path_);
  const auto refused = Call(channel, "refuse");
  EXPECT_EQ(refused.status(), absl::NotFoundError("name: 'a%b\nä': not there"));
  EXPECT_TRUE(Call(channel, "a").ok());
}

TEST_F(GrpcChannelTest, UnknownMethodIsUnimplemented) {
  Start();
  GrpcChannel channel(path_);
  EXPECT_TRUE(absl::IsUnimplemented(channel
                                        .Call("/test.Service/Nothing", "", {},
                                              absl::Now() + absl::Seconds(10))
                                        .status()));
}

TEST_F(GrpcChannelTest, DeadlineEndsACallThatHangs) {
  Start();
  GrpcChannel channel(path_);
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      Call(channel, "hang", absl::Milliseconds(50)).status()));
}

TEST_F(GrpcChannelTest, NobodyThereIsUnavailableAndNamed) {
  GrpcChannel channel(path_);
  const absl::Status status = Call(channel, "a").status();
  EXPECT_TRUE(absl::IsUnavailable(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
}

TEST_F(GrpcChannelTest, AServerThatDiesIsUnavailableAndTheNextOneIsUsed) {
  Start();
  GrpcChannel channel(path_);
  ASSERT_TRUE(Call(channel, "a").ok());
  Stop();
  EXPECT_TRUE(absl::IsUnavailable(Call(channel, "a").status()));
  Start();
  EXPECT_TRUE(Call(channel, "a").ok());
}

// A listener that accepts, says `text` and hangs up.
void Say(int listener, const std::string& text) {
  const int fd = ::accept(listener, nullptr, nullptr);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(text.size()));
  ::shutdown(fd, SHUT_WR);
  char buffer[4096];
  while (::read(fd, buffer, sizeof(buffer)) > 0) {
  }
  ::close(fd);
}

TEST_F(GrpcChannelTest, WhatIsNoHttp2IsAnError) {
  const int listener = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path, path_.data(), path_.size());
  ASSERT_EQ(
      ::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
      0);
  ASSERT_EQ(::listen(listener, 8), 0);
  for (const std::string& text :
       {std::string("HTTP/1.1 400 Bad Request\r\n\r\n"), std::string(),
        std::string(100, '\0')}) {
    std::thread peer([&] { Say(listener, text); });
    {
      GrpcChannel channel(path_);
      EXPECT_FALSE(Call(channel, "a").ok());
    }
    peer.join();
  }
  ::close(listener);
}

TEST(DecodePercentTest, DecodesEscapesAndLeavesTheRest) {
  EXPECT_EQ(DecodePercent("a%20b%25%C3%A4"), "a b%\xC3\xA4");
  EXPECT_EQ(DecodePercent("%"), "%");
  EXPECT_EQ(DecodePercent("%2"), "%2");
  EXPECT_EQ(DecodePercent("100%zz%41"), "100%zzA");
  EXPECT_EQ(DecodePercent(""), "");
}

TEST(GrpcTimeoutTest, HasAtMostEightDigitsAndRoundsUp) {
  EXPECT_EQ(GrpcTimeout(absl::Milliseconds(800)), "800m");
  EXPECT_EQ(GrpcTimeout(absl::Microseconds(1)), "1m");
  EXPECT_EQ(GrpcTimeout(-absl::Seconds(1)), "0m");
  EXPECT_EQ(GrpcTimeout(absl::Hours(1000)), "3600000S");
  EXPECT_EQ(GrpcTimeout(absl::InfiniteDuration()), "99999999S");
}

}  // namespace
}  // namespace eoip::cni
