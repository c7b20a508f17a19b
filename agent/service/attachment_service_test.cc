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

constexpr char kPod[] = "networks/lan/attachments/pod";

class AttachmentServiceTest : public ServiceFixture {
 protected:
  void SetUp() override {
    StartAgent();
    ASSERT_THAT(Create(MakeNetwork("lan")), IsOk());
  }
  // What the worker does with attachments from now on.
  void OnApply(std::function<void(const AttachmentKey&)> change,
               absl::Status answer = absl::OkStatus()) {
    applier_->SetHook([=, this](const std::string& resource, absl::Time) {
      const auto key = ParseAttachmentName("", resource);
      if (key.ok() && store_->GetAttachment(*key) != nullptr) change(*key);
      return answer;
    });
  }
  bool Stored() const {
    return store_->GetAttachment({"lan", "pod"}) != nullptr;
  }
};

TEST_F(AttachmentServiceTest, CreateAnswersWhenThePortIsActive) {
  v1::Attachment pod = MakeAttachment("lan", "pod", "veth0");
  pod.set_container_id("c0ffee");
  pod.set_ifname("eth0");
  pod.set_netns("/run/netns/pod");
  pod.set_mac("02:00:00:00:00:01");
  pod.add_addresses("192.0.2.7/24");
  pod.set_isolated(true);
  pod.set_hairpin(true);
  pod.set_pod_namespace("default");
  pod.set_pod_name("web-0");
  v1::Attachment created;
  ASSERT_THAT(Create(pod, &created), IsOk());
  EXPECT_EQ(created.status().state(), v1::AttachmentStatus::ACTIVE);
  StartAgent();
  Context context;
  v1::GetAttachmentRequest request;
  request.set_name(kPod);
  ASSERT_THAT(attachments_->GetAttachment(&context, request, &created), IsOk());
  created.clear_etag();
  created.clear_status();
  EXPECT_EQ(created.DebugString(), pod.DebugString());
}

TEST_F(AttachmentServiceTest, KeepsNothingWhereApplyingFails) {
  OnApply([&](const AttachmentKey& key) {
    board_->SetAttachment(key, {.state = AttachmentState::kFailed,
                                .reason = "networks/lan has no bridge"});
  });
  board_->SetNetwork("lan", {.state = NetworkState::kFailed,
                             .reason = "a foreign link has the name"});
  const auto before = StateOnDisk();
  const grpc::Status status = Create(MakeAttachment("lan", "pod", "veth0"));
  EXPECT_THAT(status, IsError(StatusCode::FAILED_PRECONDITION,
                              "networks/lan has no bridge"));
  EXPECT_THAT(status, IsError(StatusCode::FAILED_PRECONDITION,
                              "a foreign link has the name"));
  EXPECT_EQ(StateOnDisk(), before);
  // The second look takes back what the first one may have done.
  EXPECT_THAT(applier_->applied(), ElementsAre("networks/lan", kPod, kPod));
}

TEST_F(AttachmentServiceTest, CreateWaitsUntilThePortForwards) {
  int looks = 0;
  OnApply([&](const AttachmentKey& key) {
    board_->SetAttachment(key,
                          {.state = ++looks < 3 ? AttachmentState::kPending
                                                : AttachmentState::kActive});
  });
  v1::Attachment created;
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0"), &created), IsOk());
  EXPECT_EQ(created.status().state(), v1::AttachmentStatus::ACTIVE);
  EXPECT_EQ(looks, 3);
}

TEST_F(AttachmentServiceTest, AMissingLinkIsNotFound) {
  OnApply([&](const AttachmentKey& key) {
    ASSERT_TRUE(store_->DeleteAttachment(key).ok());
    board_->EraseAttachment(key);
  });
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "veth0")),
              IsError(StatusCode::NOT_FOUND, "attachment.host_link: 'veth0'"));
}

TEST_F(AttachmentServiceTest, KeepsNothingWhereApplyingTakesTooLong) {
  OnApply([](const AttachmentKey&) {}, absl::DeadlineExceededError("slow"));
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "veth0")),
              IsError(StatusCode::DEADLINE_EXCEEDED, "slow"));
  EXPECT_FALSE(Stored());
  OnApply([&](const AttachmentKey& key) {
    board_->SetAttachment(key, {.state = AttachmentState::kPending,
                                .reason = "the port does not forward yet"});
  });
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "veth0")),
              IsError(StatusCode::DEADLINE_EXCEEDED, "does not forward yet"));
  EXPECT_FALSE(Stored());
}

TEST_F(AttachmentServiceTest, ARepeatIsNoErrorAndAnotherIs) {
  v1::Attachment first, second;
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0"), &first), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0"), &second), IsOk());
  EXPECT_EQ(first.etag(), second.etag());
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "veth1")),
              IsError(StatusCode::ALREADY_EXISTS, "attachment.name: "));
  EXPECT_THAT(Create(MakeAttachment("lan", "pod2", "veth0")),
              IsError(StatusCode::ALREADY_EXISTS, kPod));
  // A repeat that fails does not take away what was there.
  OnApply([&](const AttachmentKey& key) {
    board_->SetAttachment(key, {.state = AttachmentState::kFailed});
  });
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "veth0")),
              IsError(StatusCode::FAILED_PRECONDITION, ""));
  EXPECT_TRUE(Stored());
}

TEST_F(AttachmentServiceTest, RefusesWhatOthersUse) {
  v1::Network wan = MakeNetwork("wan", {"eoip1"});
  wan.add_ports()->set_link("eth1");
  ASSERT_THAT(Create(wan), IsOk());
  ASSERT_THAT(Create(MakeTunnel("eoip1", 1)), IsOk());
  EXPECT_THAT(Create(MakeAttachment("none", "pod", "veth0")),
              IsError(StatusCode::NOT_FOUND, "networks/none"));
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "eoip1")),
              IsError(StatusCode::FAILED_PRECONDITION, "tunnels/eoip1"));
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "wan")),
              IsError(StatusCode::FAILED_PRECONDITION, "networks/wan"));
  EXPECT_THAT(Create(MakeAttachment("lan", "pod", "eth1")),
              IsError(StatusCode::FAILED_PRECONDITION, "networks/wan"));
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0")), IsOk());
  EXPECT_THAT(Create(MakeTunnel("veth0", 2)),
              IsError(StatusCode::ALREADY_EXISTS, kPod));
}

struct BadCase {
  const char* path;
  std::function<void(v1::Attachment&)> change;
  StatusCode code = StatusCode::INVALID_ARGUMENT;
};

TEST_F(AttachmentServiceTest, RefusesEveryBadFieldByNameAndChangesNothing) {
  const std::vector<BadCase> cases = {
      {"attachment.name: ''", [](auto& a) { a.clear_name(); }},
      {"attachment.name: ", [](auto& a) { a.set_name("networks/lan"); }},
      {"attachment.host_link: ''", [](auto& a) { a.clear_host_link(); }},
      {"attachment.host_link: 'lan'", [](auto& a) { a.set_host_link("lan"); }},
      {"attachment.container_id: ", [](auto& a) { a.set_container_id("\n"); }},
      {"attachment.ifname: 'a/b'", [](auto& a) { a.set_ifname("a/b"); }},
      {"attachment.netns: ", [](auto& a) { a.set_netns("\x01"); }},
      {"attachment.mac: 'x'", [](auto& a) { a.set_mac("x"); }},
      {"attachment.mac: ", [](auto& a) { a.set_mac("01:00:00:00:00:00"); }},
      {"attachment.addresses[0]: '192.0.2.7'",
       [](auto& a) { a.add_addresses("192.0.2.7"); }},
      {"attachment.vlan: '4095'", [](auto& a) { a.set_vlan(4095); }},
      {"attachment.vlan: '7': networks/lan has no vlan_filtering",
       [](auto& a) { a.set_vlan(7); }},
      {"attachment.trunk[0].first: '0'", [](auto& a) { a.add_trunk(); }},
      {"attachment.trunk: '1 ranges': networks/lan has no vlan_filtering",
       [](auto& a) { a.add_trunk()->set_first(7); }},
      {"attachment.locked: 'true'",
       [](auto& a) {
         a.set_locked(true);
         a.clear_mac();
       }},
      {"attachment.pod_namespace: ",
       [](auto& a) { a.set_pod_namespace(std::string(254, 'a')); }},
      {"attachment.pod_name: ", [](auto& a) { a.set_pod_name("\t"); }},
  };
  const auto before = StateOnDisk();
  const auto applied = applier_->applied();
  for (const BadCase& bad : cases) {
    v1::Attachment attachment = MakeAttachment("lan", "pod", "veth0");
    bad.change(attachment);
    EXPECT_THAT(Create(attachment), IsError(bad.code, bad.path));
  }
  EXPECT_EQ(StateOnDisk(), before);
  EXPECT_EQ(applier_->applied(), applied);
}

TEST_F(AttachmentServiceTest, UpdateChangesFlagsButNotTheLink) {
  ASSERT_THAT(Create(MakeAttachment("lan", "pod", "veth0")), IsOk());
  Context one, two;
  v1::UpdateAttachmentRequest request;
  v1::Attachment response;
  request.mutable_attachment()->set_name(kPod);
  request.mutable_attachment()->set_isolated(true);
  ASSERT_THAT(attachments_->UpdateAttachment(&one, request, &response), IsOk());
  EXPECT_TRUE(response.isolated());
  request.mutable_attachment()->set_host_link("veth1");
  EXPECT_THAT(attachments_->UpdateAttachment(&two, request, &response),
              IsError(StatusCode::INVALID_ARGUMENT,
                      "attachment.host_link: 'veth1': immutable"));
}

TEST_F(AttachmentServiceTest, ListsByNetworkAndInTheOrderOfNames) {
  ASSERT_THAT(Create(MakeNetwork("lan-b")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan", "x", "v1")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan-b", "x", "v2")), IsOk());
  ASSERT_THAT(Create(MakeAttachment("lan", "w", "v3")), IsOk());
  const auto list = [&](const std::string& parent, int page_size,
                        std::string* token) {
    Context context;
    v1::ListAttachmentsRequest request;
    v1::ListAttachmentsResponse response;
    request.set_parent(parent);
    request.set_page_size(page_size);
    request.set_page_token(*token);
    EXPECT_THAT(attachments_->ListAttachments(&context, request, &response),
                IsOk());
    std::vector<std::string> names;
    for (const auto& a : response.attachments()) names.push_back(a.name());
    *token = response.next_page_token();
    return names;
  };
  std::string token;
  EXPECT_THAT(list("", 2, &token), ElementsAre("networks/lan-b/attachments/x",
                                               "networks/lan/attachments/w"));
  const std::string all_token = token;
  EXPECT_THAT(list("networks/-", 2, &token),
              ElementsAre("networks/lan/attachments/x"));
  EXPECT_EQ(token, "");
  EXPECT_THAT(
      list("networks/lan", 0, &token),
      ElementsAre("networks/lan/attachments/w", "networks/lan/attachments/x"));
  Context one, two;
  v1::ListAttachmentsRequest request;
  v1::ListAttachmentsResponse response;
  request.set_parent("networks/lan");
  request.set_page_token(all_token);
  EXPECT_THAT(attachments_->ListAttachments(&one, request, &response),
              IsError(StatusCode::INVALID_ARGUMENT, "page_token: "));
  request.set_parent("lan");
  EXPECT_THAT(attachments_->ListAttachments(&two, request, &response),
              IsError(StatusCode::INVALID_ARGUMENT, "parent: 'lan'"));
}

}  // namespace
}  // namespace eoip
