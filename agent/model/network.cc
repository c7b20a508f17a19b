// SPDX-License-Identifier: Apache-2.0
#include "model/network.h"

#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/names.h"
#include "model/tunnel.h"

namespace eoip {
namespace {

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
  if (port.pvid != 0 && Contains(port.tagged, port.pvid)) {
    return FieldError(pvid_path, absl::StrCat(port.pvid),
                      "another VLAN than the tagged ones");
  }
  if (spec.vlan_filtering) return absl::OkStatus();
  if (port.pvid != 0) {
    return FieldError(pvid_path, absl::StrCat(port.pvid),
                      "0 in a network without vlan_filtering");
  }
  if (!port.tagged.empty()) {
    return FieldError(tagged_path, absl::StrCat(port.tagged.size(), " ranges"),
                      "none in a network without vlan_filtering");
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
  return absl::OkStatus();
}

absl::Status ValidateNetworkUpdate(const NetworkSpec& from,
                                   const NetworkSpec& to) {
  if (to.id == from.id) return absl::OkStatus();
  return FieldError("network.name", NetworkName(to.id),
                    absl::StrCat("immutable, it is ", NetworkName(from.id)));
}

PortVlans VlansOf(const PortSpec& port) {
  uint32_t untagged = port.pvid;
  if (untagged == 0 && !Contains(port.tagged, kDefaultVlan)) {
    untagged = kDefaultVlan;
  }
  return MakePortVlans(untagged, port.tagged);
}

}  // namespace eoip
