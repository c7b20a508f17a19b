// SPDX-License-Identifier: Apache-2.0
//
// Asks a running eoip-agent for many tunnels and measures how long it takes.
// Prints "NAME VALUE UNIT" lines; exit code 0 only if every call did what it
// had to. Two phases, so that the caller can look at memory in between:
// --phase=create leaves the tunnels, --phase=delete lists and removes them.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "client/connection.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "eoip/v1/tunnel.grpc.pb.h"

namespace eoip {
namespace {

constexpr int kCallers = 16;
constexpr int kRounds = 5;
constexpr absl::Duration kTimeout = absl::Seconds(30);

struct Target {
  std::string path;
  std::unique_ptr<v1::TunnelService::Stub> tunnels;
  std::unique_ptr<v1::AgentService::Stub> agent;
  std::unique_ptr<grpc::GenericStub> any;
  std::string remote;
  v1::Datapath datapath;
  int count;
};

void Print(absl::string_view name, double value, absl::string_view unit) {
  std::printf("%s %.3f %s\n", std::string(name).c_str(), value,
              std::string(unit).c_str());
  std::fflush(stdout);
}

// Calls method with a context of its own; the agent's error as a status.
template <typename Call>
absl::Status Unary(const Target& target, const Call& call) {
  grpc::ClientContext context;
  client::SetDeadline(absl::Now() + kTimeout, &context);
  return client::ToStatus(call(&context), target.path);
}

std::string NameOf(int i) { return absl::StrCat("tunnels/b", i); }

absl::Status CreateTunnel(const Target& target, int i) {
  v1::CreateTunnelRequest request;
  v1::Tunnel* tunnel = request.mutable_tunnel();
  tunnel->set_name(NameOf(i));
  tunnel->set_kind(v1::EOIP);
  tunnel->set_remote(target.remote);
  tunnel->set_tunnel_id(i);
  tunnel->set_datapath(target.datapath);
  tunnel->mutable_keepalive()->set_off(true);
  v1::Tunnel made;
  EOIP_RETURN_IF_ERROR(Unary(target, [&](grpc::ClientContext* context) {
    return target.tunnels->CreateTunnel(context, request, &made);
  }));
  const v1::TunnelStatus& status = made.status();
  if (status.state() == v1::TunnelStatus::FAILED) {
    return absl::InternalError(
        absl::StrCat(made.name(), ": FAILED: ", status.reason()));
  }
  return absl::OkStatus();
}

absl::Status DeleteTunnel(const Target& target, int i) {
  v1::DeleteTunnelRequest request;
  request.set_name(NameOf(i));
  google::protobuf::Empty nothing;
  return Unary(target, [&](grpc::ClientContext* context) {
    return target.tunnels->DeleteTunnel(context, request, &nothing);
  });
}

absl::Status GetTunnel(const Target& target, int i) {
  v1::GetTunnelRequest request;
  request.set_name(NameOf(i));
  v1::Tunnel tunnel;
  return Unary(target, [&](grpc::ClientContext* context) {
    return target.tunnels->GetTunnel(context, request, &tunnel);
  });
}

absl::Status GetAgentStatus(const Target& target) {
  v1::AgentStatus status;
  return Unary(target, [&](grpc::ClientContext* context) {
    return target.agent->GetAgentStatus(context, {}, &status);
  });
}

// grpc.health.v1.Health/Check of the whole server. Its proto is not packaged:
// an empty request is no bytes, and the answer "SERVING" is field 1 = 1.
absl::Status CheckHealth(const Target& target) {
  return Unary(target, [&](grpc::ClientContext* context) {
    // Without a slice the buffer would be no message at all.
    const grpc::Slice empty;
    const grpc::ByteBuffer request(&empty, 1);
    grpc::ByteBuffer response;
    grpc::CompletionQueue queue;
    grpc::Status status;
    const auto call = target.any->PrepareUnaryCall(
        context, "/grpc.health.v1.Health/Check", request, &queue);
    call->StartCall();
    call->Finish(&response, &status, nullptr);
    void* tag;
    bool ok;
    queue.Next(&tag, &ok);
    grpc::Slice answer;
    if (status.ok() &&
        (!response.DumpToSingleSlice(&answer).ok() ||
         std::string(answer.begin(), answer.end()) != "\x08\x01")) {
      return grpc::Status(grpc::StatusCode::INTERNAL, "health: not SERVING");
    }
    return status;
  });
}

// step(0..count-1) one after the other, in rounds; prints p50 and p99 in
// milliseconds of the round with the lowest p50, as what else the machine does
// only ever adds.
absl::Status Latency(absl::string_view name, int count,
                     const std::function<absl::Status(int)>& step) {
  double p50 = 0, p99 = 0;
  const int size = std::max(count / kRounds, 1);
  for (int first = 0; first < count; first += size) {
    std::vector<double> ms;
    for (int i = first; i < std::min(first + size, count); ++i) {
      const absl::Time start = absl::Now();
      EOIP_RETURN_IF_ERROR(step(i));
      ms.push_back(absl::ToDoubleMilliseconds(absl::Now() - start));
    }
    std::sort(ms.begin(), ms.end());
    if (first == 0 || ms[ms.size() / 2] < p50) {
      p50 = ms[ms.size() / 2];
      p99 = ms[ms.size() * 99 / 100];
    }
  }
  Print(absl::StrCat(name, "_p50"), p50, "ms");
  Print(absl::StrCat(name, "_p99"), p99, "ms");
  return absl::OkStatus();
}

// step(first..last-1) by kCallers at a time; prints the rate.
absl::Status Rate(absl::string_view name, int first, int last,
                  const std::function<absl::Status(int)>& step) {
  std::atomic<int> next{first};
  std::vector<absl::Status> results(kCallers);
  std::vector<std::thread> callers;
  const absl::Time start = absl::Now();
  for (absl::Status& result : results) {
    callers.emplace_back([&] {
      for (int i = next++; i < last && result.ok(); i = next++) {
        result.Update(step(i));
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  for (const absl::Status& result : results) EOIP_RETURN_IF_ERROR(result);
  Print(name, (last - first) / seconds, "/s");
  return absl::OkStatus();
}

// Returns when a watch has told count tunnels as ACTIVE.
absl::Status WatchUntilActive(const Target& target, int count) {
  const absl::Time deadline = absl::Now() + kTimeout;
  while (absl::Now() < deadline) {
    grpc::ClientContext context;
    client::SetDeadline(deadline, &context);
    auto stream = target.tunnels->WatchTunnels(&context, {});
    v1::WatchTunnelsResponse event;
    std::vector<bool> seen(count);
    int missing = count;
    while (missing > 0 && stream->Read(&event)) {
      int i;
      if (event.tunnel().status().state() != v1::TunnelStatus::ACTIVE ||
          !absl::SimpleAtoi(event.tunnel().name().substr(9), &i) ||
          i >= count || seen[i]) {
        continue;
      }
      seen[i] = true;
      --missing;
    }
    if (missing == 0) {
      context.TryCancel();
      while (stream->Read(&event)) {
      }
      stream->Finish();
      return absl::OkStatus();
    }
    // RESOURCE_EXHAUSTED: fell behind, and is to call again.
    const absl::Status status = client::ToStatus(stream->Finish(), target.path);
    if (!absl::IsResourceExhausted(status)) return status;
  }
  return absl::DeadlineExceededError("not all tunnels became ACTIVE");
}

absl::Status ListAll(const Target& target, int expected) {
  const absl::Time start = absl::Now();
  v1::ListTunnelsRequest request;
  request.set_page_size(1000);
  int found = 0;
  do {
    v1::ListTunnelsResponse page;
    EOIP_RETURN_IF_ERROR(Unary(target, [&](grpc::ClientContext* context) {
      return target.tunnels->ListTunnels(context, request, &page);
    }));
    found += page.tunnels_size();
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  if (found != expected) {
    return absl::InternalError(
        absl::StrCat("listed ", found, " tunnels, not ", expected));
  }
  if (expected > 0) {
    Print("list_all", absl::ToDoubleMilliseconds(absl::Now() - start), "ms");
  }
  return absl::OkStatus();
}

absl::Status CreatePhase(const Target& target) {
  const int alone = std::min(200, target.count);
  // Warm-up: connection, page faults.
  for (int i = 0; i < 100; ++i) EOIP_RETURN_IF_ERROR(GetAgentStatus(target));
  EOIP_RETURN_IF_ERROR(
      Latency("health", 5000, [&](int) { return CheckHealth(target); }));
  EOIP_RETURN_IF_ERROR(
      Latency("status", 5000, [&](int) { return GetAgentStatus(target); }));
  EOIP_RETURN_IF_ERROR(
      Latency("create", alone, [&](int i) { return CreateTunnel(target, i); }));
  absl::Status watched;
  const absl::Time start = absl::Now();
  std::thread watcher(
      [&] { watched = WatchUntilActive(target, target.count); });
  const absl::Status created = Rate("create", alone, target.count, [&](int i) {
    return CreateTunnel(target, i);
  });
  watcher.join();
  EOIP_RETURN_IF_ERROR(created);
  EOIP_RETURN_IF_ERROR(watched);
  Print("create_until_watched_active",
        (target.count - alone) / absl::ToDoubleSeconds(absl::Now() - start),
        "/s");
  return absl::OkStatus();
}

absl::Status DeletePhase(const Target& target) {
  EOIP_RETURN_IF_ERROR(Latency(
      "get", 5000, [&](int i) { return GetTunnel(target, i % target.count); }));
  EOIP_RETURN_IF_ERROR(ListAll(target, target.count));
  const int alone = std::min(100, target.count);
  EOIP_RETURN_IF_ERROR(
      Latency("delete", alone, [&](int i) { return DeleteTunnel(target, i); }));
  EOIP_RETURN_IF_ERROR(Rate("delete", alone, target.count,
                            [&](int i) { return DeleteTunnel(target, i); }));
  return ListAll(target, 0);
}

}  // namespace
}  // namespace eoip

int main(int argc, char** argv) {
  CLI::App app("Measures a running eoip-agent.");
  std::string socket, phase, remote = "192.0.2.2", datapath = "TAP";
  int count = 1000;
  app.add_option("--socket", socket, "of the agent")->required();
  app.add_option("--phase", phase)
      ->required()
      ->check(CLI::IsMember({"create", "delete"}));
  app.add_option("--count", count, "of tunnels")->check(CLI::Range(1, 65536));
  app.add_option("--remote", remote, "address of the peer");
  app.add_option("--datapath", datapath)
      ->check(CLI::IsMember({"TAP", "KERNEL"}));
  CLI11_PARSE(app, argc, argv);
  const auto channel = eoip::client::OpenChannel(socket);
  eoip::Target target{
      .path = socket,
      .tunnels = eoip::v1::TunnelService::NewStub(channel),
      .agent = eoip::v1::AgentService::NewStub(channel),
      .any = std::make_unique<grpc::GenericStub>(channel),
      .remote = remote,
      .datapath = datapath == "TAP" ? eoip::v1::TAP : eoip::v1::KERNEL,
      .count = count};
  const absl::Status status =
      phase == "create" ? eoip::CreatePhase(target) : eoip::DeletePhase(target);
  if (!status.ok()) {
    std::fprintf(stderr, "bench_agent: %s\n", status.ToString().c_str());
    return 1;
  }
  return 0;
}
