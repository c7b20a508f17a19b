// SPDX-License-Identifier: Apache-2.0
#include "dhcp/lease_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_replace.h"

namespace eoip {
namespace {

using ::testing::HasSubstr;

IpAddress Ip(const char* text) { return *IpAddress::Parse(text); }

LeaseRecord MakeRecord() {
  LeaseRecord record{.key = {"lan", "web0"},
                     .mac = *MacAddress::Parse("02:00:5e:10:00:01"),
                     .spec = {std::string("\0a\n", 3), "web-0"}};
  Lease lease;
  lease.address = Ip("192.0.2.7");
  lease.prefix_length = 24;
  lease.server = Ip("192.0.2.1");
  lease.server_mac = *MacAddress::Parse("02:00:00:00:00:01");
  lease.gateway = Ip("192.0.2.1");
  lease.routes = {{Ip("10.0.0.0"), 8, Ip("192.0.2.1")},
                  {Ip("10.1.0.0"), 16, {}}};
  lease.nameservers = {Ip("192.0.2.53"), Ip("192.0.2.54")};
  lease.domain = "site.example";
  lease.mtu = 1400;
  lease.acquired_at = absl::FromUnixMillis(1000001);
  lease.renew_at = absl::FromUnixMillis(2000002);
  lease.rebind_at = absl::FromUnixMillis(3000003);
  lease.expires_at = absl::InfiniteFuture();
  record.lease = lease;
  lease.address = Ip("192.0.2.6");
  record.in_pod = lease;
  record.released = true;
  return record;
}

TEST(LeaseFileTest, WhatIsPrintedIsReadBack) {
  const LeaseRecord record = MakeRecord();
  const std::string text = PrintLeaseRecord(record);
  const auto read = ParseLeaseRecord(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(PrintLeaseRecord(*read), text);
  EXPECT_EQ(read->key, record.key);
  EXPECT_EQ(read->mac, record.mac);
  EXPECT_EQ(read->spec, record.spec);
  EXPECT_TRUE(read->released);
  EXPECT_TRUE(SameInPod(*read->lease, *record.lease));
  EXPECT_EQ(read->lease->nameservers, record.lease->nameservers);
  EXPECT_EQ(read->lease->domain, "site.example");
  EXPECT_EQ(read->lease->mtu, 1400u);
  EXPECT_EQ(read->lease->renew_at, record.lease->renew_at);
  EXPECT_EQ(read->lease->expires_at, absl::InfiniteFuture());
  EXPECT_EQ(read->in_pod->address, Ip("192.0.2.6"));
}

TEST(LeaseFileTest, WithoutALease) {
  LeaseRecord record = MakeRecord();
  record.lease = record.in_pod = std::nullopt;
  const auto read = ParseLeaseRecord(PrintLeaseRecord(record));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_FALSE(read->lease);
  EXPECT_FALSE(read->in_pod);
}

TEST(LeaseFileTest, ALineThatMakesNoSenseIsNamed) {
  const std::string good = PrintLeaseRecord(MakeRecord());
  const auto with = [&](const char* from, const char* to) {
    return std::string(ParseLeaseRecord(absl::StrReplaceAll(good, {{from, to}}))
                           .status()
                           .message());
  };
  EXPECT_THAT(with("lease 192.0.2.7/24", "lease 192.0.2.7/33"),
              HasSubstr("'lease 192.0.2.7/33'"));
  EXPECT_THAT(with("mtu 1400", "mtu many"), HasSubstr("'mtu many'"));
  EXPECT_THAT(with("renew 2000002", "renew soon"), HasSubstr("'renew soon'"));
  EXPECT_THAT(with("client-id 00610a", "client-id 0z"), HasSubstr("client-id"));
  EXPECT_THAT(with("server-mac", "sever-mac"), HasSubstr("sever-mac"));
  EXPECT_THAT(std::string(ParseLeaseRecord("").status().message()),
              HasSubstr("missing"));
}

}  // namespace
}  // namespace eoip
