// SPDX-License-Identifier: Apache-2.0
//
// A DHCP lease that the agent keeps for the pod, as a result of the CNI
// specification. Pure.
#ifndef EOIP_CNI_LEASE_H_
#define EOIP_CNI_LEASE_H_

#include "absl/status/statusor.h"
#include "eoip/v1/attachment.pb.h"
#include "result.h"

namespace eoip::cni {

// Address, routes and DNS. Routes that name no gateway are on the link, and a
// gateway that is outside of the address's network gets a route of its own.
// INVALID_ARGUMENT: there is no lease, or the agent sends nonsense.
absl::StatusOr<Result> LeaseResult(const v1::Lease& lease);

}  // namespace eoip::cni

#endif  // EOIP_CNI_LEASE_H_
