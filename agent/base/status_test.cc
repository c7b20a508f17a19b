// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <fcntl.h>

#include <cerrno>

#include "base/unique_fd.h"
#include "gtest/gtest.h"

namespace eoip {
namespace {

TEST(ErrnoToStatus, KeepsTheMeaningAndNamesWhatFailed) {
  const absl::Status status = ErrnoToStatus(EEXIST, "create eoip1");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "create eoip1: File exists");
  EXPECT_EQ(ErrnoToStatus(EPERM, "x").code(),
            absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoToStatus(EBUSY, "x").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrnoToStatus(12345, "x").code(), absl::StatusCode::kInternal);
  EXPECT_TRUE(ErrnoToStatus(0, "x").ok());
}

TEST(Annotate, PutsTheContextFirst) {
  EXPECT_EQ(Annotate(absl::NotFoundError("gone"), "link a").message(),
            "link a: gone");
  EXPECT_TRUE(Annotate(absl::OkStatus(), "link a").ok());
}

absl::StatusOr<int> Half(int n) {
  if (n % 2 != 0) return absl::InvalidArgumentError("odd");
  return n / 2;
}

absl::StatusOr<int> Quarter(int n) {
  EOIP_ASSIGN_OR_RETURN(const int half, Half(n));
  EOIP_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(AssignOrReturn, PassesValuesAndErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
}

TEST(UniqueFd, ClosesOnceAndMoves) {
  UniqueFd a(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(a.valid());
  const int raw = a.get();
  UniqueFd b(std::move(a));
  EXPECT_FALSE(a.valid());
  EXPECT_EQ(b.get(), raw);
  b.reset();
  EXPECT_EQ(::fcntl(raw, F_GETFD), -1);
}

}  // namespace
}  // namespace eoip
