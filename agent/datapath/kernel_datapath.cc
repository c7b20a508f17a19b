// SPDX-License-Identifier: Apache-2.0
#include "datapath/kernel_datapath.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace eoip {
namespace {

constexpr absl::Duration kProbeAge = absl::Seconds(5);

constexpr char kForeignModule[] =
    "another module provides the link kind (not the bundled eoip.ko): unload "
    "it and load the bundled one";

// A tunnel of the bundled module that the agent made.
bool IsOurs(const Link& link) { return link.tunnel && link.owned(); }

}  // namespace

Availability KernelDatapath::Probe() {
  const absl::Time now = absl::Now();
  // A clock that was set back makes no answer last.
  if (probed_ > now || now - probed_ > kProbeAge) {
    probe_ = ProbeNow();
    probed_ = now;
  }
  return probe_;
}

Availability KernelDatapath::ProbeNow() {
  Availability availability;
  for (const TunnelKind kind : {TunnelKind::kEoip, TunnelKind::kEoipV6}) {
    const absl::StatusOr<KindProbe> probe = links_->ProbeKind(kind);
    if (!probe.ok()) {
      availability.reason = std::string(probe.status().message());
      availability.available = false;
      availability.kinds.clear();
      return availability;
    }
    if (*probe == KindProbe::kBundled) availability.kinds.push_back(kind);
    if (*probe == KindProbe::kForeign) availability.reason = kForeignModule;
  }
  availability.available = !availability.kinds.empty();
  if (availability.kinds.size() == 2) {
    availability.reason = "kernel module eoip";
  } else if (availability.available) {
    availability.reason = absl::StrCat(
        "kernel module eoip, without ",
        availability.kinds[0] == TunnelKind::kEoip ? "eoipv6" : "eoip");
  } else if (availability.reason.empty()) {
    availability.reason = kModuleNotLoaded;
  }
  return availability;
}

absl::StatusOr<std::vector<ObservedTunnel>> KernelDatapath::List(
    const LinkTable& links) {
  std::vector<ObservedTunnel> tunnels;
  for (const auto& [name, link] : links) {
    if (IsOurs(link)) tunnels.push_back(*link.tunnel);
  }
  return tunnels;
}

absl::StatusOr<ObservedTunnel> KernelDatapath::Get(const std::string& name,
                                                   const Link* link) {
  if (link == nullptr || !IsOurs(*link)) {
    return absl::NotFoundError(absl::StrCat("no tunnel ", name));
  }
  return *link->tunnel;
}

absl::StatusOr<uint32_t> KernelDatapath::Put(const TunnelConfig& config,
                                             bool create) {
  if (!IsLayer2(config.kind)) {
    return absl::FailedPreconditionError(absl::StrCat(
        "the kernel module does not carry ", ToString(config.kind)));
  }
  if (!create) {
    EOIP_ASSIGN_OR_RETURN(const Link link, links_->Get(config.name));
    if (!IsOurs(link)) {
      return absl::AlreadyExistsError(
          absl::StrCat("link ", config.name, " is not a tunnel of the agent"));
    }
    EOIP_RETURN_IF_ERROR(links_->PutTunnelLink(config, /*create=*/false));
    return link.ifindex;
  }
  absl::Status status = links_->PutTunnelLink(config, /*create=*/true);
  if (absl::IsFailedPrecondition(status)) probed_ = absl::InfinitePast();
  EOIP_RETURN_IF_ERROR(status);
  EOIP_ASSIGN_OR_RETURN(const Link link, links_->Get(config.name));
  if (IsOurs(link)) return link.ifindex;
  // A module that knows the kind but not our attributes took the request.
  probed_ = absl::InfinitePast();
  if (link.owned()) EOIP_RETURN_IF_ERROR(links_->Delete({link.ifindex}));
  return absl::FailedPreconditionError(kForeignModule);
}

absl::Status KernelDatapath::Delete(const std::vector<std::string>& names) {
  EOIP_ASSIGN_OR_RETURN(const LinkTable table, GetLinks(*links_, names));
  std::vector<uint32_t> ifindexes;
  for (const auto& [name, link] : table) {
    if (IsOurs(link)) ifindexes.push_back(link.ifindex);
  }
  return links_->Delete(ifindexes);
}

absl::StatusOr<std::map<std::string, TunnelReading>> KernelDatapath::Read(
    const std::vector<std::string>& names) {
  std::lock_guard<std::mutex> lock(reader_mu_);
  EOIP_ASSIGN_OR_RETURN(const auto links, reader_->ReadTunnels(names));
  std::map<std::string, TunnelReading> readings;
  for (const auto& [name, link] : links) {
    readings[name] =
        TunnelReading{link.counters, link.last_heard, link.carrier};
  }
  return readings;
}

}  // namespace eoip
