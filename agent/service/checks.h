// SPDX-License-Identifier: Apache-2.0
//
// Rules between resources. Pure: the caller holds whatever keeps `state` true
// until it has stored the spec. Messages start with the field's path.
#ifndef EOIP_SERVICE_CHECKS_H_
#define EOIP_SERVICE_CHECKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "store/store.h"

namespace eoip {

struct State {
  Desired desired;
  std::vector<SetAside> set_aside;
};

// Whether the spec may be stored next to all others; a present record of the
// same name is the one that it replaces.
// ALREADY_EXISTS: the name is taken by another kind of resource or a port, or
// (tunnels) another one has the same kind, remote, local and tunnel_id, or
// (attachments) the same host_link. FAILED_PRECONDITION: a port is used
// elsewhere, or attachments have VLANs of a network that is not to filter them.
// NOT_FOUND: the attachment's network. INVALID_ARGUMENT: an attachment with
// VLANs in a network without vlan_filtering.
absl::Status CheckTunnel(const State& state, const TunnelSpec& spec);
absl::Status CheckNetwork(const State& state, const NetworkSpec& spec);
absl::Status CheckAttachment(const State& state, const AttachmentSpec& spec);

// FAILED_PRECONDITION names who uses it.
absl::Status CheckTunnelDelete(const State& state, const std::string& id);
absl::Status CheckNetworkDelete(const State& state, const std::string& id);

}  // namespace eoip

#endif  // EOIP_SERVICE_CHECKS_H_
