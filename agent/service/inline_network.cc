// SPDX-License-Identifier: Apache-2.0
#include "service/inline_network.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <type_traits>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "model/names.h"
#include "service/convert.h"

namespace eoip {
namespace {

constexpr char kTunnels[] = "inline_network.tunnels";

// "mtu: 1400 -> 1500" for each field that differs; empty: the same content,
// whoever made it.
template <typename Spec>
std::string Difference(Spec there, Spec wanted) {
  there.source.clear();
  wanted.source.clear();
  auto a = ToProto(there);
  auto b = ToProto(wanted);
  if constexpr (std::is_same_v<Spec, NetworkSpec>) {
    a.clear_released_links();
    b.clear_released_links();
  }
  std::string report;
  google::protobuf::util::MessageDifferencer differencer;
  differencer.ReportDifferencesToString(&report);
  if (differencer.Compare(a, b)) return "";
  return absl::StrReplaceAll(absl::StripAsciiWhitespace(report),
                             {{"\n", "; "}});
}

absl::Status OtherContent(absl::string_view field, absl::string_view name,
                          absl::string_view difference) {
  return FieldError(field, name,
                    absl::StrCat("is there with another content (", difference,
                                 "); use its name alone, or another name"));
}

}  // namespace

absl::StatusOr<InlineNetwork> ReadInlineNetwork(
    const v1::InlineNetwork& proto) {
  EOIP_RETURN_IF_ERROR(RefuseUnknownFields("inline_network", proto));
  InlineNetwork result;
  auto network = FromProto(proto.network());
  EOIP_RETURN_IF_ERROR(Annotate(network.status(), "inline_network"));
  result.network = *std::move(network);
  EOIP_RETURN_IF_ERROR(
      Annotate(ValidateNetwork(result.network), "inline_network"));
  result.network.source = kInlineSource;
  std::set<std::string> ports;
  for (const PortSpec& port : result.network.ports) ports.insert(port.tunnel);
  for (int i = 0; i < proto.tunnels_size(); ++i) {
    const std::string path = absl::StrCat(kTunnels, "[", i, "]");
    auto tunnel = FromProto(proto.tunnels(i));
    EOIP_RETURN_IF_ERROR(Annotate(tunnel.status(), path));
    EOIP_RETURN_IF_ERROR(Annotate(ValidateTunnel(*tunnel), path));
    if (ports.erase(tunnel->id) == 0) {
      return FieldError(path, tunnel->id,
                        "each tunnel once, and a port of the network");
    }
    tunnel->source = kInlineSource;
    result.tunnels.push_back(*std::move(tunnel));
  }
  ports.erase("");
  if (!ports.empty()) {
    return FieldError("inline_network.network.ports", *ports.begin(),
                      "tunnels of the inline network only");
  }
  return result;
}

absl::Status AddInlineNetwork(const InlineNetwork& wanted, State* state) {
  const std::string& id = wanted.network.id;
  const auto network = state->desired.networks.find(id);
  if (network != state->desired.networks.end()) {
    const std::string difference =
        Difference(network->second->spec, wanted.network);
    if (!difference.empty()) {
      return OtherContent("inline_network.network", NetworkName(id),
                          difference);
    }
  }
  for (size_t i = 0; i < wanted.tunnels.size(); ++i) {
    const TunnelSpec& spec = wanted.tunnels[i];
    const std::string path = absl::StrCat(kTunnels, "[", i, "]");
    const auto tunnel = state->desired.tunnels.find(spec.id);
    if (tunnel != state->desired.tunnels.end()) {
      const std::string difference = Difference(tunnel->second->spec, spec);
      if (!difference.empty()) {
        return OtherContent(path, TunnelName(spec.id), difference);
      }
      continue;
    }
    EOIP_RETURN_IF_ERROR(Annotate(CheckTunnel(*state, spec), path));
    state->desired.tunnels.emplace(
        spec.id, std::make_shared<const TunnelRecord>(TunnelRecord{spec, ""}));
  }
  if (network != state->desired.networks.end()) return absl::OkStatus();
  EOIP_RETURN_IF_ERROR(
      Annotate(CheckNetwork(*state, wanted.network), "inline_network"));
  state->desired.networks.emplace(id, std::make_shared<const NetworkRecord>(
                                          NetworkRecord{wanted.network, ""}));
  return absl::OkStatus();
}

}  // namespace eoip
