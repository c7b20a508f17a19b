// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <vector>

#include "service/service_fixture.h"

namespace eoip {
namespace {

using ::grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class NetworkServiceTest : public ServiceFixture {
 protected:
  grpc::Status Update(const v1::Network& network,
                      const std::vector<std::string>& paths,
                      v1::Network* response) {
    Context context;
    v1::UpdateNetworkRequest request;
    *request.mutable_network() = network;
    for (const std::string& path : paths) {
      request.mutable_update_mask()->add_paths(path);
    }
    return networks_->UpdateNetwork(&context, request, response);
  }
  grpc::Status Delete(const std::string& name) {
    Context context;
    v1::DeleteNetworkRequest request;
    request.set_name(name);
    google::protobuf::Empty response;
    return networks_->DeleteNetwork(&context, request, &response);
  }
};

TEST_F(NetworkServiceTest, KeepsEveryFieldOverARestart) {
  v1::Network network = MakeNetwork("lan", {"eoip1"});
  network.mutable_ports(0)->set_isolated(true);
  network.add_ports()->set_link("eth1");
  network.set_mtu(1400);
  network.set_stp(true);
  network.set_multicast_snooping(true);
  network.set_mac("02:00:00:00:00:01");
  network.set_comment("site");
  v1::Network created;
  ASSERT_THAT(Create(network, &created), IsOk());
  EXPECT_EQ(created.status().state(), v1::NetworkStatus::ACTIVE);
  EXPECT_THAT(applier_->applied(), ElementsAre("networks/lan"));
  StartAgent();
  Context context;
  v1::GetNetworkRequest request;
  request.set_name("networks/lan");
  ASSERT_THAT(networks_->GetNetwork(&context, request, &created), IsOk());
  created.clear_etag();
  created.clear_status();
  EXPECT_EQ(created.DebugString(), network.DebugString());
}

struct BadCase {
  const char* path;
  std::function<void(v1::Network&)> change;
  StatusCode code = StatusCode::INVALID_ARGUMENT;
};

TEST_F(NetworkServiceTest, RefusesEveryBadFieldByNameAndChangesNothing) {
  constexpr auto kUnimplemented = StatusCode::UNIMPLEMENTED;
  const std::vector<BadCase> cases = {
      {"network.name: ''", [](auto& n) { n.clear_name(); }},
      {"network.name: 'tunnels/x'", [](auto& n) { n.set_name("tunnels/x"); }},
      {"network.ports[1]: ''", [](auto& n) { n.add_ports(); }},
      {"network.ports[0].tunnel: 'x'",
       [](auto& n) { n.mutable_ports(0)->set_tunnel("x"); }},
      {"network.ports[0].link: ''",
       [](auto& n) { n.mutable_ports(0)->set_link(""); }},
      {"network.ports[0].link: 'lo'",
       [](auto& n) { n.mutable_ports(0)->set_link("lo"); }},
      {"network.ports[1].tunnel: 'eoip1'",
       [](auto& n) { n.add_ports()->set_tunnel("tunnels/eoip1"); }},
      {"network.ports[0].pvid: '4095'",
       [](auto& n) { n.mutable_ports(0)->set_pvid(4095); }},
      {"network.ports[0].pvid: '5'",
       [](auto& n) { n.mutable_ports(0)->set_pvid(5); }},
      {"network.ports[0].tagged[0].first: '0'",
       [](auto& n) { n.mutable_ports(0)->add_tagged(); }},
      {"network.ports[0].tagged: ",
       [](auto& n) { n.mutable_ports(0)->add_tagged()->set_first(5); }},
      {"network.ports[0].storm_limit_pps: '100'",
       [](auto& n) { n.mutable_ports(0)->set_storm_limit_pps(100); },
       kUnimplemented},
      {"network.mtu: '67'", [](auto& n) { n.set_mtu(67); }},
      {"network.mtu: '65522'", [](auto& n) { n.set_mtu(65522); }},
      {"network.mac: 'x'", [](auto& n) { n.set_mac("x"); }},
      {"network.mac: ", [](auto& n) { n.set_mac("ff:ff:ff:ff:ff:ff"); }},
      {"network.comment: ", [](auto& n) { n.set_comment("\x7f"); }},
      {"network.ports[0]: field number 999",
       [](auto& n) {
         auto* port = n.mutable_ports(0);
         port->GetReflection()->MutableUnknownFields(port)->AddVarint(999, 1);
       },
       kUnimplemented},
  };
  const auto before = StateOnDisk();
  for (const BadCase& bad : cases) {
    v1::Network network = MakeNetwork("lan", {"eoip1"});
    bad.change(network);
    EXPECT_THAT(Create(network), IsError(bad.code, bad.path));
  }
  EXPECT_EQ(StateOnDisk(), before);
  EXPECT_THAT(applier_->applied(), IsEmpty());
}

TEST_F(NetworkServiceTest, APortIsInOneNetworkOnly) {
  v1::Network lan = MakeNetwork("lan", {"eoip1"});
  lan.add_ports()->set_link("eth1");
  ASSERT_THAT(Create(lan), IsOk());
  EXPECT_THAT(Create(MakeNetwork("wan", {"eoip1"})),
              IsError(StatusCode::FAILED_PRECONDITION,
                      "network.ports[0].tunnel: 'tunnels/eoip1': is a port of "
                      "networks/lan"));
  v1::Network wan = MakeNetwork("wan");
  wan.add_ports()->set_link("eth1");
  EXPECT_THAT(Create(wan), IsError(StatusCode::FAILED_PRECONDITION,
                                   "network.ports[0].link: 'eth1'"));
  wan.mutable_ports(0)->set_link("eth2");
  ASSERT_THAT(Create(wan), IsOk());
  wan.mutable_ports(0)->set_tunnel("tunnels/eoip1");
  v1::Network response;
  EXPECT_THAT(Update(wan, {"ports"}, &response),
              IsError(StatusCode::FAILED_PRECONDITION, "networks/lan"));
}

TEST_F(NetworkServiceTest, RefusesANameThatATunnelHas) {
  ASSERT_THAT(Create(MakeTunnel("lan", 1)), IsOk());
  EXPECT_THAT(Create(MakeNetwork("lan")),
              IsError(StatusCode::ALREADY_EXISTS, "tunnels/lan"));
}

TEST_F(NetworkServiceTest, RemembersHostLinksThatLeft) {
  v1::Network network = MakeNetwork("lan", {"eoip1"});
  network.add_ports()->set_link("eth1");
  network.add_ports()->set_link("eth2");
  network.add_released_links("forged");
  v1::Network now;
  ASSERT_THAT(Create(network, &now), IsOk());
  EXPECT_THAT(now.released_links(), IsEmpty());
  ASSERT_THAT(Update(MakeNetwork("lan"), {"ports"}, &now), IsOk());
  EXPECT_THAT(now.released_links(), ElementsAre("eth1", "eth2"));
  StartAgent();
  v1::Network back = MakeNetwork("lan");
  back.add_ports()->set_link("eth1");
  ASSERT_THAT(Update(back, {"*"}, &now), IsOk());
  EXPECT_THAT(now.released_links(), ElementsAre("eth2"));
  EXPECT_THAT(Update(back, {"released_links"}, &now),
              IsError(StatusCode::INVALID_ARGUMENT,
                      "update_mask: 'released_links': no output fields"));
}

TEST_F(NetworkServiceTest, IsNotDeletedWhileItHasAttachments) {
  ASSERT_THAT(Create(MakeNetwork("lan")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0")), IsOk());
  EXPECT_THAT(Delete("networks/lan"), IsError(StatusCode::FAILED_PRECONDITION,
                                              "networks/lan/attachments/pod"));
  Context context;
  v1::DeleteAttachmentRequest request;
  request.set_name("networks/lan/attachments/pod");
  google::protobuf::Empty response;
  ASSERT_THAT(attachments_->DeleteAttachment(&context, request, &response),
              IsOk());
  EXPECT_THAT(Delete("networks/lan"), IsOk());
  EXPECT_THAT(Delete("networks/lan"), IsError(StatusCode::NOT_FOUND, "lan"));
}

TEST_F(NetworkServiceTest, ListsInTheOrderOfNames) {
  for (const char* id : {"c", "a", "b"}) {
    ASSERT_THAT(Create(MakeNetwork(id)), IsOk());
  }
  Context context;
  v1::ListNetworksRequest request;
  v1::ListNetworksResponse response;
  ASSERT_THAT(networks_->ListNetworks(&context, request, &response), IsOk());
  std::vector<std::string> names;
  for (const auto& network : response.networks()) {
    names.push_back(network.name());
  }
  EXPECT_THAT(names, ElementsAre("networks/a", "networks/b", "networks/c"));
}

}  // namespace
}  // namespace eoip
