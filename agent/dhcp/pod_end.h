// SPDX-License-Identifier: Apache-2.0
//
// Has the pod's end changed when a lease changes. That end is the CNI plugin's:
// its command set-lease enters the pod's namespace, in a process of its own, so
// that no thread of the agent ever leaves the host's.
#ifndef EOIP_DHCP_POD_END_H_
#define EOIP_DHCP_POD_END_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "model/attachment.h"
#include "model/lease.h"

namespace eoip {

struct PodChange {
  AttachmentSpec attachment;
  // What the pod has; absent: nothing.
  std::optional<Lease> before;
  // What it is to have; absent: nothing.
  std::optional<Lease> after;
  // Nobody knows what it has: every other IPv4 address goes too.
  bool replace_all = false;
};

// Runs the plugin and waits for it, 5 s at most. Repeating it is no error.
// FAILED_PRECONDITION: it is not there, cannot enter the namespace, or failed;
// the message has its words.
absl::Status ChangePodEnd(const std::string& plugin, const PodChange& change);

}  // namespace eoip

#endif  // EOIP_DHCP_POD_END_H_
