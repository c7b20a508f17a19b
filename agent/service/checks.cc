// SPDX-License-Identifier: Apache-2.0
#include "service/checks.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/status.h"
#include "model/names.h"

namespace eoip {
namespace {

absl::Status Taken(absl::string_view field, absl::string_view value,
                   absl::string_view by) {
  return absl::AlreadyExistsError(
      absl::StrCat(field, ": '", value, "': is taken by ", by));
}

absl::Status Used(absl::string_view field, absl::string_view value,
                  absl::string_view by) {
  return absl::FailedPreconditionError(
      absl::StrCat(field, ": '", value, "': ", by));
}

// The other network, if any, that has the link or tunnel as a port.
std::string NetworkWithPort(const State& state, const std::string& name,
                            const std::string& except = "") {
  for (const auto& [id, record] : state.desired.networks) {
    if (id == except) continue;
    for (const PortSpec& port : record->spec.ports) {
      if (port.link_name() == name) return NetworkName(id);
    }
  }
  return "";
}

// The attachment, if any, that has the link as its host's end.
std::string AttachmentWithLink(const State& state, const std::string& link) {
  for (const auto& [key, record] : state.desired.attachments) {
    if (record->spec.host_link == link) return AttachmentName(key);
  }
  return "";
}

bool IsSetAside(const State& state, const std::string& resource) {
  for (const SetAside& aside : state.set_aside) {
    if (aside.resource == resource) return true;
  }
  return false;
}

// A tunnel's and a network's name is that of its link.
absl::Status CheckLinkName(const State& state, absl::string_view field,
                           const std::string& name,
                           const std::string& other_resource,
                           bool other_exists) {
  if (other_exists) return Taken(field, name, other_resource);
  if (IsSetAside(state, other_resource)) {
    return Taken(field, name,
                 absl::StrCat(other_resource,
                              ", whose state file was set aside; delete or "
                              "create that one first"));
  }
  const std::string attachment = AttachmentWithLink(state, name);
  if (!attachment.empty()) {
    return Taken(field, name, absl::StrCat("the host_link of ", attachment));
  }
  return absl::OkStatus();
}

bool SameKey(const TunnelSpec& a, const TunnelSpec& b) {
  return a.kind == b.kind && a.remote == b.remote && a.local == b.local &&
         a.tunnel_id == b.tunnel_id;
}

absl::Status CheckPort(const State& state, const NetworkSpec& network,
                       const std::string& path, const PortSpec& port) {
  const std::string& name = port.link_name();
  const std::string field =
      absl::StrCat(path, port.tunnel.empty() ? ".link" : ".tunnel");
  const std::string value =
      port.tunnel.empty() ? name : TunnelName(port.tunnel);
  const std::string other = NetworkWithPort(state, name, network.id);
  if (!other.empty()) {
    return Used(field, value, absl::StrCat("is a port of ", other));
  }
  if (state.desired.networks.count(name) > 0) {
    return Used(field, value, absl::StrCat("is ", NetworkName(name)));
  }
  const auto tunnel = state.desired.tunnels.find(name);
  const bool is_tunnel = tunnel != state.desired.tunnels.end();
  if (port.tunnel.empty() && is_tunnel) {
    return Used(field, value,
                absl::StrCat("is ", TunnelName(name), ": name it as tunnel"));
  }
  if (is_tunnel && !IsLayer2(tunnel->second->spec.kind)) {
    return Used(field, value,
                absl::StrCat("is of kind ", ToString(tunnel->second->spec.kind),
                             "; only EOIP and EOIPV6 can be ports"));
  }
  const std::string attachment = AttachmentWithLink(state, name);
  if (!attachment.empty()) {
    return Used(field, value, absl::StrCat("is the host_link of ", attachment));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTunnel(const State& state, const TunnelSpec& spec) {
  EOIP_RETURN_IF_ERROR(
      CheckLinkName(state, "tunnel.name", spec.id, NetworkName(spec.id),
                    state.desired.networks.count(spec.id) > 0));
  for (const auto& [id, record] : state.desired.networks) {
    for (const PortSpec& port : record->spec.ports) {
      if (port.link == spec.id) {
        return Taken("tunnel.name", spec.id,
                     absl::StrCat("a host's link, port of ", NetworkName(id)));
      }
      if (port.tunnel == spec.id && !IsLayer2(spec.kind)) {
        return Used("tunnel.kind", ToString(spec.kind),
                    absl::StrCat("cannot be a port, as ", NetworkName(id),
                                 " wants it"));
      }
    }
  }
  for (const auto& [id, record] : state.desired.tunnels) {
    if (id == spec.id || !SameKey(record->spec, spec)) continue;
    return absl::AlreadyExistsError(absl::StrCat(
        "tunnel.tunnel_id: '", spec.tunnel_id.value_or(0), "': ",
        TunnelName(id), " has the same kind, remote, local and tunnel_id"));
  }
  return absl::OkStatus();
}

absl::Status CheckNetwork(const State& state, const NetworkSpec& spec) {
  EOIP_RETURN_IF_ERROR(CheckLinkName(state, "network.name", spec.id,
                                     TunnelName(spec.id),
                                     state.desired.tunnels.count(spec.id) > 0));
  const std::string user = NetworkWithPort(state, spec.id, spec.id);
  if (!user.empty()) {
    return Taken("network.name", spec.id, absl::StrCat("a port of ", user));
  }
  for (size_t i = 0; i < spec.ports.size(); ++i) {
    EOIP_RETURN_IF_ERROR(CheckPort(
        state, spec, absl::StrCat("network.ports[", i, "]"), spec.ports[i]));
  }
  if (spec.vlan_filtering) return absl::OkStatus();
  for (const auto& [key, record] : state.desired.attachments) {
    if (key.network == spec.id &&
        (record->spec.vlan != 0 || !record->spec.trunk.empty())) {
      return Used("network.vlan_filtering", "false",
                  absl::StrCat(AttachmentName(key), " has VLANs"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckAttachment(const State& state, const AttachmentSpec& spec) {
  const auto of = state.desired.networks.find(spec.network);
  if (of == state.desired.networks.end()) {
    return absl::NotFoundError(absl::StrCat(
        "attachment.name: '", AttachmentName({spec.network, spec.id}),
        "': there is no ", NetworkName(spec.network)));
  }
  if (!of->second->spec.vlan_filtering &&
      (spec.vlan != 0 || !spec.trunk.empty())) {
    return FieldError(
        spec.vlan != 0 ? "attachment.vlan" : "attachment.trunk",
        spec.vlan != 0 ? absl::StrCat(spec.vlan)
                       : absl::StrCat(spec.trunk.size(), " ranges"),
        absl::StrCat(NetworkName(spec.network), " has no vlan_filtering"));
  }
  const std::string& link = spec.host_link;
  for (const auto& [key, record] : state.desired.attachments) {
    if (record->spec.host_link == link &&
        key != AttachmentKey{spec.network, spec.id}) {
      return Taken("attachment.host_link", link, AttachmentName(key));
    }
  }
  if (state.desired.tunnels.count(link) > 0) {
    return Used("attachment.host_link", link,
                absl::StrCat("is ", TunnelName(link)));
  }
  if (state.desired.networks.count(link) > 0) {
    return Used("attachment.host_link", link,
                absl::StrCat("is ", NetworkName(link)));
  }
  const std::string network = NetworkWithPort(state, link);
  if (!network.empty()) {
    return Used("attachment.host_link", link,
                absl::StrCat("is a port of ", network));
  }
  return absl::OkStatus();
}

absl::Status CheckTunnelDelete(const State& state, const std::string& id) {
  const std::string network = NetworkWithPort(state, id);
  if (network.empty()) return absl::OkStatus();
  return Used("name", TunnelName(id), absl::StrCat("is a port of ", network));
}

absl::Status CheckNetworkDelete(const State& state, const std::string& id) {
  size_t count = 0;
  std::string example;
  for (const auto& [key, record] : state.desired.attachments) {
    if (key.network != id) continue;
    if (count++ == 0) example = AttachmentName(key);
  }
  if (count == 0) return absl::OkStatus();
  return Used(
      "name", NetworkName(id),
      absl::StrCat("has ", count, " attachments, for example ", example));
}

}  // namespace eoip
