// SPDX-License-Identifier: Apache-2.0
#include "model/attachment.h"

#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

using ::testing::StartsWith;

AttachmentSpec Pod() {
  AttachmentSpec spec;
  spec.network = "lan";
  spec.id = "c0ffee.eth0";
  spec.host_link = "eo12345678";
  spec.container_id = "c0ffee";
  spec.ifname = "eth0";
  spec.netns = "/run/netns/pod";
  spec.mac = *MacAddress::Parse("02:00:00:00:00:01");
  spec.addresses = {"192.0.2.7/24", "2001:db8::7/64", "0.0.0.0/0", "::/128"};
  spec.pod_namespace = "default";
  spec.pod_name = "web-0";
  return spec;
}

struct BadCase {
  const char* path;
  std::function<void(AttachmentSpec&)> change;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
};

TEST(ValidateAttachment, AcceptsAPodAndTheLeast) {
  EXPECT_TRUE(ValidateAttachment(Pod()).ok()) << ValidateAttachment(Pod());
  AttachmentSpec least;
  least.network = "lan";
  least.id = "x";
  least.host_link = "veth0";
  EXPECT_TRUE(ValidateAttachment(least).ok()) << ValidateAttachment(least);
}

TEST(ValidateAttachment, NamesThePathOfEveryBadField) {
  const std::vector<BadCase> cases = {
      {"attachment.name", [](auto& s) { s.network = "lo"; }},
      {"attachment.name", [](auto& s) { s.id = "a/b"; }},
      {"attachment.host_link", [](auto& s) { s.host_link = ""; }},
      {"attachment.host_link", [](auto& s) { s.host_link = "lo"; }},
      {"attachment.host_link", [](auto& s) { s.host_link = s.network; }},
      {"attachment.container_id",
       [](auto& s) { s.container_id = std::string(256, 'a'); }},
      {"attachment.ifname", [](auto& s) { s.ifname = "sixteen-chars-xx"; }},
      {"attachment.ifname", [](auto& s) { s.ifname = "a/b"; }},
      {"attachment.ifname", [](auto& s) { s.ifname = "a b"; }},
      {"attachment.ifname", [](auto& s) { s.ifname = ".."; }},
      {"attachment.netns", [](auto& s) { s.netns = "/run\n"; }},
      {"attachment.mac", [](auto& s) { s.mac = MacAddress(); }},
      {"attachment.addresses[1]",
       [](auto& s) { s.addresses[1] = "192.0.2.7"; }},
      {"attachment.addresses[0]",
       [](auto& s) { s.addresses[0] = "192.0.2.7/33"; }},
      {"attachment.addresses[0]",
       [](auto& s) { s.addresses[0] = "192.0.2.7/+8"; }},
      {"attachment.addresses[0]",
       [](auto& s) { s.addresses[0] = "192.0.2.7/"; }},
      {"attachment.addresses[1]",
       [](auto& s) { s.addresses[1] = "2001:db8::7/129"; }},
      {"attachment.addresses",
       [](auto& s) { s.addresses.assign(65, "192.0.2.7/24"); }},
      {"attachment.pod_namespace",
       [](auto& s) { s.pod_namespace = std::string(254, 'a'); }},
      {"attachment.pod_name", [](auto& s) { s.pod_name = "\t"; }},
      {"attachment.vlan", [](auto& s) { s.vlan = 4095; }},
      {"attachment.locked",
       [](auto& s) {
         s.locked = true;
         s.mac.reset();
       }},
      {"attachment.trunk[0].first",
       [](auto& s) {
         s.trunk = {{0, 1}};
       }},
      {"attachment.trunk[1].first",
       [](auto& s) {
         s.trunk = {{5, 9}, {9, 10}};
       }},
  };
  for (const BadCase& bad : cases) {
    AttachmentSpec spec = Pod();
    bad.change(spec);
    const absl::Status status = ValidateAttachment(spec);
    EXPECT_EQ(status.code(), bad.code) << bad.path << ": " << status;
    EXPECT_THAT(std::string(status.message()),
                StartsWith(std::string(bad.path) + ": '"));
  }
}

TEST(ValidateAttachmentUpdate, NameAndHostLinkAreImmutable) {
  AttachmentSpec to = Pod();
  to.isolated = true;
  EXPECT_TRUE(ValidateAttachmentUpdate(Pod(), to).ok());
  to.host_link = "other";
  EXPECT_THAT(std::string(ValidateAttachmentUpdate(Pod(), to).message()),
              StartsWith("attachment.host_link: 'other': immutable"));
  to = Pod();
  to.network = "wan";
  EXPECT_THAT(std::string(ValidateAttachmentUpdate(Pod(), to).message()),
              StartsWith("attachment.name: "));
}

TEST(ToString, NamesAttachmentStates) {
  EXPECT_EQ(ToString(AttachmentState::kPending), "PENDING");
  EXPECT_EQ(ToString(AttachmentState::kActive), "ACTIVE");
  EXPECT_EQ(ToString(AttachmentState::kFailed), "FAILED");
  EXPECT_EQ(ToString(AttachmentState::kDeleting), "DELETING");
}

}  // namespace
}  // namespace eoip
