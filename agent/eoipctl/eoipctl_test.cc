// SPDX-License-Identifier: Apache-2.0
//
// Whole command lines against a real gRPC server on a unix socket.
#include <google/protobuf/util/json_util.h>
#include <stdlib.h>
#include <yaml-cpp/yaml.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <sstream>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "eoipctl/cli.h"
#include "eoipctl/fake_agent.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip::ctl {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

struct Outcome {
  int code;
  std::string out;
  std::string err;
};

class EoipctlTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder =
        (std::filesystem::temp_directory_path() / "eoipctl.XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    socket_ = folder + "/agent.sock";
    agent_ = std::make_unique<FakeAgent>(socket_);
    agent_->Start();
  }
  void TearDown() override {
    agent_.reset();
    std::filesystem::remove_all(folder_);
  }

  // "tunnel get a" with --socket.
  Outcome Run(std::vector<std::string> args) {
    args.insert(args.begin(), "--socket=" + socket_);
    std::ostringstream out, err;
    const int code = RunCommandLine(args, {.out = out, .err = err});
    return {code, out.str(), err.str()};
  }

  v1::Tunnel MakeTunnel(const std::string& id, v1::TunnelStatus::State state) {
    v1::Tunnel tunnel;
    tunnel.set_name("tunnels/" + id);
    tunnel.set_kind(v1::EOIP);
    tunnel.set_remote("192.0.2.1");
    tunnel.set_tunnel_id(7);
    tunnel.set_comment("old");
    tunnel.mutable_status()->set_state(state);
    return tunnel;
  }
  void Put(const std::string& id,
           v1::TunnelStatus::State state = v1::TunnelStatus::ACTIVE) {
    agent_->tunnels.items.Put(MakeTunnel(id, state));
  }
  v1::Tunnel Tunnel(const std::string& id) {
    return agent_->tunnels.items.all()["tunnels/" + id];
  }

  std::string folder_;
  std::string socket_;
  std::unique_ptr<FakeAgent> agent_;
};

TEST_F(EoipctlTest, CreateSendsWhatWasTyped) {
  const Outcome done =
      Run({"tunnel", "create", "eoip7", "kind=eoip", "remote-address=192.0.2.1",
           "tunnel-id=100", "keepalive=10s,10", "dscp=inherit", "!comment"});
  EXPECT_EQ(done.err, "");
  EXPECT_EQ(done.code, kExitOk);
  EXPECT_EQ(done.out, "tunnels/eoip7 created: ACTIVE\n");
  EXPECT_EQ(Tunnel("eoip7").tunnel_id(), 100u);
  EXPECT_FALSE(Tunnel("eoip7").has_dscp());
}

TEST_F(EoipctlTest, CreateOfWhatExistsFails) {
  Put("a");
  const Outcome done = Run({"tunnel", "create", "a", "kind=eoip"});
  EXPECT_EQ(done.code, kExitFailed);
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(done.err, "eoipctl: tunnels/a: it exists (ALREADY_EXISTS)\n");
}

TEST_F(EoipctlTest, CreateOrUpdateMakesItWhatIsSaid) {
  for (int i = 0; i < 2; ++i) {
    const Outcome done = Run({"tunnel", "create", "a", "kind=eoip",
                              "remote-address=192.0.2.9", "--or-update"});
    EXPECT_EQ(done.code, kExitOk) << done.err;
    EXPECT_EQ(done.out, "tunnels/a applied: ACTIVE\n");
  }
  Put("b");
  EXPECT_EQ(Run({"tunnel", "create", "b", "kind=eoip", "--or-update"}).code,
            kExitOk);
  EXPECT_EQ(Tunnel("b").comment(), "");
}

TEST_F(EoipctlTest, DryRunChangesNothing) {
  Put("a");
  EXPECT_EQ(Run({"tunnel", "create", "n", "kind=eoip", "--dry-run"}).out,
            "tunnels/n created (dry run)\n");
  EXPECT_EQ(Run({"tunnel", "update", "a", "comment=new", "--dry-run"}).code,
            kExitOk);
  EXPECT_EQ(Run({"tunnel", "delete", "a", "--dry-run"}).out,
            "tunnels/a deleted (dry run)\n");
  EXPECT_EQ(agent_->tunnels.items.all().size(), 1u);
  EXPECT_EQ(Tunnel("a").comment(), "old");
}

TEST_F(EoipctlTest, UsageErrorsSendNothing) {
  const std::vector<std::vector<std::string>> wrong = {
      {"tunnel", "create", "a", "remote-adress=192.0.2.1"},
      {"tunnel", "create", "kind=eoip"},
      {"tunnel", "create", "a", "tunnel-id=x"},
      {"tunnel", "create", "a/b", "kind=eoip"},
      {"tunnel", "create", "a", "kind=eoip", "--wait=soon"},
      {"tunnel", "create", "a", "kind=eoip", "--wait=0"},
      {"tunnel", "create", "a", "kind=eoip", "--wait", "--for=happy"},
      {"tunnel", "create", "a", "kind=eoip", "--for=active"},
      {"tunnel", "create", "a", "kind=eoip", "--timeout=-1"},
      {"tunnel", "create", "a", "kind=eoip", "-o", "xml"},
      {"tunnel", "update", "a"},
      {"tunnel", "delete"},
      {"tunnel", "delete", "a", "b", "--etag=x"},
      {"tunnel", "get"},
      {"tunnel", "get", "a", "b"},
      {"tunnel", "list", "a"},
      {"tunnel"},
      {"tunnels", "frobnicate"},
      {"frobnicate"},
      {"--socket=tcp://x", "status"},
      {"attachment", "get", "web"},
      {"network", "create", "lan", "ports=a:colour=red"},
  };
  Put("a");
  for (const auto& args : wrong) {
    const Outcome done = Run(args);
    EXPECT_EQ(done.code, kExitUsage) << ::testing::PrintToString(args);
    EXPECT_EQ(done.out, "");
    EXPECT_THAT(done.err, StartsWith("eoipctl: "));
  }
  EXPECT_EQ(agent_->tunnels.items.all().size(), 1u);
  EXPECT_EQ(agent_->networks.items.all().size(), 0u);
}

TEST_F(EoipctlTest, SuggestsCommandsAndWords) {
  EXPECT_THAT(Run({"tunel", "list"}).err, HasSubstr("did you mean 'tunnel'?"));
  EXPECT_THAT(Run({"tunnel", "lst"}).err, HasSubstr("did you mean 'list'?"));
  EXPECT_THAT(Run({"tunnel", "update", "a", "mut=1"}).err,
              HasSubstr("did you mean 'mtu'?"));
}

TEST_F(EoipctlTest, NamesThatAreCommandsAreNames) {
  for (const char* name : {"tunnel", "status", "list"}) {
    EXPECT_EQ(Run({"tunnel", "create", name, "kind=eoip"}).code, kExitOk);
    EXPECT_EQ(Run({"tunnel", "get", name}).code, kExitOk) << name;
    EXPECT_EQ(Run({"tunnel", "delete", name}).code, kExitOk) << name;
  }
}

TEST_F(EoipctlTest, UpdateSendsOnlyWhatWasNamed) {
  Put("a");
  const Outcome done = Run({"tunnel", "update", "tunnels/a", "mtu=1400",
                            "!tunnel-id", "comment=new"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_EQ(done.out, "tunnels/a updated: ACTIVE\n");
  EXPECT_THAT(agent_->tunnels.last_update.update_mask().paths(),
              ElementsAre("mtu", "tunnel_id", "comment"));
  const v1::Tunnel tunnel = Tunnel("a");
  EXPECT_EQ(tunnel.mtu(), 1400u);
  EXPECT_EQ(tunnel.comment(), "new");
  EXPECT_FALSE(tunnel.has_tunnel_id());
  EXPECT_EQ(tunnel.remote(), "192.0.2.1");
}

TEST_F(EoipctlTest, EtagGuardsUpdateAndDelete) {
  Put("a");
  const std::string etag = Tunnel("a").etag();
  EXPECT_EQ(Run({"tunnel", "update", "a", "mtu=1400", "--etag=other"}).code,
            kExitFailed);
  EXPECT_EQ(Run({"tunnel", "delete", "a", "--etag=other"}).code, kExitFailed);
  EXPECT_EQ(Tunnel("a").mtu(), 0u);
  EXPECT_EQ(Run({"tunnel", "delete", "a", "--etag=" + etag}).code, kExitOk);
}

TEST_F(EoipctlTest, DeleteTriesEveryNameAndReportsEachFailure) {
  Put("a");
  Put("c");
  const Outcome done = Run({"tunnel", "delete", "a", "b", "tunnels/c"});
  EXPECT_EQ(done.code, kExitFailed);
  EXPECT_EQ(done.out, "tunnels/a deleted\ntunnels/c deleted\n");
  EXPECT_EQ(done.err, "eoipctl: tunnels/b: no such one (NOT_FOUND)\n");
  Put("a");
  const Outcome again = Run({"tunnel", "delete", "a", "b", "--if-exists"});
  EXPECT_EQ(again.code, kExitOk);
  EXPECT_EQ(again.out, "tunnels/a deleted\ntunnels/b does not exist\n");
  EXPECT_EQ(again.err, "");
  EXPECT_THAT(agent_->tunnels.items.all(), IsEmpty());
}

TEST_F(EoipctlTest, ListFollowsAllPages) {
  for (const char* id : {"a", "b", "c", "d", "e"}) Put(id);
  const Outcome done = Run({"tunnel", "list"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  const std::vector<std::string> lines = absl::StrSplit(done.out, '\n');
  ASSERT_EQ(lines.size(), 7u);  // title, five, end
  EXPECT_THAT(lines[1], StartsWith("a "));
  EXPECT_THAT(lines[5], StartsWith("e "));
  EXPECT_EQ(YAML::Load(Run({"tunnel", "list", "-o", "yaml"}).out).size(), 5u);
}

TEST_F(EoipctlTest, ListOfAttachmentsTakesANetwork) {
  for (const char* name :
       {"networks/lan/attachments/a", "networks/lan2/attachments/b"}) {
    v1::Attachment attachment;
    attachment.set_name(name);
    agent_->attachments.items.Put(attachment);
  }
  const std::string all = Run({"attachment", "list"}).out;
  EXPECT_THAT(all, HasSubstr("lan/a"));
  EXPECT_THAT(all, HasSubstr("lan2/b"));
  agent_->attachments.items.Remove("networks/lan2/attachments/b");
  EXPECT_THAT(Run({"attachment", "list", "networks/lan"}).out,
              HasSubstr("lan/a"));
  EXPECT_EQ(Run({"attachment", "list", "other"}).out, "no attachments\n");
}

TEST_F(EoipctlTest, GetGivesJsonThatIsTheResource) {
  Put("a");
  const Outcome done = Run({"tunnel", "get", "a", "-o", "json"});
  v1::Tunnel read;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(done.out, &read).ok());
  EXPECT_EQ(read.SerializeAsString(), Tunnel("a").SerializeAsString());
  EXPECT_EQ(Run({"tunnel", "get", "b"}).code, kExitFailed);
}

TEST_F(EoipctlTest, NamesTheWordOfTheFieldTheAgentRefused) {
  agent_->tunnels.items.SetError(
      {grpc::StatusCode::INVALID_ARGUMENT, "tunnel.remote: 'x': an address"});
  const Outcome done =
      Run({"tunnel", "create", "a", "kind=eoip", "remote-address=x"});
  EXPECT_EQ(done.code, kExitFailed);
  EXPECT_EQ(done.err,
            "eoipctl: remote-address: tunnel.remote: 'x': an address "
            "(INVALID_ARGUMENT)\n");
}

TEST_F(EoipctlTest, PortsAreTunnelsWhereTheAgentHasThem) {
  Put("eoip7");
  ASSERT_EQ(Run({"network", "create", "lan", "ports=eoip7,eth1"}).code,
            kExitOk);
  v1::Network network = agent_->networks.items.all()["networks/lan"];
  EXPECT_EQ(network.ports(0).tunnel(), "tunnels/eoip7");
  EXPECT_EQ(network.ports(1).link(), "eth1");
  ASSERT_EQ(Run({"network", "update", "lan", "ports=eoip7:isolated"}).code,
            kExitOk);
  network = agent_->networks.items.all()["networks/lan"];
  ASSERT_EQ(network.ports_size(), 1);
  EXPECT_EQ(network.ports(0).tunnel(), "tunnels/eoip7");
  EXPECT_TRUE(network.ports(0).isolated());
}

TEST_F(EoipctlTest, WaitEndsWithTheWantedState) {
  agent_->tunnels.items.SetNextState(v1::TunnelStatus::PENDING, "");
  auto done = std::async(std::launch::async, [&] {
    return Run({"tunnel", "create", "--wait", "a", "kind=eoip"});
  });
  agent_->tunnels.items.AwaitWatchers(1);
  EXPECT_EQ(done.wait_for(std::chrono::milliseconds(50)),
            std::future_status::timeout);
  Put("a", v1::TunnelStatus::ACTIVE);
  const Outcome outcome = done.get();
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
  EXPECT_EQ(outcome.out, "tunnels/a created: ACTIVE\n");
}

TEST_F(EoipctlTest, WaitFailsWithTheReason) {
  agent_->tunnels.items.SetNextState(v1::TunnelStatus::FAILED,
                                     "kernel module eoip is not loaded");
  const Outcome done = Run({"tunnel", "create", "a", "kind=eoip", "--wait=1m"});
  EXPECT_EQ(done.code, kExitFailed);
  EXPECT_THAT(done.err, HasSubstr("FAILED: kernel module eoip is not loaded"));
  // Without --wait a failing datapath is state, not an error.
  EXPECT_EQ(Run({"tunnel", "create", "b", "kind=eoip"}).code, kExitOk);
}

TEST_F(EoipctlTest, WaitTimesOutWithTheLastState) {
  agent_->tunnels.items.SetNextState(v1::TunnelStatus::PEER_DOWN,
                                     "nothing heard");
  const Outcome done =
      Run({"tunnel", "create", "a", "kind=eoip", "--wait=100ms"});
  EXPECT_EQ(done.code, kExitTimedOut);
  EXPECT_THAT(done.err, HasSubstr("PEER_DOWN: nothing heard"));
  EXPECT_EQ(Run({"tunnel", "get", "none", "--wait=50ms"}).code, kExitTimedOut);
}

TEST_F(EoipctlTest, WaitTakesTheStateThatWasAskedFor) {
  Put("down", v1::TunnelStatus::PEER_DOWN);
  Put("failed", v1::TunnelStatus::FAILED);
  EXPECT_EQ(Run({"tunnel", "get", "down", "--wait", "--for=peer-down"}).code,
            kExitOk);
  EXPECT_EQ(Run({"tunnel", "get", "failed", "--wait", "--for=failed"}).code,
            kExitOk);
  agent_->tunnels.items.SetNextState(v1::TunnelStatus::DISABLED, "");
  EXPECT_EQ(Run({"tunnel", "update", "down", "disabled=yes", "--wait"}).code,
            kExitOk);
}

TEST_F(EoipctlTest, WaitSeesADeletion) {
  Put("a", v1::TunnelStatus::PENDING);
  auto done = std::async(std::launch::async, [&] {
    return Run({"tunnel", "get", "a", "--wait"});
  });
  agent_->tunnels.items.AwaitWatchers(1);
  agent_->tunnels.items.Remove("tunnels/a");
  const Outcome outcome = done.get();
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_THAT(outcome.err, HasSubstr("it was deleted"));
  Put("b");
  EXPECT_EQ(Run({"tunnel", "delete", "b", "--wait"}).code, kExitOk);
}

TEST_F(EoipctlTest, WaitOutlivesARestartOfTheAgent) {
  Put("a", v1::TunnelStatus::PENDING);
  auto done = std::async(std::launch::async, [&] {
    return Run({"tunnel", "get", "a", "--wait=20s"});
  });
  agent_->tunnels.items.AwaitWatchers(1);
  agent_->Stop();
  Put("a", v1::TunnelStatus::ACTIVE);
  agent_->Start();
  const Outcome outcome = done.get();
  EXPECT_EQ(outcome.code, kExitOk) << outcome.err;
}

TEST_F(EoipctlTest, WatchPrintsEachEventUntilTheAgentEnds) {
  Put("a");
  auto done = std::async(std::launch::async, [&] {
    return Run({"tunnel", "watch"});
  });
  agent_->tunnels.items.AwaitWatchers(1);
  Put("b", v1::TunnelStatus::FAILED);
  agent_->tunnels.items.Remove("tunnels/a");
  // It fell behind, and is told everything again.
  agent_->tunnels.items.EndWatches(
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "too slow"});
  agent_->tunnels.items.AwaitWatchers(2);
  agent_->tunnels.items.EndWatches({grpc::StatusCode::INTERNAL, "broken"});
  const Outcome outcome = done.get();
  EXPECT_EQ(outcome.code, kExitFailed);
  EXPECT_EQ(outcome.err, "eoipctl: broken (INTERNAL)\n");
  EXPECT_THAT(outcome.out, HasSubstr("Z ADDED    a               ACTIVE\n"));
  EXPECT_THAT(outcome.out, HasSubstr("Z SYNCED\n"));
}

TEST_F(EoipctlTest, WatchOfOneGivesOneJsonObjectPerLine) {
  Put("a");
  Put("b");
  auto done = std::async(std::launch::async, [&] {
    return Run({"tunnel", "watch", "a", "-o", "json"});
  });
  agent_->tunnels.items.AwaitWatchers(1);
  agent_->tunnels.items.EndWatches({grpc::StatusCode::INTERNAL, "broken"});
  const std::vector<std::string> lines =
      absl::StrSplit(done.get().out, '\n', absl::SkipEmpty());
  ASSERT_EQ(lines.size(), 2u);
  v1::WatchTunnelsResponse event;
  ASSERT_TRUE(
      google::protobuf::util::JsonStringToMessage(lines[0], &event).ok());
  EXPECT_EQ(event.type(), v1::WatchTunnelsResponse::ADDED);
  EXPECT_EQ(event.tunnel().name(), "tunnels/a");
  EXPECT_EQ(lines[1], "{\"type\":\"SYNCED\"}");
}

TEST_F(EoipctlTest, WorkersAreListedInEveryFormOrTheAgentsErrorIsShown) {
  Outcome done = Run({"worker", "list"});
  EXPECT_EQ(done.code, kExitFailed);
  EXPECT_THAT(done.err, HasSubstr("eoip-tapd does not answer"));
  v1::ListWorkersResponse list;
  list.add_workers()->set_waits(4711);
  agent_->agent.SetWorkers(list);
  for (const char* verb : {"list", "ls", "print"}) {
    done = Run({"worker", verb});
    EXPECT_EQ(done.code, kExitOk);
    EXPECT_THAT(done.out, HasSubstr(" 4711 "));
  }
  EXPECT_THAT(Run({"workers", "print", "-o", "json"}).out,
              HasSubstr("\"waits\": \"4711\""));
  EXPECT_EQ(Run({"worker"}).code, kExitUsage);
}

TEST_F(EoipctlTest, StatusFailsUntilTheAgentIsReady) {
  v1::AgentStatus status;
  status.set_ready_reason("loading");
  agent_->agent.Set(status);
  Outcome done = Run({"status"});
  EXPECT_EQ(done.code, kExitFailed);
  EXPECT_THAT(done.out, HasSubstr("NOT READY: loading"));
  EXPECT_EQ(Run({"status", "--wait=50ms"}).code, kExitTimedOut);
  agent_->agent.Set(status, /*ready_after=*/3);
  done = Run({"status", "--wait"});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  EXPECT_THAT(done.out, Not(HasSubstr("NOT READY")));
}

TEST_F(EoipctlTest, AloneShowsEverything) {
  Put("eoip7");
  Run({"network", "create", "lan", "ports=eoip7"});
  Run({"attachment", "create", "lan/web", "host-link=veth0"});
  const Outcome done = Run({});
  EXPECT_EQ(done.code, kExitOk) << done.err;
  for (const char* part : {"eoip-agent", "eoip7", "lan/web", "veth0"}) {
    EXPECT_THAT(done.out, HasSubstr(part));
  }
  const YAML::Node all = YAML::Load(Run({"-o", "json"}).out);
  EXPECT_EQ(all["tunnels"].size(), 1u);
  EXPECT_EQ(all["networks"].size(), 1u);
  EXPECT_EQ(all["attachments"][0]["hostLink"].as<std::string>(), "veth0");
}

TEST_F(EoipctlTest, SaysThatTheAgentIsAway) {
  agent_->Stop();
  for (const auto& args : std::vector<std::vector<std::string>>{
           {}, {"status"}, {"tunnel", "list"}, {"tunnel", "watch"}}) {
    const Outcome done = Run(args);
    EXPECT_EQ(done.code, kExitFailed);
    EXPECT_THAT(done.err, HasSubstr("cannot reach eoip-agent at " + socket_));
  }
  EXPECT_EQ(Run({"status", "--wait=50ms"}).code, kExitTimedOut);
}

TEST_F(EoipctlTest, HelpOfEveryCommandHasExamplesAndGoesToStdout) {
  EXPECT_THAT(Run({"--help"}).out, HasSubstr("Exit codes"));
  for (const char* noun : {"tunnel", "network", "attachment"}) {
    EXPECT_THAT(Run({noun, "--help"}).out, HasSubstr("Examples:"));
    for (const char* verb :
         {"create", "get", "list", "update", "delete", "watch"}) {
      const Outcome done = Run({noun, verb, "--help"});
      EXPECT_EQ(done.code, kExitOk);
      EXPECT_EQ(done.err, "");
      EXPECT_THAT(done.out,
                  HasSubstr(std::string("eoipctl ") + noun + " " + verb + " "));
      EXPECT_THAT(done.out, HasSubstr("Examples:"));
    }
  }
}

// The examples that help shows are command lines that work.
TEST_F(EoipctlTest, ExamplesOfHelpAreNoUsageErrors) {
  for (const Resource* resource : {&Tunnels(), &Networks(), &Attachments()}) {
    for (const Example& example : resource->examples) {
      if (example.verb == "watch" || absl::StrContains(example.text, "--for")) {
        continue;  // would block here
      }
      for (absl::string_view part : absl::StrSplit(example.text, '\n')) {
        std::string line(part);
        line.erase(std::remove(line.begin(), line.end(), '\''), line.end());
        std::vector<std::string> words = absl::StrSplit(line, ' ');
        ASSERT_EQ(words.front(), "eoipctl");
        words.erase(words.begin());
        EXPECT_NE(Run(words).code, kExitUsage) << line;
      }
    }
  }
}

}  // namespace
}  // namespace eoip::ctl
