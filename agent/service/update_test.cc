// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "service/service_fixture.h"

namespace eoip {
namespace {

using ::grpc::StatusCode;

class UpdateTest : public ServiceFixture {
 protected:
  void SetUp() override {
    StartAgent();
    v1::Tunnel tunnel = MakeTunnel("eoip1", 100);
    tunnel.set_mtu(1400);
    tunnel.set_comment("old");
    tunnel.mutable_keepalive()->mutable_interval()->set_seconds(3);
    tunnel.mutable_keepalive()->set_retries(5);
    tunnel.set_dscp(46);
    ASSERT_THAT(Create(tunnel, &before_), IsOk());
  }

  grpc::Status Update(const v1::Tunnel& tunnel,
                      const std::vector<std::string>& paths,
                      bool validate_only = false) {
    Context context;
    v1::UpdateTunnelRequest request;
    *request.mutable_tunnel() = tunnel;
    for (const std::string& path : paths) {
      request.mutable_update_mask()->add_paths(path);
    }
    request.set_validate_only(validate_only);
    after_.Clear();
    return tunnels_->UpdateTunnel(&context, request, &after_);
  }

  static v1::Tunnel Named() {
    v1::Tunnel tunnel;
    tunnel.set_name("tunnels/eoip1");
    return tunnel;
  }

  v1::Tunnel before_, after_;
};

TEST_F(UpdateTest, ChangesOnlyWhatTheMaskNames) {
  v1::Tunnel tunnel = Named();
  tunnel.set_mtu(1444);
  tunnel.set_comment("ignored");
  ASSERT_THAT(Update(tunnel, {"mtu"}), IsOk());
  EXPECT_EQ(after_.mtu(), 1444u);
  EXPECT_EQ(after_.comment(), "old");
  EXPECT_EQ(after_.dscp(), 46u);
  EXPECT_NE(after_.etag(), before_.etag());
  v1::Tunnel read;
  ASSERT_THAT(Get("tunnels/eoip1", &read), IsOk());
  EXPECT_EQ(read.etag(), after_.etag());
}

TEST_F(UpdateTest, ClearsWhatTheMaskNamesAndTheRequestLacks) {
  ASSERT_THAT(Update(Named(), {"dscp", "comment", "keepalive"}), IsOk());
  EXPECT_FALSE(after_.has_dscp());
  EXPECT_EQ(after_.comment(), "");
  EXPECT_FALSE(after_.has_keepalive());
  EXPECT_EQ(after_.mtu(), 1400u);
}

TEST_F(UpdateTest, ReachesNestedFields) {
  v1::Tunnel tunnel = Named();
  tunnel.mutable_keepalive()->mutable_interval()->set_seconds(7);
  ASSERT_THAT(Update(tunnel, {"keepalive.interval"}), IsOk());
  EXPECT_EQ(after_.keepalive().interval().seconds(), 7);
  EXPECT_EQ(after_.keepalive().retries(), 5u);
  ASSERT_THAT(Update(Named(), {"keepalive.interval"}), IsOk());
  EXPECT_FALSE(after_.keepalive().has_interval());
  EXPECT_EQ(after_.keepalive().retries(), 5u);
}

TEST_F(UpdateTest, AStarReplacesEverything) {
  v1::Tunnel tunnel = MakeTunnel("eoip1", 101);
  ASSERT_THAT(Update(tunnel, {"*"}), IsOk());
  EXPECT_EQ(after_.tunnel_id(), 101u);
  EXPECT_EQ(after_.mtu(), 0u);
  EXPECT_FALSE(after_.has_dscp());
  EXPECT_FALSE(after_.has_keepalive());
  // A required field that is left out is missing now.
  EXPECT_THAT(Update(Named(), {"*"}),
              IsError(StatusCode::INVALID_ARGUMENT, "tunnel.kind: "));
}

TEST_F(UpdateTest, WithoutAMaskTakesWhatIsSet) {
  v1::Tunnel tunnel = Named();
  tunnel.set_dscp(0);
  tunnel.mutable_keepalive()->set_off(true);
  tunnel.mutable_status()->set_reason("not mine to say");
  ASSERT_THAT(Update(tunnel, {}), IsOk());
  EXPECT_TRUE(after_.has_dscp());
  EXPECT_EQ(after_.dscp(), 0u);
  EXPECT_TRUE(after_.keepalive().off());
  EXPECT_FALSE(after_.keepalive().has_interval());
  EXPECT_EQ(after_.mtu(), 1400u);
  EXPECT_EQ(after_.status().reason(), "");
}

TEST_F(UpdateTest, RefusesBadMasksAndChangesNothing) {
  const auto state = StateOnDisk();
  for (const char* path :
       {"", "nonsense", "status", "status.state", "etag", "keepalive.nonsense",
        "keepalive.interval.seconds", "mtu.x", "Mtu", "keepalive.", ".mtu"}) {
    EXPECT_THAT(Update(Named(), {path}),
                IsError(StatusCode::INVALID_ARGUMENT,
                        std::string("update_mask: '") + path + "'"));
  }
  EXPECT_THAT(Update(Named(), {"*", "mtu"}),
              IsError(StatusCode::INVALID_ARGUMENT, "update_mask: '*'"));
  EXPECT_EQ(StateOnDisk(), state);
}

TEST_F(UpdateTest, RefusesImmutableFields) {
  const auto state = StateOnDisk();
  v1::Tunnel tunnel = Named();
  tunnel.set_kind(v1::EOIPV6);
  tunnel.set_remote("2001:db8::1");
  EXPECT_THAT(Update(tunnel, {"kind", "remote"}),
              IsError(StatusCode::INVALID_ARGUMENT,
                      "tunnel.kind: 'EOIPV6': immutable"));
  EXPECT_EQ(StateOnDisk(), state);
}

TEST_F(UpdateTest, KeepsANamedDatapathThatIsInUse) {
  v1::Tunnel tunnel = Named();
  tunnel.set_datapath(v1::TAP);
  ASSERT_THAT(Update(tunnel, {"datapath"}), IsOk());
  board_->SetTunnel("eoip1", {.state = TunnelState::kActive,
                              .datapath = DatapathType::kTap,
                              .ifindex = 7});
  EXPECT_THAT(Update(Named(), {"datapath"}),
              IsError(StatusCode::FAILED_PRECONDITION, "tunnel.datapath: "));
  // Not in use: there is no link.
  board_->SetTunnel(
      "eoip1", {.state = TunnelState::kFailed, .datapath = DatapathType::kTap});
  EXPECT_THAT(Update(Named(), {"datapath"}), IsOk());
}

TEST_F(UpdateTest, ComparesTheEtag) {
  v1::Tunnel tunnel = Named();
  tunnel.set_mtu(1300);
  tunnel.set_etag("old");
  EXPECT_THAT(Update(tunnel, {"mtu"}),
              IsError(StatusCode::ABORTED, "etag: 'old'"));
  tunnel.set_etag(before_.etag());
  EXPECT_THAT(Update(tunnel, {"mtu"}), IsOk());
}

TEST_F(UpdateTest, WritesNothingWhereNothingChanges) {
  const auto state = StateOnDisk();
  const size_t applied = applier_->applied().size();
  v1::Tunnel tunnel = Named();
  tunnel.set_mtu(1400);
  ASSERT_THAT(Update(tunnel, {"mtu"}), IsOk());
  EXPECT_EQ(after_.etag(), before_.etag());
  EXPECT_EQ(StateOnDisk(), state);
  EXPECT_EQ(applier_->applied().size(), applied);
}

TEST_F(UpdateTest, ValidateOnlyShowsTheResult) {
  const auto state = StateOnDisk();
  v1::Tunnel tunnel = Named();
  tunnel.set_mtu(1300);
  ASSERT_THAT(Update(tunnel, {"mtu"}, /*validate_only=*/true), IsOk());
  EXPECT_EQ(after_.mtu(), 1300u);
  EXPECT_EQ(after_.comment(), "old");
  EXPECT_EQ(StateOnDisk(), state);
}

TEST_F(UpdateTest, KeepsTheKeyUnique) {
  ASSERT_THAT(Create(MakeTunnel("eoip2", 200)), IsOk());
  v1::Tunnel tunnel = Named();
  tunnel.set_tunnel_id(200);
  EXPECT_THAT(Update(tunnel, {"tunnel_id"}),
              IsError(StatusCode::ALREADY_EXISTS, "tunnels/eoip2"));
}

TEST_F(UpdateTest, AllowMissingCreates) {
  Context one, two, three;
  v1::UpdateTunnelRequest request;
  *request.mutable_tunnel() = MakeTunnel("new", 7);
  request.mutable_update_mask()->add_paths("mtu");
  EXPECT_THAT(tunnels_->UpdateTunnel(&one, request, &after_),
              IsError(StatusCode::NOT_FOUND, "tunnels/new"));
  request.set_allow_missing(true);
  ASSERT_THAT(tunnels_->UpdateTunnel(&two, request, &after_), IsOk());
  EXPECT_EQ(after_.tunnel_id(), 7u);
  request.mutable_tunnel()->set_name("tunnels/other");
  request.mutable_tunnel()->set_etag("x");
  EXPECT_THAT(tunnels_->UpdateTunnel(&three, request, &after_),
              IsError(StatusCode::ABORTED, "etag"));
}

}  // namespace
}  // namespace eoip
