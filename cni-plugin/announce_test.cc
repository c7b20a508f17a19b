// SPDX-License-Identifier: Apache-2.0
#include "announce.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace eoip::cni {
namespace {

const MacAddress kMac = *MacAddress::Parse("02:00:5e:10:00:01");

TEST(AnnounceTest, Ipv4IsAnArpAnnouncement) {
  // RFC 5227 section 2.3: a request, both protocol addresses are the sender's.
  EXPECT_EQ(absl::BytesToHexString(
                MakeAnnouncement(*IpAddress::Parse("192.0.2.7"), kMac)),
            "ffffffffffff02005e1000010806"
            "0001080006040001"
            "02005e100001c0000207"
            "000000000000c0000207");
}

TEST(AnnounceTest, Ipv6IsAnUnsolicitedAdvertisement) {
  const std::string frame =
      MakeAnnouncement(*IpAddress::Parse("2001:db8::7"), kMac);
  EXPECT_EQ(absl::BytesToHexString(frame),
            "33330000000102005e10000186dd"
            "6000000000203aff"
            "20010db8000000000000000000000007"
            "ff020000000000000000000000000001"
            "88009b0e20000000"
            "20010db8000000000000000000000007"
            "020102005e100001");
  // RFC 1071: with the checksum in it, the pseudo header and the message add
  // up to all ones.
  uint32_t sum = 32 + 58;
  for (size_t i = 14 + 8; i < frame.size(); i += 2) {
    sum += (static_cast<uint8_t>(frame[i]) << 8) +
           static_cast<uint8_t>(frame[i + 1]);
  }
  EXPECT_EQ((sum & 0xffff) + (sum >> 16), 0xffffu);
}

}  // namespace
}  // namespace eoip::cni
