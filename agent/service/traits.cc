// SPDX-License-Identifier: Apache-2.0
#include "service/traits.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "model/names.h"
#include "service/convert.h"

namespace eoip {
namespace {

// The links of hosts that leave the network with this update join those that
// left it before; those that come back are forgotten.
std::vector<std::string> ReleasedLinks(const NetworkSpec& from,
                                       const NetworkSpec& to) {
  std::set<std::string> present;
  for (const PortSpec& port : to.ports) present.insert(port.link_name());
  std::vector<std::string> released = from.released_links;
  for (const PortSpec& port : from.ports) {
    if (!port.link.empty()) released.push_back(port.link);
  }
  std::vector<std::string> result;
  for (const std::string& link : released) {
    if (present.count(link) == 0 &&
        std::find(result.begin(), result.end(), link) == result.end()) {
      result.push_back(link);
    }
  }
  if (result.size() > kMaxReleasedLinks) {
    result.erase(result.begin(), result.end() - kMaxReleasedLinks);
  }
  return result;
}

absl::Status RefuseInline(absl::string_view noun, const std::string& name,
                          const std::string& source) {
  if (source.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      noun, ".name: '", name,
      "': belongs to an inline network; change the CNI configuration that has "
      "it"));
}

}  // namespace

const std::set<std::string>& TunnelTraits::OutputFields() {
  static const auto& fields =
      *new std::set<std::string>{"etag", "status", "source"};
  return fields;
}

const std::set<std::string>& NetworkTraits::OutputFields() {
  static const auto& fields =
      *new std::set<std::string>{"etag", "status", "released_links", "source"};
  return fields;
}

const std::set<std::string>& AttachmentTraits::OutputFields() {
  static const auto& fields = *new std::set<std::string>{"etag", "status"};
  return fields;
}

absl::StatusOr<std::string> TunnelTraits::ParseName(absl::string_view field,
                                                    absl::string_view name) {
  return ParseTunnelName(field, name);
}

absl::StatusOr<std::string> NetworkTraits::ParseName(absl::string_view field,
                                                     absl::string_view name) {
  return ParseNetworkName(field, name);
}

absl::StatusOr<AttachmentKey> AttachmentTraits::ParseName(
    absl::string_view field, absl::string_view name) {
  return ParseAttachmentName(field, name);
}

std::string TunnelTraits::NameOf(const std::string& key) {
  return TunnelName(key);
}

std::string NetworkTraits::NameOf(const std::string& key) {
  return NetworkName(key);
}

std::string AttachmentTraits::NameOf(const AttachmentKey& key) {
  return AttachmentName(key);
}

v1::Tunnel TunnelTraits::View(const TunnelRecord& record,
                              const StatusBoard& board) {
  v1::Tunnel proto = ToProto(record.spec);
  proto.set_etag(record.etag);
  *proto.mutable_status() = ToProto(board.GetTunnel(record.spec.id));
  return proto;
}

v1::Network NetworkTraits::View(const NetworkRecord& record,
                                const StatusBoard& board) {
  v1::Network proto = ToProto(record.spec);
  proto.set_etag(record.etag);
  *proto.mutable_status() = ToProto(board.GetNetwork(record.spec.id));
  return proto;
}

v1::Attachment AttachmentTraits::View(const AttachmentRecord& record,
                                      const StatusBoard& board) {
  v1::Attachment proto = ToProto(record.spec);
  proto.set_etag(record.etag);
  *proto.mutable_status() = ToProto(board.GetAttachment(KeyOf(record.spec)));
  return proto;
}

absl::Status TunnelTraits::PrepareUpdate(const StatusBoard& board,
                                         const TunnelSpec& from,
                                         TunnelSpec* to) {
  EOIP_RETURN_IF_ERROR(RefuseInline("tunnel", NameOf(from.id), from.source));
  EOIP_RETURN_IF_ERROR(ValidateTunnelUpdate(from, *to));
  if (to->datapath == from.datapath || from.datapath == DatapathType::kAuto) {
    return absl::OkStatus();
  }
  const TunnelStatus status = board.GetTunnel(from.id);
  if (status.datapath != from.datapath || status.ifindex == 0) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "tunnel.datapath: '", ToString(to->datapath), "': immutable while ",
      ToString(from.datapath),
      " was asked for and carries the tunnel; delete and create the tunnel"));
}

absl::Status NetworkTraits::PrepareUpdate(const StatusBoard&,
                                          const NetworkSpec& from,
                                          NetworkSpec* to) {
  EOIP_RETURN_IF_ERROR(RefuseInline("network", NameOf(from.id), from.source));
  to->released_links = ReleasedLinks(from, *to);
  return ValidateNetworkUpdate(from, *to);
}

absl::Status AttachmentTraits::PrepareUpdate(const StatusBoard&,
                                             const AttachmentSpec& from,
                                             AttachmentSpec* to) {
  return ValidateAttachmentUpdate(from, *to);
}

}  // namespace eoip
