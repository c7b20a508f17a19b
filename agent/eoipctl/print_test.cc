// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/print.h"

#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <yaml-cpp/yaml.h>

#include "eoip/v1/attachment.pb.h"
#include "eoip/v1/tunnel.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip::ctl {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

std::unique_ptr<v1::Tunnel> MakeTunnel() {
  auto tunnel = std::make_unique<v1::Tunnel>();
  tunnel->set_name("tunnels/eoip7");
  tunnel->set_kind(v1::EOIP);
  tunnel->set_remote("192.0.2.1");
  tunnel->set_tunnel_id(0);
  tunnel->set_comment("yes");
  tunnel->set_mac("02:00:00:00:00:01");
  tunnel->set_etag("0123");
  v1::TunnelStatus* status = tunnel->mutable_status();
  status->set_state(v1::TunnelStatus::PEER_DOWN);
  status->set_reason("nothing heard");
  status->set_datapath(v1::TAP);
  status->set_effective_mtu(1500);
  status->mutable_last_heard()->set_seconds(1'800'000'000 - 150);
  status->set_network("networks/lan");
  status->mutable_counters()->set_rx_packets(5);
  (*status->mutable_counters()->mutable_drops())["bad_length"] = 3;
  (*status->mutable_counters()->mutable_drops())["wrong_source"] = 4;
  (*status->mutable_counters()->mutable_details())["tx_super_frames"] = 6;
  return tunnel;
}

Messages One(std::unique_ptr<Message> message) {
  Messages messages;
  messages.push_back(std::move(message));
  return messages;
}

TEST(FormatTable, AlignsColumnsByCharacters) {
  EXPECT_EQ(
      FormatTable({"A", "STATE", "Z"},
                  {{"Züri", "FAILED", "x"}, {"b", "", "long one"}}, false),
      "A     STATE   Z\n"
      "Züri  FAILED  x\n"
      "b     -       long one\n");
}

TEST(FormatTable, ColorsOnlyStatesAndOnlyWhenAsked) {
  const std::string table =
      FormatTable({"NAME", "STATE", "X"}, {{"ACTIVE", "ACTIVE", "y"}}, true);
  EXPECT_EQ(table,
            "NAME    STATE   X\n"
            "ACTIVE  \x1b[32mACTIVE  \x1b[0my\n");
}

TEST(FormatTable, LetsNoCellBreakItsRow) {
  EXPECT_EQ(FormatTable({"A"}, {{"x\ny\x1b[2J"}}, false), "A\nx?y?[2J\n");
}

TEST(FormatList, ShowsATunnelInOneRow) {
  const Messages messages = One(MakeTunnel());
  EXPECT_EQ(FormatList(Tunnels(), messages, {.now = kNow}),
            "NAME   STATE      KIND  REMOTE     ID  DATAPATH  MTU   HEARD  "
            "NETWORK  REASON\n"
            "eoip7  PEER_DOWN  eoip  192.0.2.1  0   tap       1500  2m     "
            "lan      nothing heard\n");
  const std::string wide =
      FormatList(Tunnels(), messages, {.output = Output::kWide, .now = kNow});
  EXPECT_THAT(wide, HasSubstr("KEEPALIVE"));
  EXPECT_THAT(wide, HasSubstr("10s,10"));
  EXPECT_THAT(wide, HasSubstr(" 7 "));  // drops of both causes
}

TEST(FormatList, SaysThatThereIsNothing) {
  EXPECT_EQ(FormatList(Networks(), {}, {}), "no networks\n");
  EXPECT_EQ(FormatList(Networks(), {}, {.output = Output::kJson}), "[]\n");
  EXPECT_EQ(FormatList(Networks(), {}, {.output = Output::kYaml}), "[]\n");
}

TEST(FormatList, GivesAnArrayThatIsReadBackAsTheSameResources) {
  Messages messages = One(MakeTunnel());
  messages.push_back(MakeTunnel());
  const std::string json =
      FormatList(Tunnels(), messages, {.output = Output::kJson});
  v1::ListTunnelsResponse read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  "{\"tunnels\":" + json + "}", &read)
                  .ok());
  ASSERT_EQ(read.tunnels_size(), 2);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(
      read.tunnels(1), *messages[1]));
}

TEST(JsonToYaml, KeepsStringsThatLookLikeSomethingElse) {
  const std::string yaml = JsonToYaml(ToJson(*MakeTunnel(), true));
  EXPECT_THAT(yaml, HasSubstr("comment: \"yes\""));
  EXPECT_THAT(yaml, HasSubstr("mac: \"02:00:00:00:00:01\""));
  EXPECT_THAT(yaml, HasSubstr("etag: \"0123\""));
  EXPECT_THAT(yaml, HasSubstr("kind: EOIP"));
  EXPECT_THAT(yaml, HasSubstr("tunnelId: 0"));
  EXPECT_THAT(yaml, HasSubstr("name: tunnels/eoip7"));
  EXPECT_LT(yaml.find("name:"), yaml.find("kind:"));  // order of the API
}

TEST(JsonToYaml, KeepsAnyText) {
  v1::Tunnel tunnel;
  tunnel.set_comment(
      "a: b # c \"d\" \\ 'e' <f> & \xe2\x82\xac \xf0\x9f\x98\x80");
  const YAML::Node read = YAML::Load(JsonToYaml(ToJson(tunnel, true)));
  EXPECT_EQ(read["comment"].as<std::string>(), tunnel.comment());
}

TEST(FormatOne, ShowsEveryPropertyAndTheStatus) {
  const std::string text = FormatOne(Tunnels(), *MakeTunnel(), {.now = kNow});
  for (const char* line :
       {"name:", "kind:", "eoip\n", "remote-address:", "tunnel-id:",
        "PEER_DOWN\n", "  effective-mtu:", "    rx-packets:",
        "    drops.bad_length:        3\n    drops.wrong_source:      4\n",
        "    details.tx_super_frames: 6\n", "networks/lan\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
  EXPECT_THAT(text, HasSubstr("2027-01-15T07:57:30Z (2m ago)\n"));
}

TEST(FormatOne, ShowsALeaseWithItsListsAndWhenItEnds) {
  v1::Attachment attachment;
  attachment.set_name("networks/lan/attachments/web0");
  attachment.mutable_dhcp()->set_client_id(std::string("\0a", 2));
  v1::Lease* lease = attachment.mutable_status()->mutable_lease();
  lease->set_state(v1::Lease::BOUND);
  lease->set_address("192.0.2.7/24");
  v1::LeaseRoute* route = lease->add_routes();
  route->set_destination("10.0.0.0/8");
  route->set_gateway("192.0.2.1");
  lease->add_routes()->set_destination("10.9.0.0/16");
  lease->add_nameservers("192.0.2.53");
  lease->add_nameservers("192.0.2.54");
  lease->mutable_expire_time()->set_seconds(1'800'000'000 + 7200);
  const std::string text = FormatOne(Attachments(), attachment, {.now = kNow});
  EXPECT_THAT(text, HasSubstr("10.0.0.0/8 192.0.2.1, 10.9.0.0/16\n"));
  EXPECT_THAT(text, HasSubstr("192.0.2.53, 192.0.2.54\n"));
  EXPECT_THAT(text, HasSubstr("(in 2h)"));
  EXPECT_THAT(text, HasSubstr("00:61"));
  const std::string table = FormatList(
      Attachments(), One(std::make_unique<v1::Attachment>(attachment)),
      {.output = Output::kWide, .now = kNow});
  EXPECT_THAT(table, HasSubstr("BOUND 2h"));
  EXPECT_THAT(table, HasSubstr("192.0.2.7/24"));
}

TEST(FormatOne, ToleratesStatesOfANewerAgent) {
  auto tunnel = MakeTunnel();
  tunnel->mutable_status()->set_state(static_cast<v1::TunnelStatus::State>(99));
  EXPECT_EQ(StateOf(*tunnel), "UNKNOWN");
  EXPECT_THAT(FormatList(Tunnels(), One(std::move(tunnel)), {.now = kNow}),
              HasSubstr("UNKNOWN"));
}

TEST(FormatWorkers, ShowsAWorkerInOneRowAndWideItsBatches) {
  v1::ListWorkersResponse list;
  EXPECT_EQ(FormatWorkers(list, {}), "no workers\n");
  v1::Worker* worker = list.add_workers();
  worker->mutable_rx()->set_packets(25);
  worker->mutable_rx()->set_bytes(2500);
  worker->mutable_rx()->set_batches(10);
  for (const int count : {5, 4, 0, 1}) {
    worker->mutable_rx()->add_batch_sizes(count);
  }
  worker->set_waits(7);
  worker->set_idle_polls(3);
  (*worker->mutable_drops())["unknown_tunnel"] = 2;
  (*worker->mutable_drops())["foreign"] = 1;
  list.add_workers()->set_index(1);
  EXPECT_EQ(FormatWorkers(list, {}),
            "WORKER  RX-PACKETS  RX-BYTES  RX-PER-CALL  TX-PACKETS  TX-BYTES  "
            "TX-PER-CALL  WAITS  IDLE-POLLS  DROPS\n"
            "0       25          2500      2.5          0           0         "
            "-            7      3           foreign:1 unknown_tunnel:2\n"
            "1       0           0         -            0           0         "
            "-            0      0           -\n");
  EXPECT_THAT(FormatWorkers(list, {.output = Output::kWide}),
              HasSubstr("1:5 2-3:4 8+:1"));
  v1::ListWorkersResponse read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(
                  FormatWorkers(list, {.output = Output::kJson}), &read)
                  .ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(read, list));
}

TEST(FormatAgent, TellsReadinessProblemsAndDatapaths) {
  v1::AgentStatus status;
  status.set_version("0.1.0");
  status.set_node("node1");
  status.set_ready_reason("first look at the kernel is not done");
  status.mutable_start_time()->set_seconds(1'800'000'000 - 3661);
  status.set_tunnels(3);
  (*status.mutable_tunnel_states())["ACTIVE"] = 2;
  (*status.mutable_tunnel_states())["FAILED"] = 1;
  (*status.mutable_tunnel_states())["PENDING"] = 0;
  auto* problem = status.add_problems();
  problem->set_subject("tunnels/x.json");
  problem->set_message("cut off; set aside");
  auto* datapath = status.add_datapaths();
  datapath->set_datapath(v1::KERNEL);
  datapath->set_reason("kernel module eoip is not loaded");
  EXPECT_EQ(FormatAgent(status, {.now = kNow}),
            "eoip-agent 0.1.0 on node1, up 1h1m1s, NOT READY: first look at "
            "the kernel is not done\n"
            "3 tunnels (1 FAILED, 2 ACTIVE), 0 networks, 0 attachments\n"
            "PROBLEM  tunnels/x.json: cut off; set aside\n"
            "\n"
            "DATAPATH  AVAILABLE  TUNNELS  REASON\n"
            "kernel    no         0        kernel module eoip is not loaded\n");
  status.set_ready(true);
  EXPECT_THAT(FormatAgent(status, {.now = kNow}), Not(HasSubstr("NOT READY")));
}

}  // namespace
}  // namespace eoip::ctl
