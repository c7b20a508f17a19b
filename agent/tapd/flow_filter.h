// SPDX-License-Identifier: Apache-2.0
//
// Socket filters of the raw sockets: each worker has a socket of its own, which
// gets every packet, and its filter takes the worker's share. A flow (inner
// addresses and ports, or MACs where there are none) is always one worker's.
// Pure.
#ifndef EOIP_TAPD_FLOW_FILTER_H_
#define EOIP_TAPD_FLOW_FILTER_H_

#include <linux/filter.h>

#include <vector>

namespace eoip::tapd {

// Bytes of a packet that is not EoIP that still reach us, to be counted: the
// longest IPv4 header and 8 more.
inline constexpr int kForeignSnap = 68;

// The filter of worker number 0 <= worker < workers. What is too short to tell
// a flow, or not EoIP, is worker 0's.
std::vector<sock_filter> MakeFlowFilterV4(int worker, int workers);
std::vector<sock_filter> MakeFlowFilterV6(int worker, int workers);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_FLOW_FILTER_H_
