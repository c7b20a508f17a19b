// SPDX-License-Identifier: Apache-2.0
//
// Errors of the CNI specification, carried by absl::Status.
#ifndef EOIP_CNI_CNI_ERROR_H_
#define EOIP_CNI_CNI_ERROR_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace eoip::cni {

// 1 to 99 are the specification's ("Error" section of SPEC.md), the rest ours.
enum class CniCode : uint32_t {
  kVersion = 1,
  kUnsupportedField = 2,
  kEnvironment = 4,
  kIo = 5,
  kDecode = 6,
  kConfig = 7,
  kNetns = 8,
  kTryAgain = 11,
  kNotAvailable = 50,
  kLimited = 51,
  kSystem = 100,    // a system call or netlink request failed
  kExists = 101,    // the interface or the attachment exists already
  kAgent = 102,     // the agent failed in a way that no other code says
  kMismatch = 103,  // CHECK found something that is not as ADD left it
};

// A status with this code; details may be empty.
absl::Status CniError(CniCode code, absl::string_view msg,
                      absl::string_view details = "");
// The same with a code that another plugin chose.
absl::Status CniError(uint32_t code, absl::string_view msg,
                      absl::string_view details);

// The code and details of a status; kSystem for one that was not made here.
uint32_t CniCodeOf(const absl::Status& status);
std::string CniDetailsOf(const absl::Status& status);

// The same error with "context: " before its message. OK stays OK.
absl::Status WithContext(const absl::Status& status, absl::string_view context);
// The first error, with the message of the second one added.
absl::Status Join(const absl::Status& first, const absl::Status& second);

}  // namespace eoip::cni

#endif  // EOIP_CNI_CNI_ERROR_H_
