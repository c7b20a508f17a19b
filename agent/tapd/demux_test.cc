// SPDX-License-Identifier: Apache-2.0
#include "tapd/demux.h"

#include "gtest/gtest.h"

namespace eoip::tapd {
namespace {

const Address kA = {10, 0, 0, 1};
const Address kB = {10, 0, 0, 2};
const Address kHost = {10, 0, 0, 8};
const Address kHost2 = {10, 0, 0, 9};

TunnelConfig Config(uint32_t id, const Address& remote,
                    const Address* local = nullptr, bool ipv6 = false) {
  TunnelConfig config;
  config.tunnel_id = id;
  config.remote = remote;
  config.ipv6 = ipv6;
  if (local != nullptr) {
    config.has_local = true;
    config.local = *local;
  }
  return config;
}

TEST(DemuxTable, FindsByRemoteIdAndLocal) {
  DemuxTable<int> table;
  int any = 0, exact = 0, other = 0;
  table.Insert(Config(5, kA), &any);
  table.Insert(Config(5, kB), &other);
  EXPECT_EQ(table.Find(false, 5, kA, kHost), &any);
  // A more exact one wins from the moment it is there, until it goes.
  table.Insert(Config(5, kA, &kHost), &exact);
  EXPECT_EQ(table.Find(false, 5, kA, kHost), &exact);
  EXPECT_EQ(table.Find(false, 5, kA, kHost2), &any);
  EXPECT_EQ(table.Find(false, 5, kB, kHost), &other);
  table.Erase(Config(5, kA, &kHost));
  EXPECT_EQ(table.Find(false, 5, kA, kHost), &any);
}

TEST(DemuxTable, KeepsTheFamiliesApart) {
  DemuxTable<int> table;
  int v4 = 0, v6 = 0;
  table.Insert(Config(5, kA), &v4);
  EXPECT_EQ(table.Find(true, 5, kA, kHost), nullptr);
  EXPECT_EQ(table.Explain(true, 5, kA), DemuxMiss::kUnknownTunnel);
  table.Insert(Config(5, kA, nullptr, true), &v6);
  EXPECT_EQ(table.Find(true, 5, kA, kHost), &v6);
  EXPECT_EQ(table.Find(false, 5, kA, kHost), &v4);
}

TEST(DemuxTable, SaysWhyNothingWasFound) {
  DemuxTable<int> table;
  int t = 0;
  table.Insert(Config(5, kA, &kHost), &t);
  EXPECT_EQ(table.Find(false, 6, kA, kHost), nullptr);
  EXPECT_EQ(table.Explain(false, 6, kA), DemuxMiss::kUnknownTunnel);
  EXPECT_EQ(table.Find(false, 5, kB, kHost), nullptr);
  EXPECT_EQ(table.Explain(false, 5, kB), DemuxMiss::kWrongSource);
  EXPECT_EQ(table.Find(false, 5, kA, kHost2), nullptr);
  EXPECT_EQ(table.Explain(false, 5, kA), DemuxMiss::kWrongLocal);
  table.Erase(Config(5, kA, &kHost));
  EXPECT_EQ(table.Find(false, 5, kA, kHost), nullptr);
  EXPECT_EQ(table.Explain(false, 5, kA), DemuxMiss::kUnknownTunnel);
}

TEST(DemuxTable, CountsTunnelsThatShareAnIdOrARemote) {
  DemuxTable<int> table;
  int a = 0, b = 0;
  table.Insert(Config(5, kA, &kHost), &a);
  table.Insert(Config(5, kA, &kHost2), &b);
  table.Erase(Config(5, kA, &kHost));
  EXPECT_EQ(table.Explain(false, 5, kA), DemuxMiss::kWrongLocal);
  EXPECT_EQ(table.Find(false, 5, kA, kHost2), &b);
}

}  // namespace
}  // namespace eoip::tapd
