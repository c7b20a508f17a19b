// SPDX-License-Identifier: Apache-2.0
#include "cni_error.h"

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace eoip::cni {
namespace {

constexpr char kCodeUrl[] = "eoip.cni/code";
constexpr char kDetailsUrl[] = "eoip.cni/details";

absl::Status CopyPayloads(const absl::Status& from, absl::Status to) {
  from.ForEachPayload([&to](absl::string_view url, const absl::Cord& payload) {
    to.SetPayload(url, payload);
  });
  return to;
}

}  // namespace

absl::Status CniError(uint32_t code, absl::string_view msg,
                      absl::string_view details) {
  absl::Status status(absl::StatusCode::kUnknown, msg);
  status.SetPayload(kCodeUrl, absl::Cord(absl::StrCat(code)));
  if (!details.empty()) status.SetPayload(kDetailsUrl, absl::Cord(details));
  return status;
}

absl::Status CniError(CniCode code, absl::string_view msg,
                      absl::string_view details) {
  return CniError(static_cast<uint32_t>(code), msg, details);
}

uint32_t CniCodeOf(const absl::Status& status) {
  uint32_t code = 0;
  auto payload = status.GetPayload(kCodeUrl);
  if (payload && absl::SimpleAtoi(std::string(*payload), &code)) return code;
  return static_cast<uint32_t>(CniCode::kSystem);
}

std::string CniDetailsOf(const absl::Status& status) {
  auto payload = status.GetPayload(kDetailsUrl);
  return payload ? std::string(*payload) : "";
}

absl::Status WithContext(const absl::Status& status,
                         absl::string_view context) {
  if (status.ok()) return status;
  return CopyPayloads(
      status, absl::Status(status.code(),
                           absl::StrCat(context, ": ", status.message())));
}

absl::Status Join(const absl::Status& first, const absl::Status& second) {
  if (first.ok()) return second;
  if (second.ok()) return first;
  return CopyPayloads(
      first, absl::Status(first.code(), absl::StrCat(first.message(), "; ",
                                                     second.message())));
}

}  // namespace eoip::cni
