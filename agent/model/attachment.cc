// SPDX-License-Identifier: Apache-2.0
#include "model/attachment.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/names.h"

namespace eoip {
namespace {

constexpr size_t kMaxAddresses = 64;
constexpr size_t kMaxPath = 4095;  // PATH_MAX without its end
constexpr size_t kMaxLabel = 253;  // a Kubernetes name (a DNS subdomain)
constexpr size_t kMaxContainerId = 255;
constexpr size_t kMaxIfname = 15;  // IFNAMSIZ - 1
constexpr size_t kMaxHostname = 63;

// The name of a link in the pod is the runtime's choice: what the kernel
// takes (dev_valid_name), printable.
absl::Status ValidatePodIfname(const std::string& name) {
  EOIP_RETURN_IF_ERROR(ValidateText("attachment.ifname", name, kMaxIfname));
  if (name == "." || name == ".." ||
      name.find_first_of("/: ") != std::string::npos) {
    return FieldError("attachment.ifname", name,
                      "0 to 15 bytes without '/', ':' and blanks");
  }
  return absl::OkStatus();
}

bool IsPrefix(absl::string_view text) {
  const size_t slash = text.find('/');
  if (slash == absl::string_view::npos) return false;
  const auto address = IpAddress::Parse(text.substr(0, slash));
  if (!address.ok()) return false;
  const absl::string_view length = text.substr(slash + 1);
  uint32_t bits;
  return !length.empty() && length.size() <= 3 &&
         length.find_first_not_of("0123456789") == absl::string_view::npos &&
         absl::SimpleAtoi(length, &bits) &&
         bits <= (address->is_v6() ? 128 : 32);
}

absl::Status ValidateAddresses(const std::vector<std::string>& addresses) {
  if (addresses.size() > kMaxAddresses) {
    return FieldError("attachment.addresses", absl::StrCat(addresses.size()),
                      absl::StrCat("at most ", kMaxAddresses, " addresses"));
  }
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (IsPrefix(addresses[i])) continue;
    return FieldError(absl::StrCat("attachment.addresses[", i, "]"),
                      addresses[i],
                      "an address with its prefix length, as 192.0.2.7/24");
  }
  return absl::OkStatus();
}

absl::Status ValidateDhcp(const AttachmentSpec& spec) {
  if (!spec.dhcp) return absl::OkStatus();
  const std::string& id = spec.dhcp->client_id;
  if (id.size() < 2 || id.size() > 255) {
    return FieldError("attachment.dhcp.client_id",
                      absl::StrCat(id.size(), " bytes"), "2 to 255 bytes");
  }
  const std::string& hostname = spec.dhcp->hostname;
  const bool good =
      hostname.size() <= kMaxHostname &&
      std::all_of(hostname.begin(), hostname.end(), [](char c) {
        return absl::ascii_isalnum(c) || c == '-' || c == '.' || c == '_';
      });
  if (!good) {
    return FieldError("attachment.dhcp.hostname", hostname,
                      "at most 63 of [A-Za-z0-9._-]");
  }
  if (!spec.mac) {
    return FieldError("attachment.mac", "", "required with attachment.dhcp");
  }
  if (!spec.addresses.empty()) {
    return FieldError("attachment.addresses", spec.addresses[0],
                      "none with attachment.dhcp");
  }
  // The bridge's own device, which the agent speaks through, is in no VLAN.
  if (spec.vlan != 0) {
    return NotBuiltError("attachment.vlan", absl::StrCat(spec.vlan),
                         "0 with attachment.dhcp");
  }
  return absl::OkStatus();
}

absl::Status ValidateVlans(const AttachmentSpec& spec) {
  if (spec.vlan > kMaxVlan) {
    return FieldError("attachment.vlan", absl::StrCat(spec.vlan),
                      "1..4094, or 0 for none");
  }
  return ValidateVlanRanges("attachment.trunk", spec.trunk);
}

}  // namespace

absl::string_view ToString(AttachmentState state) {
  switch (state) {
    case AttachmentState::kPending:
      return "PENDING";
    case AttachmentState::kActive:
      return "ACTIVE";
    case AttachmentState::kFailed:
      return "FAILED";
    case AttachmentState::kDeleting:
      return "DELETING";
  }
  return "?";
}

absl::Status ValidateAttachment(const AttachmentSpec& spec) {
  EOIP_RETURN_IF_ERROR(ValidateLinkName("attachment.name", spec.network));
  EOIP_RETURN_IF_ERROR(ValidateAttachmentId("attachment.name", spec.id));
  EOIP_RETURN_IF_ERROR(
      ValidateLinkName("attachment.host_link", spec.host_link));
  if (spec.host_link == spec.network) {
    return FieldError("attachment.host_link", spec.host_link,
                      "another link than the network itself");
  }
  EOIP_RETURN_IF_ERROR(ValidateText("attachment.container_id",
                                    spec.container_id, kMaxContainerId));
  EOIP_RETURN_IF_ERROR(ValidatePodIfname(spec.ifname));
  EOIP_RETURN_IF_ERROR(ValidateText("attachment.netns", spec.netns, kMaxPath));
  if (spec.mac && !spec.mac->IsUnicast()) {
    return FieldError("attachment.mac", spec.mac->ToString(),
                      "a unicast MAC address, or empty");
  }
  if (spec.locked && !spec.mac) {
    return FieldError("attachment.locked", "true", "false without mac");
  }
  EOIP_RETURN_IF_ERROR(ValidateAddresses(spec.addresses));
  EOIP_RETURN_IF_ERROR(
      ValidateText("attachment.pod_namespace", spec.pod_namespace, kMaxLabel));
  EOIP_RETURN_IF_ERROR(
      ValidateText("attachment.pod_name", spec.pod_name, kMaxLabel));
  EOIP_RETURN_IF_ERROR(ValidateDhcp(spec));
  return ValidateVlans(spec);
}

absl::Status ValidateAttachmentUpdate(const AttachmentSpec& from,
                                      const AttachmentSpec& to) {
  const AttachmentKey old_key{from.network, from.id};
  const AttachmentKey new_key{to.network, to.id};
  if (new_key != old_key) {
    return FieldError(
        "attachment.name", AttachmentName(new_key),
        absl::StrCat("immutable, it is ", AttachmentName(old_key)));
  }
  if (to.host_link != from.host_link) {
    return FieldError("attachment.host_link", to.host_link,
                      absl::StrCat("immutable, it is ", from.host_link));
  }
  if (to.dhcp != from.dhcp || (to.dhcp && to.mac != from.mac)) {
    return absl::InvalidArgumentError(
        "attachment.dhcp: immutable, and attachment.mac with it");
  }
  return absl::OkStatus();
}

PortVlans VlansOf(const AttachmentSpec& spec) {
  const bool by_default = spec.vlan == 0 && spec.trunk.empty();
  return MakePortVlans(by_default ? kDefaultVlan : spec.vlan, spec.trunk);
}

}  // namespace eoip
