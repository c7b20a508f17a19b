// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_TAPD_BULK_DELETE_H_
#define EOIP_TAPD_BULK_DELETE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"

namespace eoip::tapd {

// Deletes links by index in one go: one by one the kernel takes some 20 ms for
// each, together some 0.1 ms. The links are put into a group of their own,
// which is then deleted. A link that is gone already is no error. What is left
// after an error is still there and may be deleted otherwise.
absl::Status DeleteLinks(const std::vector<uint32_t>& ifindices);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_BULK_DELETE_H_
