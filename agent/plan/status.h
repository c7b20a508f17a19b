// SPDX-License-Identifier: Apache-2.0
//
// How a resource goes, from what is wanted, what was observed after the plan
// ran, and what failed. Pure. last_change and last_heard are not set here.
#ifndef EOIP_PLAN_STATUS_H_
#define EOIP_PLAN_STATUS_H_

#include <map>
#include <string>

#include "plan/plan.h"

namespace eoip {

// failure: why the last attempt failed or was blocked; empty: it did not.
TunnelStatus EvaluateTunnel(const TunnelSpec& spec, const Wanted& wanted,
                            const Observed& observed,
                            const std::string& failure);

// tunnels: the statuses of the network's tunnels that are known.
NetworkStatus EvaluateNetwork(
    const NetworkSpec& spec, const Wanted& wanted, const Observed& observed,
    const std::map<std::string, TunnelStatus>& tunnels,
    const std::string& failure);

AttachmentStatus EvaluateAttachment(const AttachmentSpec& spec,
                                    const Wanted& wanted,
                                    const Observed& observed,
                                    const std::string& failure);

}  // namespace eoip

#endif  // EOIP_PLAN_STATUS_H_
