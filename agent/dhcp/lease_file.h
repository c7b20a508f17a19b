// SPDX-License-Identifier: Apache-2.0
//
// What is kept on disk of one pod's lease, as text: one "word value" a line.
// Pure.
#ifndef EOIP_DHCP_LEASE_FILE_H_
#define EOIP_DHCP_LEASE_FILE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/lease.h"
#include "model/names.h"

namespace eoip {

struct LeaseRecord {
  AttachmentKey key;
  MacAddress mac;
  DhcpSpec spec;
  // Times are of the wall clock. Absent: none, it is being looked for.
  std::optional<Lease> lease;
  // What the pod's end has. Absent: nothing.
  std::optional<Lease> in_pod;
  // The attachment is gone and the server knows it. Kept until the lease would
  // have ended, so that the pod's successor asks for the same address.
  bool released = false;
};

std::string PrintLeaseRecord(const LeaseRecord& record);
// PrintLeaseRecord backwards. DATA_LOSS: a line is missing or makes no sense.
absl::StatusOr<LeaseRecord> ParseLeaseRecord(absl::string_view text);

}  // namespace eoip

#endif  // EOIP_DHCP_LEASE_FILE_H_
