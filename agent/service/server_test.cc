// SPDX-License-Identifier: Apache-2.0
#include "service/server.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "base/unique_fd.h"
#include "service/service_fixture.h"

namespace eoip {
namespace {

using ::grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ServerTest : public ServiceFixture {
 protected:
  absl::Status TryStart(const std::string& socket) {
    StatusBoard board;
    Server::Options options;
    options.socket = socket;
    return Server::Start(options, store_.get(), applier_.get(), &board)
        .status();
  }

  // grpc.health.v1.Health/Check, its two messages written by hand: field 1 of
  // the request is the service's name, field 1 of the answer the state.
  std::string Health(const std::string& service) {
    std::string request;
    if (!service.empty()) {
      request =
          std::string("\x0a") + static_cast<char>(service.size()) + service;
    }
    grpc::Slice slice(request);
    grpc::ByteBuffer in(&slice, 1), out;
    grpc::GenericStub stub(channel_);
    Context context;
    grpc::CompletionQueue queue;
    auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check",
                                      in, &queue);
    call->StartCall();
    grpc::Status status;
    call->Finish(&out, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    if (!status.ok()) return status.error_message();
    grpc::Slice answer;
    if (!out.DumpToSingleSlice(&answer).ok()) return "no answer";
    const std::string bytes(reinterpret_cast<const char*>(answer.begin()),
                            answer.size());
    if (bytes == std::string("\x08\x01")) return "SERVING";
    if (bytes == std::string("\x08\x02")) return "NOT_SERVING";
    return "other";
  }

  bool BecomesHealthy(const std::string& service) {
    const absl::Time deadline = absl::Now() + absl::Seconds(10);
    while (Health(service) != "SERVING") {
      if (absl::Now() > deadline) return false;
    }
    return true;
  }
};

TEST_F(ServerTest, TheSocketIsForOwnerAndGroup) {
  struct stat info;
  ASSERT_EQ(::stat(SocketPath().c_str(), &info), 0);
  EXPECT_TRUE(S_ISSOCK(info.st_mode));
  EXPECT_EQ(info.st_mode & 07777, 0660u);
}

TEST_F(ServerTest, LeavesALiveSocketAlone) {
  EXPECT_TRUE(absl::IsFailedPrecondition(TryStart(SocketPath())));
  v1::Tunnel tunnel;
  EXPECT_THAT(Create(MakeTunnel("a", 1)), IsOk());
}

TEST_F(ServerTest, ReplacesADeadSocket) {
  const std::string path = (root_ / "dead.sock").string();
  {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path.c_str());
    ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address),
                     sizeof(address)),
              0);
  }
  EXPECT_TRUE(TryStart(path).ok()) << TryStart(path);
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ServerTest, RefusesWhatIsNoSocketAndPathsThatCannotBe) {
  std::ofstream(root_ / "file") << "precious";
  EXPECT_TRUE(absl::IsAlreadyExists(TryStart((root_ / "file").string())));
  EXPECT_TRUE(std::filesystem::exists(root_ / "file"));
  EXPECT_TRUE(absl::IsInvalidArgument(TryStart("")));
  EXPECT_TRUE(absl::IsInvalidArgument(TryStart("/" + std::string(107, 'x'))));
  EXPECT_TRUE(absl::IsUnavailable(TryStart((root_ / "no" / "x").string())));
}

TEST_F(ServerTest, IsLiveAtOnceAndReadyWhenTheWorkerIs) {
  EXPECT_EQ(Health(""), "SERVING");
  EXPECT_EQ(Health(kReadinessService), "NOT_SERVING");
  EXPECT_EQ(Health("eoip.v1.TunnelService"), "NOT_SERVING");
  ReconcilerReport report;
  report.ready = true;
  applier_->SetReport(report);
  EXPECT_TRUE(BecomesHealthy(kReadinessService));
  EXPECT_TRUE(BecomesHealthy("eoip.v1.AgentService"));
}

TEST_F(ServerTest, ReflectionKnowsTheServices) {
  // ServerReflectionRequest{list_services: ""}: field 7, empty.
  grpc::Slice slice(std::string("\x3a\x00", 2));
  grpc::ByteBuffer in(&slice, 1), out;
  grpc::GenericStub stub(channel_);
  Context context;
  grpc::CompletionQueue queue;
  auto call = stub.PrepareCall(
      &context,
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  void* tag;
  bool ok = false;
  call->StartCall(nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  call->Write(in, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  call->Read(&out, nullptr);
  ASSERT_TRUE(queue.Next(&tag, &ok) && ok);
  grpc::Slice answer;
  ASSERT_TRUE(out.DumpToSingleSlice(&answer).ok());
  const std::string bytes(reinterpret_cast<const char*>(answer.begin()),
                          answer.size());
  for (const char* name :
       {"eoip.v1.TunnelService", "eoip.v1.NetworkService",
        "eoip.v1.AttachmentService", "eoip.v1.AgentService"}) {
    EXPECT_THAT(bytes, HasSubstr(name));
  }
  context.TryCancel();
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
}

TEST_F(ServerTest, TellsTheStateOfTheAgent) {
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  ASSERT_THAT(Create(MakeTunnel("b", 2)), IsOk());
  ASSERT_THAT(Create(MakeNetwork("lan")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0")), IsOk());
  StopAgent();
  std::filesystem::resize_file(root_ / "state" / "tunnels" / "b.json", 10);
  StartAgent();
  ReconcilerReport report;
  report.ready_reason = "the first look is not done";
  report.datapaths = {{DatapathType::kKernel, {false, "no module", {}}, 0},
                      {DatapathType::kTap, {true, "eoip-tapd 1", {}}, 5}};
  applier_->SetReport(report);
  board_->SetTunnel("a", {.state = TunnelState::kPeerDown});
  Context context;
  v1::AgentStatus status;
  ASSERT_THAT(agent_->GetAgentStatus(&context, {}, &status), IsOk());
  EXPECT_EQ(status.version(), "9.8.7");
  EXPECT_EQ(status.node(), "node-1");
  EXPECT_TRUE(status.has_start_time());
  EXPECT_FALSE(status.ready());
  EXPECT_EQ(status.ready_reason(), "the first look is not done");
  EXPECT_FALSE(status.has_last_full_sync());
  ASSERT_EQ(status.datapaths_size(), 2);
  EXPECT_EQ(status.datapaths(0).datapath(), v1::KERNEL);
  EXPECT_EQ(status.datapaths(0).reason(), "no module");
  EXPECT_TRUE(status.datapaths(1).available());
  EXPECT_EQ(status.datapaths(1).tunnels(), 5u);
  ASSERT_EQ(status.problems_size(), 1);
  EXPECT_EQ(status.problems(0).subject(), "tunnels/b");
  EXPECT_THAT(status.problems(0).message(), HasSubstr("corrupt/"));
  EXPECT_EQ(status.tunnels(), 1u);
  EXPECT_EQ(status.networks(), 1u);
  EXPECT_EQ(status.attachments(), 1u);
  EXPECT_EQ(status.tunnel_states().at("PEER_DOWN"), 1u);
}

TEST_F(ServerTest, ListsWorkersAsTheDatapathReadsThem) {
  WorkersReading reading;
  reading.since = absl::FromUnixSeconds(1'800'000'000);
  reading.workers.resize(2);
  reading.workers[1].rx = {
      .packets = 1, .bytes = 2, .batches = 3, .batch_sizes = {4, 5}};
  reading.workers[1].tx = {
      .packets = 6, .bytes = 7, .batches = 8, .batch_sizes = {9}};
  reading.workers[1].waits = 10;
  reading.workers[1].idle_polls = 11;
  reading.workers[1].drops["foreign"] = 12;
  applier_->SetWorkers(reading);
  Context context;
  v1::ListWorkersResponse list;
  ASSERT_THAT(agent_->ListWorkers(&context, {}, &list), IsOk());
  EXPECT_EQ(list.start_time().seconds(), 1'800'000'000);
  ASSERT_EQ(list.workers_size(), 2);
  EXPECT_EQ(list.workers(0).index(), 0u);
  const v1::Worker& worker = list.workers(1);
  EXPECT_EQ(worker.index(), 1u);
  EXPECT_EQ(worker.rx().packets(), 1u);
  EXPECT_EQ(worker.rx().bytes(), 2u);
  EXPECT_EQ(worker.rx().batches(), 3u);
  EXPECT_THAT(worker.rx().batch_sizes(), ElementsAre(4, 5));
  EXPECT_EQ(worker.tx().packets(), 6u);
  EXPECT_EQ(worker.tx().bytes(), 7u);
  EXPECT_EQ(worker.tx().batches(), 8u);
  EXPECT_THAT(worker.tx().batch_sizes(), ElementsAre(9));
  EXPECT_EQ(worker.waits(), 10u);
  EXPECT_EQ(worker.idle_polls(), 11u);
  EXPECT_EQ(worker.drops().at("foreign"), 12u);
}

TEST_F(ServerTest, SaysThatNoWorkersCanBeRead) {
  applier_->SetWorkers(absl::UnavailableError("eoip-tapd does not answer"));
  Context context;
  context.set_wait_for_ready(false);
  v1::ListWorkersResponse list;
  EXPECT_THAT(agent_->ListWorkers(&context, {}, &list),
              IsError(StatusCode::UNAVAILABLE, "eoip-tapd does not answer"));
}

TEST_F(ServerTest, ShutdownEndsWatchesAndRemovesTheSocket) {
  Context context;
  auto reader = tunnels_->WatchTunnels(&context, v1::WatchTunnelsRequest());
  v1::WatchTunnelsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  server_->Shutdown(absl::Now() + absl::Seconds(5));
  EXPECT_FALSE(reader->Read(&response));
  EXPECT_EQ(reader->Finish().error_code(), StatusCode::UNAVAILABLE);
  EXPECT_FALSE(std::filesystem::exists(SocketPath()));
}

TEST_F(ServerTest, ShutdownLetsARunningCallEnd) {
  absl::Notification entered, go_on;
  applier_->SetHook([&](const std::string&, absl::Time) {
    entered.Notify();
    go_on.WaitForNotification();
    return absl::OkStatus();
  });
  grpc::Status status(StatusCode::UNKNOWN, "");
  std::thread caller([&] { status = Create(MakeTunnel("a", 1)); });
  entered.WaitForNotification();
  std::thread stopper(
      [&] { server_->Shutdown(absl::Now() + absl::Seconds(10)); });
  go_on.Notify();
  stopper.join();
  caller.join();
  EXPECT_THAT(status, IsOk());
}

TEST_F(ServerTest, LogsTheTraceOfTheCaller) {
  testing::internal::CaptureStderr();
  Context context;
  context.AddMetadata(
      "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  v1::GetTunnelRequest request;
  request.set_name("tunnels/a\nb");
  v1::Tunnel response;
  EXPECT_FALSE(tunnels_->GetTunnel(&context, request, &response).ok());
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_THAT(log, HasSubstr("GetTunnel tunnels/a\\nb traceparent=00-4bf92f3577"
                             "b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n"));
}

// The cross checks and the store's change are one: of many calls that each
// fit alone, only one gets through.
TEST_F(ServerTest, ConcurrentCreatesOfOneKeyGiveOneTunnel) {
  std::vector<std::thread> threads;
  std::atomic<int> created{0}, refused{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const grpc::Status status =
          Create(MakeTunnel("t" + std::to_string(i), 1));
      if (status.ok()) ++created;
      if (status.error_code() == StatusCode::ALREADY_EXISTS) ++refused;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(created, 1);
  EXPECT_EQ(refused, 7);
}

}  // namespace
}  // namespace eoip
