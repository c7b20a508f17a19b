// SPDX-License-Identifier: Apache-2.0
//
// Attachments: ports of pods. The CNI plugin makes them; people look at them.
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "eoip/v1/attachment.pb.h"
#include "eoipctl/resource.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

const v1::Attachment& AsAttachment(const Message& message) {
  return static_cast<const v1::Attachment&>(message);
}

// NETWORK/NAME or networks/NETWORK/attachments/NAME
absl::StatusOr<std::string> FullName(absl::string_view typed) {
  std::vector<std::string> parts = absl::StrSplit(typed, '/');
  if (parts.size() == 4 && parts[0] == "networks" &&
      parts[2] == "attachments") {
    parts = {parts[1], parts[3]};
  }
  if (parts.size() != 2 || parts[0].empty() || parts[1].empty()) {
    return BadValue("name", typed,
                    "NETWORK/NAME or networks/NETWORK/attachments/NAME");
  }
  return absl::StrCat("networks/", parts[0], "/attachments/", parts[1]);
}

std::string ShortName(absl::string_view full) {
  const std::vector<std::string> parts = absl::StrSplit(full, '/');
  if (parts.size() != 4) return std::string(full);
  return absl::StrCat(parts[1], "/", parts[3]);
}

absl::Status ParseTrunk(absl::string_view value, Message* message) {
  return ParseVlans(value, ',',
                    static_cast<v1::Attachment*>(message)->mutable_trunk());
}

std::string FormatTrunk(const Message& message) {
  return FormatVlans(AsAttachment(message).trunk(), ",");
}

absl::Status ParseClientId(absl::string_view value, Message* message) {
  std::string bytes;
  for (absl::string_view byte : absl::StrSplit(value, ':')) {
    if (byte.size() != 2 || !absl::ascii_isxdigit(byte[0]) ||
        !absl::ascii_isxdigit(byte[1])) {
      return absl::InvalidArgumentError("");
    }
    bytes += absl::HexStringToBytes(byte);
  }
  static_cast<v1::Attachment*>(message)->mutable_dhcp()->set_client_id(bytes);
  return absl::OkStatus();
}

std::string FormatClientId(const Message& message) {
  return absl::StrJoin(
      AsAttachment(message).dhcp().client_id(), ":",
      [](std::string* out, char byte) {
        out->append(absl::BytesToHexString(absl::string_view(&byte, 1)));
      });
}

// Of the pod, or else those that the DHCP server gave it.
std::string AddressesOf(const v1::Attachment& attachment) {
  return attachment.addresses().empty()
             ? attachment.status().lease().address()
             : absl::StrJoin(attachment.addresses(), ",");
}

// "BOUND 29m": the state and how long it still holds.
std::string LeaseText(const v1::Lease& lease, absl::Time now) {
  if (lease.state() == v1::Lease::STATE_UNSPECIFIED) return "";
  const std::string state = v1::Lease::State_Name(lease.state());
  return lease.has_expire_time()
             ? absl::StrCat(state, " ",
                            FormatAge(ToTime(lease.expire_time()) - now))
             : state;
}

std::vector<Property> Properties() {
  return {
      {.word = "host-link",
       .aliases = {"link", "dev"},
       .path = "host_link",
       .values = "a link's name",
       .help = "the host's end, fixed for life"},
      {.word = "container-id",
       .path = "container_id",
       .values = "text",
       .help = "of the runtime"},
      {.word = "ifname",
       .path = "ifname",
       .values = "a link's name",
       .help = "the link in the pod"},
      {.word = "netns",
       .path = "netns",
       .values = "text",
       .help = "of the pod, never opened"},
      {.word = "mac-address",
       .aliases = {"mac"},
       .path = "mac",
       .values = "02:00:00:00:00:01",
       .help = "of the pod's end"},
      {.word = "addresses",
       .aliases = {"address"},
       .path = "addresses",
       .values = "ADDRESS/LENGTH[,ADDRESS/LENGTH...]",
       .help = "of the pod, for people"},
      {.word = "vlan",
       .path = "vlan",
       .values = "1..4094, or none",
       .help = "untagged VLAN; needs the network's vlan-filtering, where none "
               "is VLAN 1, or with a trunk no VLAN",
       .default_word = "none"},
      {.word = "trunk",
       .path = "trunk",
       .values = "VLAN[-VLAN][,VLAN[-VLAN]...], or none",
       .help = "tagged VLANs; needs the network's vlan-filtering",
       .default_word = "none",
       .parse = ParseTrunk,
       .format = FormatTrunk},
      {.word = "isolated",
       .path = "isolated",
       .values = "yes or no",
       .help = "does not talk to other isolated ports"},
      {.word = "locked",
       .path = "locked",
       .values = "yes or no",
       .help = "only frames of mac-address enter; needs Linux 5.18"},
      {.word = "hairpin",
       .path = "hairpin",
       .values = "yes or no",
       .help = "frames may leave by the port they came in by"},
      {.word = "pod-namespace",
       .path = "pod_namespace",
       .values = "text",
       .help = "in Kubernetes"},
      {.word = "pod-name",
       .path = "pod_name",
       .values = "text",
       .help = "in Kubernetes"},
      {.word = "dhcp-client-id",
       .path = "dhcp.client_id",
       .values = "2 to 255 bytes, as 01:02:00:5e:10:00:01",
       .help = "the agent gets a lease with it; fixed for life",
       .parse = ParseClientId,
       .format = FormatClientId},
      {.word = "dhcp-hostname",
       .path = "dhcp.hostname",
       .values = "at most 63 of A-Z, a-z, 0-9, '.', '_' and '-'",
       .help = "told to the DHCP server; fixed for life"},
  };
}

std::vector<Column> Columns() {
  using M = const Message&;
  using N = absl::Time;
  return {
      {"NAME", false, [](M a, N) { return ShortName(NameOf(a)); }},
      {"STATE", false, [](M a, N) { return StateOf(a); }},
      {"LINK", false, [](M a, N) { return AsAttachment(a).host_link(); }},
      {"MTU", false,
       [](M a, N) {
         return FormatProperty({.path = "status.effective_mtu"}, a);
       }},
      {"IFNAME", true, [](M a, N) { return AsAttachment(a).ifname(); }},
      {"MAC", false, [](M a, N) { return AsAttachment(a).mac(); }},
      {"ADDRESSES", false, [](M a, N) { return AddressesOf(AsAttachment(a)); }},
      {"LEASE", true,
       [](M a, N now) {
         return LeaseText(AsAttachment(a).status().lease(), now);
       }},
      {"POD", false,
       [](M a, N) {
         const v1::Attachment& attachment = AsAttachment(a);
         return attachment.pod_name().empty()
                    ? std::string()
                    : absl::StrCat(attachment.pod_namespace(), "/",
                                   attachment.pod_name());
       }},
      {"VLAN", true,
       [](M a, N) { return FormatProperty({.path = "vlan"}, a); }},
      {"TRUNK", true, [](M a, N) { return FormatTrunk(a); }},
      {"ISOLATED", true,
       [](M a, N) -> std::string {
         return AsAttachment(a).isolated() ? "yes" : "no";
       }},
      {"LOCKED", true,
       [](M a, N) -> std::string {
         return AsAttachment(a).locked() ? "yes" : "no";
       }},
      {"CONTAINER", true,
       [](M a, N) { return AsAttachment(a).container_id().substr(0, 12); }},
      {"NETNS", true, [](M a, N) { return AsAttachment(a).netns(); }},
      {"REASON", false, [](M a, N) { return ReasonOf(a); }},
  };
}

std::vector<Example> Examples() {
  return {
      {"create",
       "eoipctl attachment create lan/web0 host-link=veth0 "
       "addresses=192.0.2.7/24"},
      {"get", "eoipctl attachment get lan/web0"},
      {"list",
       "eoipctl attachment list\n"
       "eoipctl attachment list lan -o wide"},
      {"update", "eoipctl attachment update lan/web0 isolated=yes"},
      {"delete", "eoipctl attachment delete lan/web0"},
      {"watch",
       "eoipctl attachment watch\n"
       "eoipctl attachment watch lan/web0"},
  };
}

}  // namespace

const Resource& Attachments() {
  static const Resource& resource = *new Resource{
      .noun = "attachment",
      .plural = "attachments",
      .name_form = "NETWORK/NAME",
      .what = "ports of pods in networks",
      .properties = Properties(),
      .columns = Columns(),
      .examples = Examples(),
      .full_name = FullName,
      .short_name = ShortName,
      .make_client = client::MakeAttachmentClient,
  };
  return resource;
}

}  // namespace eoip::ctl
