// SPDX-License-Identifier: Apache-2.0
#include "service/field_mask.h"

#include <string>

#include "eoip/v1/network.pb.h"
#include "eoip/v1/tunnel.pb.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

const std::set<std::string> kOutput = {"etag", "status"};

google::protobuf::FieldMask Mask(std::initializer_list<const char*> paths) {
  google::protobuf::FieldMask mask;
  for (const char* path : paths) mask.add_paths(path);
  return mask;
}

TEST(ApplyFieldMask, CopiesScalarsPresenceAndAll) {
  v1::Tunnel from, to;
  from.set_dscp(0);
  from.set_mtu(1400);
  to.set_tunnel_id(5);
  to.set_comment("stays");
  ASSERT_TRUE(
      ApplyFieldMask(Mask({"dscp", "tunnel_id"}), kOutput, from, &to).ok());
  EXPECT_TRUE(to.has_dscp());
  EXPECT_FALSE(to.has_tunnel_id());
  EXPECT_EQ(to.mtu(), 0u);
  EXPECT_EQ(to.comment(), "stays");
}

TEST(ApplyFieldMask, ReplacesLists) {
  v1::Network from, to;
  from.add_ports()->set_link("eth1");
  to.add_ports()->set_link("eth2");
  to.add_ports()->set_link("eth3");
  ASSERT_TRUE(ApplyFieldMask(Mask({"ports"}), kOutput, from, &to).ok());
  ASSERT_EQ(to.ports_size(), 1);
  EXPECT_EQ(to.ports(0).link(), "eth1");
  EXPECT_FALSE(ApplyFieldMask(Mask({"ports.link"}), kOutput, from, &to).ok());
}

TEST(ApplyFieldMask, DoesNotMakeAParentToClearItsChild) {
  v1::Tunnel from, to;
  ASSERT_TRUE(
      ApplyFieldMask(Mask({"keepalive.retries"}), kOutput, from, &to).ok());
  EXPECT_FALSE(to.has_keepalive());
}

TEST(ApplyFieldMask, LeavesOutputFieldsAlone) {
  v1::Tunnel from, to;
  from.set_etag("forged");
  from.mutable_status()->set_reason("forged");
  to.set_etag("real");
  ASSERT_TRUE(ApplyFieldMask(Mask({}), kOutput, from, &to).ok());
  ASSERT_TRUE(ApplyFieldMask(Mask({"*"}), kOutput, from, &to).ok());
  EXPECT_EQ(to.etag(), "real");
  EXPECT_FALSE(to.has_status());
}

TEST(ApplyFieldMask, ChangesNothingWhereOnePathIsBad) {
  v1::Tunnel from, to;
  from.set_mtu(1400);
  const absl::Status status =
      ApplyFieldMask(Mask({"mtu", "nonsense"}), kOutput, from, &to);
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_EQ(status.message(),
            "update_mask: 'nonsense': paths of fields of the resource, or *");
  EXPECT_EQ(to.mtu(), 0u);
}

}  // namespace
}  // namespace eoip
