// SPDX-License-Identifier: Apache-2.0
//
// absl::Status helpers that Debian 12's Abseil (20220623) does not have.
#ifndef EOIP_BASE_STATUS_H_
#define EOIP_BASE_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

// Returns from the enclosing function unless expr is OK.
#define EOIP_RETURN_IF_ERROR(expr)                                  \
  do {                                                              \
    if (::absl::Status eoip_status_ = (expr); !eoip_status_.ok()) { \
      return eoip_status_;                                          \
    }                                                               \
  } while (false)

#define EOIP_STATUS_CONCAT_INNER_(a, b) a##b
#define EOIP_STATUS_CONCAT_(a, b) EOIP_STATUS_CONCAT_INNER_(a, b)

// EOIP_ASSIGN_OR_RETURN(auto x, F()): x takes F's value, or the enclosing
// function returns F's status.
#define EOIP_ASSIGN_OR_RETURN(lhs, expr)                                     \
  EOIP_ASSIGN_OR_RETURN_IMPL_(EOIP_STATUS_CONCAT_(eoip_statusor_, __LINE__), \
                              lhs, expr)
#define EOIP_ASSIGN_OR_RETURN_IMPL_(var, lhs, expr) \
  auto var = (expr);                                \
  if (!var.ok()) return std::move(var).status();    \
  lhs = *std::move(var)

namespace eoip {

// The same code with "context: " before the message. OK stays OK.
inline absl::Status Annotate(const absl::Status& status,
                             absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(),
                      absl::StrCat(context, ": ", status.message()));
}

// The status of a failed system call, from errno and what was tried.
// EPERM, EACCES: PERMISSION_DENIED · ENOENT, ENODEV, ENXIO, ESRCH,
// EADDRNOTAVAIL: NOT_FOUND ·
// EEXIST: ALREADY_EXISTS · EINVAL, ERANGE: INVALID_ARGUMENT · EOPNOTSUPP,
// ENOSYS, EAFNOSUPPORT: FAILED_PRECONDITION · EBUSY, EAGAIN, EINTR,
// ECONNREFUSED, ECONNRESET, EPIPE, ENETDOWN: UNAVAILABLE · ENOSPC, ENOMEM,
// ENOBUFS, EMFILE, ENFILE: RESOURCE_EXHAUSTED · ETIMEDOUT: DEADLINE_EXCEEDED ·
// others: INTERNAL. The message is "what: strerror".
absl::Status ErrnoToStatus(int error, absl::string_view what);

}  // namespace eoip

#endif  // EOIP_BASE_STATUS_H_
