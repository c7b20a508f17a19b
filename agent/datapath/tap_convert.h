// SPDX-License-Identifier: Apache-2.0
//
// Between the model and eoip-tapd's messages. Pure.
#ifndef EOIP_DATAPATH_TAP_CONVERT_H_
#define EOIP_DATAPATH_TAP_CONVERT_H_

#include "absl/status/statusor.h"
#include "datapath/datapath.h"
#include "eoip/tapd/v1/tapd.pb.h"
#include "model/link.h"
#include "model/tunnel.h"

namespace eoip {

tapd::v1::TunnelConfig ToTapd(const TunnelConfig& config);

// link: what has the tunnel's name now, or null. INTERNAL: eoip-tapd reports
// what it could not have been told.
absl::StatusOr<ObservedTunnel> FromTapd(const tapd::v1::TapTunnel& tunnel,
                                        const Link* link);
TunnelReading ReadingFromTapd(const tapd::v1::TapTunnel& tunnel);
WorkersReading WorkersFromTapd(const tapd::v1::Info& info);

}  // namespace eoip

#endif  // EOIP_DATAPATH_TAP_CONVERT_H_
