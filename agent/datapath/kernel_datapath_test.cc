// SPDX-License-Identifier: Apache-2.0
//
// What KernelDatapath does without the module, with another one, and with
// links that are not the agent's. What all datapaths share is in
// datapath_test.cc.
#include "datapath/kernel_datapath.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "netlink/fake_links.h"

namespace eoip {
namespace {

using absl::StatusCode;
using testing::HasSubstr;
using testing::IsEmpty;

TunnelConfig Config(const std::string& name) {
  TunnelConfig config;
  config.name = name;
  config.remote = *IpAddress::Parse("192.0.2.7");
  return config;
}

class KernelDatapathTest : public testing::Test {
 protected:
  FakeKernel kernel_;
  FakeLinks links_{&kernel_};
  FakeLinks reader_{&kernel_};
  KernelDatapath datapath_{&links_, &reader_};
};

TEST_F(KernelDatapathTest, SaysThatTheModuleIsNotLoaded) {
  const Availability availability = datapath_.Probe();
  EXPECT_FALSE(availability.available);
  EXPECT_EQ(availability.reason, kModuleNotLoaded);
  EXPECT_EQ(datapath_.Put(Config("a"), true).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_FALSE(kernel_.Find("a"));
}

TEST_F(KernelDatapathTest, NamesAForeignModuleAndMakesNothingOfIt) {
  kernel_.SetModule(KindProbe::kForeign);
  const Availability availability = datapath_.Probe();
  EXPECT_FALSE(availability.available);
  EXPECT_THAT(availability.reason, HasSubstr("another module"));
  const auto put = datapath_.Put(Config("a"), true);
  EXPECT_EQ(put.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(put.status().message()), HasSubstr("another module"));
  EXPECT_FALSE(kernel_.Find("a"));
}

TEST_F(KernelDatapathTest, AForeignModulesLinkIsNoTunnel) {
  kernel_.AddLink("foreign", "eoip");
  kernel_.Edit("foreign", [](Link& link) { link.group = kOwnedGroup; });
  EXPECT_THAT(*datapath_.List(kernel_.Table()), IsEmpty());
  ASSERT_TRUE(datapath_.Delete({"foreign"}).ok());
  EXPECT_TRUE(kernel_.Find("foreign"));
}

TEST_F(KernelDatapathTest, ATunnelThatSomebodyElseMadeIsLeftAlone) {
  kernel_.SetModule(KindProbe::kBundled);
  ASSERT_TRUE(datapath_.Put(Config("a"), true).ok());
  kernel_.Edit("a", [](Link& link) { link.group = 0; });
  EXPECT_THAT(*datapath_.List(kernel_.Table()), IsEmpty());
  EXPECT_EQ(datapath_.Put(Config("a"), false).status().code(),
            StatusCode::kAlreadyExists);
  ASSERT_TRUE(datapath_.Delete({"a"}).ok());
  EXPECT_TRUE(kernel_.Find("a"));
}

TEST_F(KernelDatapathTest, AMissingModuleIsNoticedByThePutThatFails) {
  kernel_.SetModule(KindProbe::kBundled);
  EXPECT_TRUE(datapath_.Probe().available);
  kernel_.SetModule(KindProbe::kAbsent);
  EXPECT_TRUE(datapath_.Probe().available);  // known from before
  EXPECT_FALSE(datapath_.Put(Config("a"), true).ok());
  EXPECT_FALSE(datapath_.Probe().available);
}

TEST_F(KernelDatapathTest, ReadsCountersCarrierAndAge) {
  kernel_.SetModule(KindProbe::kBundled);
  ASSERT_TRUE(datapath_.Put(Config("a"), true).ok());
  TunnelCounters counters;
  counters.rx_packets = 5;
  counters.drops["tx_no_route"] = 2;
  kernel_.SetCounters("a", counters);
  kernel_.SetCarrier("a", false);
  kernel_.SetLastHeard("a", absl::Seconds(3));
  const auto read = datapath_.Read({"a"});
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->at("a").counters.rx_packets, 5u);
  EXPECT_EQ(read->at("a").counters.drops.at("tx_no_route"), 2u);
  EXPECT_FALSE(read->at("a").peer_up);
  EXPECT_EQ(read->at("a").last_heard, absl::Seconds(3));
}

TEST_F(KernelDatapathTest, AFailedChangeIsToldInTheKernelsWords) {
  kernel_.SetModule(KindProbe::kBundled);
  ASSERT_TRUE(datapath_.Put(Config("a"), true).ok());
  kernel_.faults().FailNth(1, absl::InvalidArgumentError("ttl: too big"));
  EXPECT_EQ(datapath_.Put(Config("a"), false).status().message(),
            "ttl: too big");
}

}  // namespace
}  // namespace eoip
