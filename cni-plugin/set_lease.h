// SPDX-License-Identifier: Apache-2.0
//
// The one command that no runtime gives: the agent runs it when a pod's DHCP
// lease changed. It is the pod's end that changes, and that is the plugin's.
//
//   eoip set-lease netns=PATH ifname=NAME host-link=NAME [replace=all]
//       [old-address=ADDRESS/LENGTH
//       [old-route=DESTINATION/LENGTH[,GATEWAY]]...] [address=ADDRESS/LENGTH
//       [route=DESTINATION/LENGTH[,GATEWAY]]...]
//
// Takes the old ones away, adds the new ones, and announces the new address.
// replace=all: every other IPv4 address of the interface goes too. Repeating it
// is no error. Prints "done" and exits 0, or prints what is wrong on standard
// error and exits 1. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
#ifndef EOIP_CNI_SET_LEASE_H_
#define EOIP_CNI_SET_LEASE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace eoip::cni {

// words: those after set-lease. Errors: INVALID_ARGUMENT names the word;
// FAILED_PRECONDITION: the namespace has no such interface, or its other end is
// another link than host-link; others as the kernel has them.
absl::Status SetLease(const std::vector<std::string>& words);

}  // namespace eoip::cni

#endif  // EOIP_CNI_SET_LEASE_H_
