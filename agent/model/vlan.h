// SPDX-License-Identifier: Apache-2.0
//
// VLANs of bridge ports (IEEE 802.1Q). Pure.
#ifndef EOIP_MODEL_VLAN_H_
#define EOIP_MODEL_VLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace eoip {

inline constexpr uint32_t kMaxVlan = 4094;
// Of a port that names none, as in RouterOS and Linux.
inline constexpr uint32_t kDefaultVlan = 1;

struct VlanRange {
  uint32_t first = 0;
  uint32_t last = 0;  // resolved: never 0 in a validated spec
  friend auto operator<=>(const VlanRange&, const VlanRange&) = default;
};

// What a port does with the VLANs first to last.
struct PortVlanRange {
  uint16_t first = 0;
  uint16_t last = 0;
  bool pvid = false;      // untagged frames that come in belong to it
  bool untagged = false;  // its frames leave without a tag
  friend auto operator<=>(const PortVlanRange&, const PortVlanRange&) = default;
};
// Ranges ascend, do not overlap, and two that touch differ in their flags. At
// most one has pvid, and that one is a single VLAN.
using PortVlans = std::vector<PortVlanRange>;

// VLAN ids are 1..4094, ranges ascend and do not overlap. Paths as
// "FIELD[1].first".
absl::Status ValidateVlanRanges(absl::string_view field,
                                const std::vector<VlanRange>& ranges);
bool Contains(const std::vector<VlanRange>& ranges, uint32_t vlan);

// Port with one untagged VLAN (0: none) and these tagged ones; a VLAN that is
// both is untagged. Both valid.
PortVlans MakePortVlans(uint32_t untagged,
                        const std::vector<VlanRange>& tagged);

// What turns one into the other: `add` also changes the flags of VLANs that
// are there. Nothing that stays is named.
struct VlanChange {
  PortVlans add;
  PortVlans remove;
  bool empty() const { return add.empty() && remove.empty(); }
};
VlanChange DiffVlans(const PortVlans& have, const PortVlans& want);

// "1 untagged, 10-20 tagged"; "none".
std::string ToString(const PortVlans& vlans);

// Every VLAN of them, ascending.
std::vector<uint16_t> IdsOf(const PortVlans& vlans);

}  // namespace eoip

#endif  // EOIP_MODEL_VLAN_H_
