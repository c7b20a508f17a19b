// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/service_fixture.h"

namespace eoip {
namespace {

using ::grpc::StatusCode;

// One watch; Next blocks until a message comes or the call ends.
class Watch {
 public:
  Watch(v1::TunnelService::Stub* stub, const std::string& name = "") {
    v1::WatchTunnelsRequest request;
    request.set_name(name);
    reader_ = stub->WatchTunnels(&context_, request);
  }
  ~Watch() {
    if (reader_ != nullptr) {
      context_.TryCancel();
      End();
    }
  }
  // "ADDED tunnels/a ACTIVE"; "" at the end.
  std::string Next() {
    v1::WatchTunnelsResponse response;
    if (!reader_->Read(&response)) return "";
    last = response.tunnel();
    return absl::StrCat(
        v1::WatchTunnelsResponse::Type_Name(response.type()),
        response.has_tunnel() ? " " : "", response.tunnel().name(),
        response.has_tunnel() ? " " : "",
        response.has_tunnel()
            ? v1::TunnelStatus::State_Name(response.tunnel().status().state())
            : "");
  }
  // Reads up to the message.
  bool Find(const std::string& wanted) {
    for (std::string got = Next(); !got.empty(); got = Next()) {
      if (got == wanted) return true;
    }
    return false;
  }
  grpc::Status End() {
    v1::WatchTunnelsResponse response;
    while (reader_->Read(&response)) {
    }
    const grpc::Status status = reader_->Finish();
    reader_.reset();
    return status;
  }
  v1::Tunnel last;

 private:
  Context context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchTunnelsResponse>> reader_;
};

class WatchTest : public ServiceFixture {};

TEST_F(WatchTest, TellsWhatIsThereThenSyncedThenEachChange) {
  ASSERT_THAT(Create(MakeTunnel("b", 2)), IsOk());
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  Watch watch(tunnels_.get());
  EXPECT_EQ(watch.Next(), "ADDED tunnels/a ACTIVE");
  EXPECT_EQ(watch.Next(), "ADDED tunnels/b ACTIVE");
  EXPECT_EQ(watch.Next(), "SYNCED");
  board_->SetTunnel("a", {.state = TunnelState::kPeerDown});
  EXPECT_EQ(watch.Next(), "MODIFIED tunnels/a PEER_DOWN");
  ASSERT_THAT(Create(MakeTunnel("c", 3)), IsOk());
  // PENDING may or may not be seen on the way.
  EXPECT_TRUE(watch.Find("MODIFIED tunnels/c ACTIVE") ||
              watch.last.name() == "tunnels/c");
  ASSERT_THAT(DeleteTunnel("tunnels/b"), IsOk());
  EXPECT_TRUE(watch.Find("DELETED tunnels/b ACTIVE"));
  EXPECT_EQ(watch.last.tunnel_id(), 2u);
}

TEST_F(WatchTest, TellsChangesOfTheDesiredState) {
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  Watch watch(tunnels_.get());
  EXPECT_TRUE(watch.Find("SYNCED"));
  Context context;
  v1::UpdateTunnelRequest request;
  v1::Tunnel response;
  request.mutable_tunnel()->set_name("tunnels/a");
  request.mutable_tunnel()->set_comment("new");
  ASSERT_THAT(tunnels_->UpdateTunnel(&context, request, &response), IsOk());
  EXPECT_EQ(watch.Next(), "MODIFIED tunnels/a ACTIVE");
  EXPECT_EQ(watch.last.comment(), "new");
  EXPECT_EQ(watch.last.etag(), response.etag());
}

TEST_F(WatchTest, OfOneTunnelThatNeedNotExist) {
  ASSERT_THAT(Create(MakeTunnel("b", 2)), IsOk());
  Watch watch(tunnels_.get(), "tunnels/a");
  EXPECT_EQ(watch.Next(), "SYNCED");
  board_->SetTunnel("b", {.state = TunnelState::kFailed});
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  EXPECT_THAT(watch.Next(), testing::StartsWith("ADDED tunnels/a"));
}

TEST_F(WatchTest, RefusesABadName) {
  Watch watch(tunnels_.get(), "a");
  EXPECT_EQ(watch.Next(), "");
  EXPECT_THAT(watch.End(), IsError(StatusCode::INVALID_ARGUMENT, "name: 'a'"));
}

TEST_F(WatchTest, OfAttachmentsTellsThoseThatTheWorkerForgets) {
  ASSERT_THAT(Create(MakeNetwork("lan")), IsOk());
  ASSERT_THAT(Create(MakeNetwork("wan")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("wan", "pod", "veth1")), IsOk());
  Context context;
  v1::WatchAttachmentsRequest request;
  request.set_parent("networks/lan");
  auto reader = attachments_->WatchAttachments(&context, request);
  v1::WatchAttachmentsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.attachment().name(), "networks/lan/attachments/pod");
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.type(), v1::WatchTunnelsResponse::SYNCED);
  const AttachmentKey key{"lan", "pod"};
  ASSERT_TRUE(store_->DeleteAttachment(key).ok());
  board_->EraseAttachment(key);
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.type(), v1::WatchTunnelsResponse::DELETED);
  EXPECT_EQ(response.attachment().host_link(), "veth0");
  context.TryCancel();
  reader->Finish();
}

TEST_F(WatchTest, OfNetworksTellsTheirStatus) {
  ASSERT_THAT(Create(MakeNetwork("lan")), IsOk());
  Context context;
  auto reader = networks_->WatchNetworks(&context, v1::WatchNetworksRequest());
  v1::WatchNetworksResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.network().name(), "networks/lan");
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.type(), v1::WatchTunnelsResponse::SYNCED);
  board_->SetNetwork("lan", {.state = NetworkState::kDegraded});
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.type(), v1::WatchTunnelsResponse::MODIFIED);
  EXPECT_EQ(response.network().status().state(), v1::NetworkStatus::DEGRADED);
  context.TryCancel();
  reader->Finish();
}

TEST_F(WatchTest, ManyWatchersHearTheSame) {
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 10; ++i) {
    watches.push_back(std::make_unique<Watch>(tunnels_.get()));
    EXPECT_EQ(watches.back()->Next(), "SYNCED");
  }
  watches.erase(watches.begin() + 3);
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  for (auto& watch : watches) {
    EXPECT_THAT(watch->Next(), testing::StartsWith("ADDED tunnels/a"));
  }
}

class LimitedWatchTest : public ServiceFixture {
 protected:
  void SetUp() override {
    watch_limits_ = {.max_watchers = 2, .max_backlog = 50};
    StartAgent();
  }
};

TEST_F(LimitedWatchTest, RefusesOneWatcherTooMany) {
  Watch one(tunnels_.get()), two(tunnels_.get());
  EXPECT_EQ(one.Next(), "SYNCED");
  EXPECT_EQ(two.Next(), "SYNCED");
  Watch three(tunnels_.get());
  EXPECT_THAT(three.End(), IsError(StatusCode::RESOURCE_EXHAUSTED, "watchers"));
}

TEST_F(LimitedWatchTest, EndsAReaderThatFallsTooFarBehind) {
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  Watch slow(tunnels_.get());
  EXPECT_TRUE(slow.Find("SYNCED"));
  // Far more than the windows of one stream hold, unread.
  for (int i = 0; i < 40000; ++i) {
    board_->SetTunnel("a", {.state = TunnelState::kFailed,
                            .reason = absl::StrCat(std::string(2000, 'x'), i)});
  }
  EXPECT_THAT(slow.End(),
              IsError(StatusCode::RESOURCE_EXHAUSTED, "reads too slowly"));
  // The others are not touched, and it may come back.
  Watch again(tunnels_.get());
  EXPECT_EQ(again.Next(), "ADDED tunnels/a FAILED");
  EXPECT_EQ(again.Next(), "SYNCED");
}

TEST_F(LimitedWatchTest, MergesForASlowReaderButTellsTheLastState) {
  ASSERT_THAT(Create(MakeTunnel("a", 1)), IsOk());
  Watch watch(tunnels_.get());
  EXPECT_TRUE(watch.Find("SYNCED"));
  for (int i = 0; i < 30; ++i) {
    board_->SetTunnel(
        "a", {.state = TunnelState::kActive, .reason = absl::StrCat("n", i)});
  }
  do {
    ASSERT_EQ(watch.Next(), "MODIFIED tunnels/a ACTIVE");
  } while (watch.last.status().reason() != "n29");
}

}  // namespace
}  // namespace eoip
