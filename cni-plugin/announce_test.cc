// SPDX-License-Identifier: Apache-2.0
#include "announce.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace eoip::cni {
namespace {

TEST(AnnounceTest, AnUnsolicitedAdvertisementOverrides) {
  // RFC 4861 section 4.4: type 136, the override flag, target, option 2.
  EXPECT_EQ(absl::BytesToHexString(
                MakeAdvertisement(*IpAddress::Parse("2001:db8::7"),
                                  *MacAddress::Parse("02:00:5e:10:00:01"))),
            "8800000020000000"
            "20010db8000000000000000000000007"
            "020102005e100001");
}

}  // namespace
}  // namespace eoip::cni
