// SPDX-License-Identifier: Apache-2.0
#include "model/network.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/names.h"
#include "model/tunnel.h"

namespace eoip {
namespace {

constexpr uint32_t kMaxVlan = 4094;
constexpr size_t kMaxVlanRanges = kMaxVlan;
constexpr size_t kMaxComment = 255;

absl::Status ValidatePort(const std::string& path, const NetworkSpec& spec,
                          const PortSpec& port) {
  if (port.tunnel.empty() == port.link.empty()) {
    return FieldError(path, port.tunnel,
                      "exactly one of tunnel and link is required");
  }
  const std::string name_path =
      absl::StrCat(path, port.tunnel.empty() ? ".link" : ".tunnel");
  EOIP_RETURN_IF_ERROR(ValidateLinkName(name_path, port.link_name()));
  if (port.link_name() == spec.id) {
    return FieldError(name_path, port.link_name(),
                      "another link than the network itself");
  }
  const std::string pvid_path = absl::StrCat(path, ".pvid");
  if (port.pvid > kMaxVlan) {
    return FieldError(pvid_path, absl::StrCat(port.pvid),
                      "1..4094, or 0 for the default");
  }
  const std::string tagged_path = absl::StrCat(path, ".tagged");
  EOIP_RETURN_IF_ERROR(ValidateVlanRanges(tagged_path, port.tagged));
  if (port.pvid != 0) {
    return NotBuiltError(pvid_path, absl::StrCat(port.pvid), "0");
  }
  if (!port.tagged.empty()) {
    return NotBuiltError(tagged_path,
                         absl::StrCat(port.tagged.size(), " ranges"), "none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::string_view ToString(NetworkState state) {
  switch (state) {
    case NetworkState::kPending:
      return "PENDING";
    case NetworkState::kActive:
      return "ACTIVE";
    case NetworkState::kDegraded:
      return "DEGRADED";
    case NetworkState::kFailed:
      return "FAILED";
    case NetworkState::kDeleting:
      return "DELETING";
  }
  return "?";
}

absl::Status ValidateVlanRanges(absl::string_view field,
                                const std::vector<VlanRange>& ranges) {
  if (ranges.size() > kMaxVlanRanges) {
    return FieldError(field, absl::StrCat(ranges.size(), " ranges"),
                      "at most 4094 ranges");
  }
  uint32_t previous = 0;
  for (size_t i = 0; i < ranges.size(); ++i) {
    const VlanRange& range = ranges[i];
    const std::string path = absl::StrCat(field, "[", i, "]");
    if (range.first < 1 || range.first > kMaxVlan) {
      return FieldError(absl::StrCat(path, ".first"), absl::StrCat(range.first),
                        "1..4094");
    }
    if (range.last < range.first || range.last > kMaxVlan) {
      return FieldError(absl::StrCat(path, ".last"), absl::StrCat(range.last),
                        "first..4094");
    }
    if (range.first <= previous) {
      return FieldError(absl::StrCat(path, ".first"), absl::StrCat(range.first),
                        absl::StrCat("above ", previous,
                                     ": ranges ascend and do not overlap"));
    }
    previous = range.last;
  }
  return absl::OkStatus();
}

absl::Status ValidateNetwork(const NetworkSpec& spec) {
  EOIP_RETURN_IF_ERROR(ValidateLinkName("network.name", spec.id));
  if (spec.ports.size() > kMaxPorts) {
    return FieldError("network.ports", absl::StrCat(spec.ports.size()),
                      absl::StrCat("at most ", kMaxPorts, " ports"));
  }
  std::set<std::string> seen;
  for (size_t i = 0; i < spec.ports.size(); ++i) {
    const PortSpec& port = spec.ports[i];
    const std::string path = absl::StrCat("network.ports[", i, "]");
    EOIP_RETURN_IF_ERROR(ValidatePort(path, spec, port));
    if (!seen.insert(port.link_name()).second) {
      return FieldError(
          absl::StrCat(path, port.tunnel.empty() ? ".link" : ".tunnel"),
          port.link_name(), "each port once");
    }
  }
  if (spec.mtu != 0 && (spec.mtu < kMinMtu || spec.mtu > kMaxMtu)) {
    return FieldError("network.mtu", absl::StrCat(spec.mtu),
                      "68..65521, or 0 for the smallest of the tunnels'");
  }
  if (spec.mac && !spec.mac->IsUnicast()) {
    return FieldError("network.mac", spec.mac->ToString(),
                      "a unicast MAC address, or empty");
  }
  EOIP_RETURN_IF_ERROR(
      ValidateText("network.comment", spec.comment, kMaxComment));
  if (spec.released_links.size() > kMaxReleasedLinks) {
    return FieldError("network.released_links",
                      absl::StrCat(spec.released_links.size()),
                      absl::StrCat("at most ", kMaxReleasedLinks, " links"));
  }
  for (size_t i = 0; i < spec.released_links.size(); ++i) {
    EOIP_RETURN_IF_ERROR(
        ValidateLinkName(absl::StrCat("network.released_links[", i, "]"),
                         spec.released_links[i]));
  }
  if (spec.vlan_filtering) {
    return NotBuiltError("network.vlan_filtering", "true", "false");
  }
  return absl::OkStatus();
}

absl::Status ValidateNetworkUpdate(const NetworkSpec& from,
                                   const NetworkSpec& to) {
  if (to.id == from.id) return absl::OkStatus();
  return FieldError("network.name", NetworkName(to.id),
                    absl::StrCat("immutable, it is ", NetworkName(from.id)));
}

}  // namespace eoip
