// SPDX-License-Identifier: Apache-2.0
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/service_fixture.h"

namespace eoip {
namespace {

using ::grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TunnelServiceTest : public ServiceFixture {
 protected:
  grpc::Status List(int page_size, const std::string& token,
                    v1::ListTunnelsResponse* response) {
    Context context;
    v1::ListTunnelsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(token);
    return tunnels_->ListTunnels(&context, request, response);
  }
  grpc::Status Delete(const v1::DeleteTunnelRequest& request) {
    Context context;
    google::protobuf::Empty response;
    return tunnels_->DeleteTunnel(&context, request, &response);
  }
};

TEST_F(TunnelServiceTest, CreateStoresAppliesAndAnswers) {
  v1::Tunnel created;
  ASSERT_THAT(Create(MakeTunnel("eoip1", 100), &created), IsOk());
  EXPECT_EQ(created.name(), "tunnels/eoip1");
  EXPECT_EQ(created.tunnel_id(), 100u);
  EXPECT_FALSE(created.etag().empty());
  EXPECT_EQ(created.status().state(), v1::TunnelStatus::ACTIVE);
  EXPECT_TRUE(created.status().has_last_change());
  EXPECT_THAT(applier_->applied(), ElementsAre("tunnels/eoip1"));
  EXPECT_EQ(StateOnDisk().count("tunnels/eoip1.json"), 1u);

  StartAgent();
  v1::Tunnel after;
  ASSERT_THAT(Get("tunnels/eoip1", &after), IsOk());
  EXPECT_EQ(after.etag(), created.etag());
  EXPECT_EQ(after.status().state(), v1::TunnelStatus::PENDING);
  after.clear_status();
  created.clear_status();
  EXPECT_EQ(after.SerializeAsString(), created.SerializeAsString());
}

TEST_F(TunnelServiceTest, KeepsEveryField) {
  v1::Tunnel tunnel = MakeTunnel("full", 4095);
  tunnel.set_kind(v1::EOIPV6);
  tunnel.set_local("2001:db8::1");
  tunnel.set_remote("2001:db8::2");
  tunnel.set_mtu(1444);
  tunnel.set_ttl(64);
  tunnel.set_dscp(0);
  tunnel.set_dont_fragment(v1::DONT_FRAGMENT_INHERIT);
  tunnel.mutable_keepalive()->mutable_interval()->set_seconds(3);
  tunnel.mutable_keepalive()->set_retries(5);
  tunnel.set_clamp_tcp_mss(false);
  tunnel.set_fwmark(7);
  tunnel.set_vrf("red");
  tunnel.set_mac("02:00:00:00:00:0a");
  tunnel.set_disabled(true);
  tunnel.set_datapath(v1::TAP);
  tunnel.set_allow_fast_path(false);
  tunnel.set_arp(v1::ARP_ENABLED);
  tunnel.set_comment("B\xc3\xbcro");
  v1::Tunnel created;
  ASSERT_THAT(Create(tunnel, &created), IsOk());
  StartAgent();
  ASSERT_THAT(Get("tunnels/full", &created), IsOk());
  created.clear_etag();
  created.clear_status();
  EXPECT_EQ(created.DebugString(), tunnel.DebugString());
}

TEST_F(TunnelServiceTest, OutputFieldsOfARequestAreIgnored) {
  v1::Tunnel tunnel = MakeTunnel("eoip1", 1);
  tunnel.set_etag("mine");
  tunnel.mutable_status()->set_state(v1::TunnelStatus::FAILED);
  v1::Tunnel created;
  ASSERT_THAT(Create(tunnel, &created), IsOk());
  EXPECT_NE(created.etag(), "mine");
  EXPECT_EQ(created.status().state(), v1::TunnelStatus::ACTIVE);
}

struct BadCase {
  const char* path;
  std::function<void(v1::Tunnel&)> change;
  StatusCode code = StatusCode::INVALID_ARGUMENT;
};

std::vector<BadCase> BadTunnels() {
  constexpr auto kUnimplemented = StatusCode::UNIMPLEMENTED;
  return {
      {"tunnel.name: ''", [](auto& t) { t.clear_name(); }},
      {"tunnel.name: 'eoip9'", [](auto& t) { t.set_name("eoip9"); }},
      {"tunnel.name: ", [](auto& t) { t.set_name("tunnels/lo"); }},
      {"tunnel.name: ", [](auto& t) { t.set_name("tunnels/../x"); }},
      {"tunnel.kind: ", [](auto& t) { t.clear_kind(); }},
      {"tunnel.kind: '77'",
       [](auto& t) { t.set_kind(static_cast<v1::TunnelKind>(77)); }},
      {"tunnel.kind: 'IPIP'", [](auto& t) { t.set_kind(v1::IPIP); },
       kUnimplemented},
      {"tunnel.kind: 'IPIPV6'",
       [](auto& t) {
         t.set_kind(v1::IPIPV6);
         t.set_remote("2001:db8::1");
       },
       kUnimplemented},
      {"tunnel.local: 'nonsense'", [](auto& t) { t.set_local("nonsense"); }},
      {"tunnel.local: ", [](auto& t) { t.set_local("2001:db8::1"); }},
      {"tunnel.local: ", [](auto& t) { t.set_local("192.0.2.2/24"); }},
      {"tunnel.remote: ''", [](auto& t) { t.clear_remote(); }},
      {"tunnel.remote: ", [](auto& t) { t.set_remote("2001:db8::1"); }},
      {"tunnel.remote: ", [](auto& t) { t.set_remote("192.0.2.300"); }},
      {"tunnel.remote: ", [](auto& t) { t.set_remote("224.0.0.1"); }},
      {"tunnel.remote: ", [](auto& t) { t.set_local("192.0.2.1"); }},
      {"tunnel.remote: 'site.example'",
       [](auto& t) { t.set_remote("site.example"); }, kUnimplemented},
      {"tunnel.tunnel_id: ''", [](auto& t) { t.clear_tunnel_id(); }},
      {"tunnel.tunnel_id: '65536'", [](auto& t) { t.set_tunnel_id(65536); }},
      {"tunnel.tunnel_id: '4096'",
       [](auto& t) {
         t.set_kind(v1::EOIPV6);
         t.set_remote("2001:db8::1");
         t.set_tunnel_id(4096);
       }},
      {"tunnel.mtu: '67'", [](auto& t) { t.set_mtu(67); }},
      {"tunnel.mtu: '65522'", [](auto& t) { t.set_mtu(65522); }},
      {"tunnel.ttl: '256'", [](auto& t) { t.set_ttl(256); }},
      {"tunnel.dscp: '64'", [](auto& t) { t.set_dscp(64); }},
      {"tunnel.dont_fragment: '9'",
       [](auto& t) { t.set_dont_fragment(static_cast<v1::DontFragment>(9)); }},
      {"tunnel.keepalive.interval: ",
       [](auto& t) { t.mutable_keepalive()->mutable_interval(); }},
      {"tunnel.keepalive.interval: ",
       [](auto& t) {
         t.mutable_keepalive()->mutable_interval()->set_seconds(3601);
       }},
      {"tunnel.keepalive.interval: ",
       [](auto& t) {
         t.mutable_keepalive()->mutable_interval()->set_seconds(-1);
       }},
      {"tunnel.keepalive.interval: ",
       [](auto& t) {
         t.mutable_keepalive()->mutable_interval()->set_seconds(1LL << 40);
       }},
      {"tunnel.keepalive.interval: ",
       [](auto& t) {
         t.mutable_keepalive()->mutable_interval()->set_nanos(500000000);
       }},
      {"tunnel.keepalive.retries: '256'",
       [](auto& t) { t.mutable_keepalive()->set_retries(256); }},
      {"tunnel.keepalive.retries: ",
       [](auto& t) { t.mutable_keepalive()->set_retries(0xffffffff); }},
      {"tunnel.keepalive.retries: ",
       [](auto& t) {
         t.mutable_keepalive()->set_off(true);
         t.mutable_keepalive()->set_retries(3);
       }},
      {"tunnel.link: ", [](auto& t) { t.set_link("no link"); }},
      {"tunnel.vrf: ", [](auto& t) { t.set_vrf("sixteen-chars-xx"); }},
      {"tunnel.vrf: ",
       [](auto& t) {
         t.set_link("eth0");
         t.set_vrf("red");
       }},
      {"tunnel.mac: 'junk'", [](auto& t) { t.set_mac("junk"); }},
      {"tunnel.mac: ", [](auto& t) { t.set_mac("01:00:5e:00:00:01"); }},
      {"tunnel.datapath: 'BPF'", [](auto& t) { t.set_datapath(v1::BPF); },
       kUnimplemented},
      {"tunnel.datapath: '9'",
       [](auto& t) { t.set_datapath(static_cast<v1::Datapath>(9)); }},
      {"tunnel.ipsec_secret: '(hidden)'",
       [](auto& t) { t.set_ipsec_secret("hush"); }, kUnimplemented},
      {"tunnel.arp: 'ARP_DISABLED'",
       [](auto& t) { t.set_arp(v1::ARP_DISABLED); }, kUnimplemented},
      {"tunnel.arp: '9'", [](auto& t) { t.set_arp(static_cast<v1::Arp>(9)); }},
      {"tunnel.arp_timeout: ",
       [](auto& t) { t.mutable_arp_timeout()->set_seconds(30); },
       kUnimplemented},
      {"tunnel.loop_protect: ", [](auto& t) { t.mutable_loop_protect(); },
       kUnimplemented},
      {"tunnel.comment: ", [](auto& t) { t.set_comment("a\nb"); }},
      {"tunnel.comment: ",
       [](auto& t) { t.set_comment(std::string(256, 'x')); }},
      {"tunnel: field number 999",
       [](auto& t) {
         t.GetReflection()->MutableUnknownFields(&t)->AddVarint(999, 1);
       },
       kUnimplemented},
      {"tunnel.keepalive: field number 999",
       [](auto& t) {
         auto* keepalive = t.mutable_keepalive();
         keepalive->GetReflection()->MutableUnknownFields(keepalive)->AddVarint(
             999, 1);
       },
       kUnimplemented},
  };
}

TEST_F(TunnelServiceTest, RefusesEveryBadFieldByNameAndChangesNothing) {
  ASSERT_THAT(Create(MakeTunnel("eoip1", 100)), IsOk());
  const auto before = StateOnDisk();
  const auto applied = applier_->applied();
  for (const BadCase& bad : BadTunnels()) {
    v1::Tunnel tunnel = MakeTunnel("eoip2", 200);
    bad.change(tunnel);
    const grpc::Status status = Create(tunnel);
    EXPECT_THAT(status, IsError(bad.code, bad.path));
    EXPECT_EQ(status.error_message().find("hush"), std::string::npos);
    // The same by Update, of a tunnel that is there and of one that is not.
    Context context, missing_context;
    v1::UpdateTunnelRequest update;
    v1::Tunnel response;
    *update.mutable_tunnel() = tunnel;
    update.set_allow_missing(true);
    EXPECT_THAT(tunnels_->UpdateTunnel(&missing_context, update, &response),
                IsError(bad.code, bad.path));
    if (tunnel.name() == "tunnels/eoip2") {
      update.mutable_tunnel()->set_name("tunnels/eoip1");
      update.mutable_update_mask()->add_paths("*");
      EXPECT_FALSE(tunnels_->UpdateTunnel(&context, update, &response).ok());
    }
  }
  EXPECT_EQ(StateOnDisk(), before);
  EXPECT_EQ(applier_->applied(), applied);
}

TEST_F(TunnelServiceTest, RefusesATakenNameOrKeyAndNamesTheOther) {
  ASSERT_THAT(Create(MakeTunnel("eoip1", 100)), IsOk());
  ASSERT_THAT(Create(MakeNetwork("lan", {"port1"})), IsOk());
  const auto before = StateOnDisk();
  EXPECT_THAT(Create(MakeTunnel("eoip1", 1)),
              IsError(StatusCode::ALREADY_EXISTS, "tunnel.name: "));
  EXPECT_THAT(Create(MakeTunnel("eoip2", 100)),
              IsError(StatusCode::ALREADY_EXISTS, "tunnels/eoip1"));
  EXPECT_THAT(Create(MakeTunnel("lan", 1)),
              IsError(StatusCode::ALREADY_EXISTS, "networks/lan"));
  EXPECT_EQ(StateOnDisk(), before);
  v1::Tunnel other_local = MakeTunnel("eoip2", 100);
  other_local.set_local("192.0.2.9");
  EXPECT_THAT(Create(other_local), IsOk());
  EXPECT_THAT(Create(MakeTunnel("port1", 101)), IsOk());
}

TEST_F(TunnelServiceTest, ValidateOnlyChangesNothing) {
  Context context;
  v1::CreateTunnelRequest request;
  *request.mutable_tunnel() = MakeTunnel("eoip1", 1);
  request.set_validate_only(true);
  v1::Tunnel response;
  ASSERT_THAT(tunnels_->CreateTunnel(&context, request, &response), IsOk());
  EXPECT_EQ(response.name(), "tunnels/eoip1");
  EXPECT_EQ(response.etag(), "");
  EXPECT_THAT(Get("tunnels/eoip1", &response),
              IsError(StatusCode::NOT_FOUND, "tunnels/eoip1"));
  EXPECT_THAT(applier_->applied(), IsEmpty());
}

TEST_F(TunnelServiceTest, ADatapathThatFailsIsStateAndNoError) {
  applier_->SetHook([&](const std::string&, absl::Time) {
    board_->SetTunnel("eoip1", {.state = TunnelState::kFailed,
                                .reason = "kernel module eoip is not loaded"});
    return absl::OkStatus();
  });
  v1::Tunnel created;
  ASSERT_THAT(Create(MakeTunnel("eoip1", 1), &created), IsOk());
  EXPECT_EQ(created.status().state(), v1::TunnelStatus::FAILED);
  EXPECT_EQ(created.status().reason(), "kernel module eoip is not loaded");
}

TEST_F(TunnelServiceTest, AnswersWithin2SecondsWhereApplyingTakesLonger) {
  applier_->SetHook([](const std::string&, absl::Time deadline) {
    absl::SleepFor(deadline - absl::Now());
    return absl::DeadlineExceededError("");
  });
  const absl::Time start = absl::Now();
  v1::Tunnel created;
  ASSERT_THAT(Create(MakeTunnel("eoip1", 1), &created), IsOk());
  EXPECT_GE(absl::Now() - start, absl::Seconds(1.9));
  EXPECT_LT(absl::Now() - start, absl::Seconds(10));
  EXPECT_EQ(created.status().state(), v1::TunnelStatus::PENDING);
}

TEST_F(TunnelServiceTest, GetAndListShowCountersReadAtOnce) {
  for (int i = 0; i < 3; ++i) {
    ASSERT_THAT(Create(MakeTunnel(absl::StrCat("t", i), i)), IsOk());
  }
  TunnelReading reading;
  reading.counters.rx_packets = 7;
  reading.counters.drops["rx_bad_length"] = 2;
  reading.counters.details["rx_super_frames"] = 3;
  reading.last_heard = absl::Seconds(5);
  applier_->SetReadings({{"t1", reading}});
  v1::ListTunnelsResponse list;
  ASSERT_THAT(List(0, "", &list), IsOk());
  ASSERT_EQ(list.tunnels_size(), 3);
  EXPECT_THAT(applier_->last_read(), ElementsAre("t0", "t1", "t2"));
  EXPECT_FALSE(list.tunnels(0).status().has_counters());
  EXPECT_EQ(list.tunnels(1).status().counters().rx_packets(), 7u);
  v1::Tunnel one;
  ASSERT_THAT(Get("tunnels/t1", &one), IsOk());
  EXPECT_EQ(one.status().counters().drops().at("rx_bad_length"), 2u);
  EXPECT_EQ(one.status().counters().details().at("rx_super_frames"), 3u);
  const int64_t age =
      absl::ToUnixSeconds(absl::Now()) - one.status().last_heard().seconds();
  EXPECT_GE(age, 4);
  EXPECT_LE(age, 15);
}

TEST_F(TunnelServiceTest, PagesSurviveChangesInBetween) {
  for (int i = 0; i < 7; ++i) {
    ASSERT_THAT(Create(MakeTunnel(absl::StrCat("t", i), i)), IsOk());
  }
  v1::ListTunnelsResponse first, second, third;
  ASSERT_THAT(List(3, "", &first), IsOk());
  ASSERT_EQ(first.tunnels_size(), 3);
  EXPECT_EQ(first.tunnels(2).name(), "tunnels/t2");
  // The last one of the page goes, one before it comes, one after it goes.
  ASSERT_THAT(DeleteTunnel("tunnels/t2"), IsOk());
  ASSERT_THAT(Create(MakeTunnel("a", 99)), IsOk());
  ASSERT_THAT(DeleteTunnel("tunnels/t4"), IsOk());
  ASSERT_THAT(List(2, first.next_page_token(), &second), IsOk());
  ASSERT_EQ(second.tunnels_size(), 2);
  EXPECT_EQ(second.tunnels(0).name(), "tunnels/t3");
  EXPECT_EQ(second.tunnels(1).name(), "tunnels/t5");
  ASSERT_THAT(List(2, second.next_page_token(), &third), IsOk());
  ASSERT_EQ(third.tunnels_size(), 1);
  EXPECT_EQ(third.tunnels(0).name(), "tunnels/t6");
  EXPECT_EQ(third.next_page_token(), "");
}

TEST_F(TunnelServiceTest, AFullLastPageHasNoToken) {
  ASSERT_THAT(Create(MakeTunnel("t0", 0)), IsOk());
  ASSERT_THAT(Create(MakeTunnel("t1", 1)), IsOk());
  v1::ListTunnelsResponse page;
  ASSERT_THAT(List(2, "", &page), IsOk());
  EXPECT_EQ(page.tunnels_size(), 2);
  EXPECT_EQ(page.next_page_token(), "");
}

TEST_F(TunnelServiceTest, RefusesBadPages) {
  v1::ListTunnelsResponse page;
  EXPECT_THAT(List(-1, "", &page),
              IsError(StatusCode::INVALID_ARGUMENT, "page_size: '-1'"));
  EXPECT_THAT(List(0, "junk", &page),
              IsError(StatusCode::INVALID_ARGUMENT, "page_token: 'junk'"));
}

TEST_F(TunnelServiceTest, DeleteHasItsConditions) {
  v1::Tunnel created;
  ASSERT_THAT(Create(MakeTunnel("eoip1", 1), &created), IsOk());
  v1::DeleteTunnelRequest request;
  request.set_name("tunnels/none");
  EXPECT_THAT(Delete(request), IsError(StatusCode::NOT_FOUND, "tunnels/none"));
  request.set_allow_missing(true);
  EXPECT_THAT(Delete(request), IsOk());
  request.set_name("none");
  EXPECT_THAT(Delete(request),
              IsError(StatusCode::INVALID_ARGUMENT, "name: 'none'"));
  request.set_name("tunnels/eoip1");
  request.set_etag("old");
  EXPECT_THAT(Delete(request), IsError(StatusCode::ABORTED, "etag: 'old'"));
  request.set_etag(created.etag());
  request.set_validate_only(true);
  EXPECT_THAT(Delete(request), IsOk());
  EXPECT_THAT(Get("tunnels/eoip1", &created), IsOk());
  request.set_validate_only(false);
  EXPECT_THAT(Delete(request), IsOk());
  EXPECT_THAT(Get("tunnels/eoip1", &created),
              IsError(StatusCode::NOT_FOUND, ""));
  EXPECT_EQ(StateOnDisk().count("tunnels/eoip1.json"), 0u);
}

TEST_F(TunnelServiceTest, APortOfANetworkIsNotDeleted) {
  ASSERT_THAT(Create(MakeTunnel("eoip1", 1)), IsOk());
  ASSERT_THAT(Create(MakeNetwork("lan", {"eoip1"})), IsOk());
  EXPECT_THAT(DeleteTunnel("tunnels/eoip1"),
              IsError(StatusCode::FAILED_PRECONDITION, "networks/lan"));
  v1::Tunnel tunnel;
  EXPECT_THAT(Get("tunnels/eoip1", &tunnel), IsOk());
}

TEST_F(TunnelServiceTest, ASetAsideTunnelCanBeDeletedOrMadeAnew) {
  for (const char* id : {"a", "b"}) {
    ASSERT_THAT(Create(MakeTunnel(id, id[0])), IsOk());
  }
  StopAgent();
  for (const char* id : {"a", "b"}) {
    std::filesystem::resize_file(
        root_ / "state" / "tunnels" / (std::string(id) + ".json"), 40);
  }
  StartAgent();
  EXPECT_THAT(store_->Snapshot().protected_links, ElementsAre("a", "b"));
  EXPECT_THAT(Create(MakeNetwork("a")),
              IsError(StatusCode::ALREADY_EXISTS, "set aside"));
  EXPECT_THAT(DeleteTunnel("tunnels/a"), IsOk());
  EXPECT_THAT(applier_->applied(), ElementsAre("tunnels/a"));
  EXPECT_THAT(Create(MakeTunnel("b", 5)), IsOk());
  EXPECT_THAT(store_->Snapshot().protected_links, IsEmpty());
}

TEST_F(TunnelServiceTest, SaysUnavailableWhereNothingCanBeStored) {
  std::filesystem::remove_all(root_ / "state" / "tunnels");
  EXPECT_THAT(Create(MakeTunnel("eoip1", 1)),
              IsError(StatusCode::UNAVAILABLE, "tunnels"));
  EXPECT_THAT(applier_->applied(), IsEmpty());
}

TEST_F(TunnelServiceTest, ARequestThatIsTooLargeIsRefused) {
  v1::Tunnel tunnel = MakeTunnel("eoip1", 1);
  tunnel.set_comment(std::string(2 << 20, 'x'));
  EXPECT_EQ(Create(tunnel).error_code(), StatusCode::RESOURCE_EXHAUSTED);
}

}  // namespace
}  // namespace eoip
