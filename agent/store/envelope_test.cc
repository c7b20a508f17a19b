// SPDX-License-Identifier: Apache-2.0
#include "store/envelope.h"

#include <string>

#include "absl/strings/match.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

const Envelope& Sample() {
  static const Envelope envelope{"0123456789abcdef", "{\n \"a\": 1\n}\n"};
  return envelope;
}

TEST(Envelope, GoesThereAndBack) {
  const std::string bytes = MakeEnvelope(Sample());
  EXPECT_TRUE(absl::StartsWith(bytes, "eoip-state 1 "));
  const auto parsed = ParseEnvelope(bytes);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->etag, Sample().etag);
  EXPECT_EQ(parsed->payload, Sample().payload);
}

TEST(Envelope, FindsEveryCut) {
  const std::string bytes = MakeEnvelope(Sample());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ParseEnvelope(bytes.substr(0, size)).status().code(),
              absl::StatusCode::kDataLoss)
        << size;
  }
  EXPECT_TRUE(absl::IsDataLoss(ParseEnvelope(bytes + "x").status()));
}

TEST(Envelope, FindsEveryFlippedBit) {
  const std::string bytes = MakeEnvelope(Sample());
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = bytes;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      EXPECT_EQ(ParseEnvelope(damaged).status().code(),
                absl::StatusCode::kDataLoss)
          << "byte " << i << " bit " << bit;
    }
  }
}

TEST(Envelope, TellsANewerVersionFromADamagedOne) {
  const std::string newer = MakeEnvelope(Sample(), kStateVersion + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(ParseEnvelope(newer).status()));
  std::string damaged = newer;
  damaged.back() = 'x';
  EXPECT_TRUE(absl::IsDataLoss(ParseEnvelope(damaged).status()));
  EXPECT_TRUE(
      absl::IsDataLoss(ParseEnvelope(MakeEnvelope(Sample(), 0)).status()));
}

}  // namespace
}  // namespace eoip
