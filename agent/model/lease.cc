// SPDX-License-Identifier: Apache-2.0
#include "model/lease.h"

namespace eoip {

absl::string_view ToString(LeaseState state) {
  switch (state) {
    case LeaseState::kAcquiring:
      return "ACQUIRING";
    case LeaseState::kBound:
      return "BOUND";
    case LeaseState::kRenewing:
      return "RENEWING";
    case LeaseState::kRebinding:
      return "REBINDING";
  }
  return "?";
}

}  // namespace eoip
