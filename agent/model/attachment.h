// SPDX-License-Identifier: Apache-2.0
//
// Attachments: ports of pods; proto/eoip/v1/attachment.proto has the meaning
// and ranges. Pure.
#ifndef EOIP_MODEL_ATTACHMENT_H_
#define EOIP_MODEL_ATTACHMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "model/address.h"
#include "model/lease.h"
#include "model/vlan.h"

namespace eoip {

struct AttachmentSpec {
  std::string network;  // id
  std::string id;
  std::string host_link;
  std::string container_id;
  std::string ifname;
  std::string netns;
  std::optional<MacAddress> mac;
  std::vector<std::string> addresses;
  uint32_t vlan = 0;  // 0: the default VLAN, none with a trunk
  std::vector<VlanRange> trunk;
  bool isolated = false;
  bool locked = false;  // needs mac
  bool hairpin = false;
  std::string pod_namespace;
  std::string pod_name;
  // Present: the agent gets and keeps a lease; mac is there then.
  std::optional<DhcpSpec> dhcp;
  friend bool operator==(const AttachmentSpec&,
                         const AttachmentSpec&) = default;
};

enum class AttachmentState { kPending, kActive, kFailed, kDeleting };
absl::string_view ToString(AttachmentState state);

struct AttachmentStatus {
  AttachmentState state = AttachmentState::kPending;
  std::string reason;
  uint32_t ifindex = 0;
  uint32_t effective_mtu = 0;
  absl::Time last_change;
  std::optional<LeaseStatus> lease;
};

absl::Status ValidateAttachment(const AttachmentSpec& spec);
absl::Status ValidateAttachmentUpdate(const AttachmentSpec& from,
                                      const AttachmentSpec& to);

// VLANs of the port in a network with vlan_filtering.
PortVlans VlansOf(const AttachmentSpec& spec);

}  // namespace eoip

#endif  // EOIP_MODEL_ATTACHMENT_H_
