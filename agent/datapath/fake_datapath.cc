// SPDX-License-Identifier: Apache-2.0
#include "datapath/fake_datapath.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace eoip {
namespace {

bool SameKey(const TunnelConfig& a, const TunnelConfig& b) {
  return a.kind == b.kind && a.tunnel_id == b.tunnel_id &&
         a.remote == b.remote && a.local == b.local;
}

std::string LinkKind(DatapathType type, TunnelKind kind) {
  if (type == DatapathType::kTap) return "tun";
  return kind == TunnelKind::kEoipV6 ? "eoipv6" : "eoip";
}

}  // namespace

void FakeDatapath::SetAvailable(bool available, std::string reason,
                                bool lists) {
  std::lock_guard<std::mutex> lock(mu_);
  available_ = available;
  reason_ = std::move(reason);
  lists_ = lists;
}

void FakeDatapath::Restart() {
  std::lock_guard<std::mutex> lock(mu_);
  for (const auto& [name, entry] : tunnels_) {
    const std::optional<Link> link = kernel_->Find(name);
    if (link && link->ifindex == entry.tunnel.ifindex) {
      kernel_->RemoveLink(name);
    }
  }
  tunnels_.clear();
}

void FakeDatapath::SetPeerUp(const std::string& name, bool up) {
  kernel_->SetCarrier(name, up);
  std::lock_guard<std::mutex> lock(mu_);
  tunnels_.at(name).tunnel.peer_up = up;
}

void FakeDatapath::SetLastHeard(const std::string& name, absl::Duration age) {
  std::lock_guard<std::mutex> lock(mu_);
  tunnels_.at(name).tunnel.last_heard = age;
}

void FakeDatapath::SetSendError(const std::string& name, std::string error) {
  std::lock_guard<std::mutex> lock(mu_);
  tunnels_.at(name).tunnel.send_error = std::move(error);
}

void FakeDatapath::SetCounters(const std::string& name,
                               const TunnelCounters& counters) {
  std::lock_guard<std::mutex> lock(mu_);
  tunnels_.at(name).counters = counters;
}

void FakeDatapath::SetWorkers(WorkersReading workers) {
  std::lock_guard<std::mutex> lock(mu_);
  workers_ = std::move(workers);
}

absl::StatusOr<WorkersReading> FakeDatapath::ReadWorkers() {
  std::lock_guard<std::mutex> lock(mu_);
  EOIP_RETURN_IF_ERROR(ListableLocked());
  return workers_;
}

Availability FakeDatapath::Probe() {
  std::lock_guard<std::mutex> lock(mu_);
  Availability availability;
  availability.available = available_;
  availability.reason = reason_;
  if (available_) {
    availability.kinds = {TunnelKind::kEoip, TunnelKind::kEoipV6};
  }
  return availability;
}

absl::Status FakeDatapath::ListableLocked() const {
  if (available_ || lists_) return absl::OkStatus();
  return absl::UnavailableError(reason_);
}

ObservedTunnel FakeDatapath::ViewLocked(const Entry& entry,
                                        const Link* link) const {
  ObservedTunnel tunnel = entry.tunnel;
  tunnel.link_gone = link == nullptr || link->ifindex != tunnel.ifindex;
  if (!tunnel.link_gone) {
    tunnel.config.mtu = link->mtu;
    tunnel.config.mac = link->mac;
  }
  return tunnel;
}

absl::StatusOr<std::vector<ObservedTunnel>> FakeDatapath::List(
    const LinkTable& links) {
  std::lock_guard<std::mutex> lock(mu_);
  EOIP_RETURN_IF_ERROR(ListableLocked());
  std::vector<ObservedTunnel> list;
  for (auto it = tunnels_.begin(); it != tunnels_.end();) {
    const auto link = links.find(it->first);
    ObservedTunnel tunnel =
        ViewLocked(it->second, link == links.end() ? nullptr : &link->second);
    if (tunnel.link_gone && type_ == DatapathType::kKernel) {
      it = tunnels_.erase(it);
      continue;
    }
    list.push_back(std::move(tunnel));
    ++it;
  }
  return list;
}

absl::StatusOr<ObservedTunnel> FakeDatapath::Get(const std::string& name,
                                                 const Link* link) {
  std::lock_guard<std::mutex> lock(mu_);
  EOIP_RETURN_IF_ERROR(ListableLocked());
  const auto it = tunnels_.find(name);
  if (it != tunnels_.end()) {
    ObservedTunnel tunnel = ViewLocked(it->second, link);
    if (!tunnel.link_gone || type_ != DatapathType::kKernel) return tunnel;
    tunnels_.erase(it);
  }
  return absl::NotFoundError(absl::StrCat("no tunnel ", name));
}

absl::StatusOr<uint32_t> FakeDatapath::PutLocked(const TunnelConfig& config,
                                                 bool create) {
  const std::string& name = config.name;
  if (!IsLayer2(config.kind)) {
    return absl::FailedPreconditionError(
        absl::StrCat("does not carry ", ToString(config.kind)));
  }
  if (name.empty() || name.size() > 15 || config.mtu < kMinMtu ||
      config.mtu > kMaxMtu) {
    return absl::InvalidArgumentError(
        absl::StrCat("tunnel ", name, " of MTU ", config.mtu));
  }
  for (const auto& [other, entry] : tunnels_) {
    if (other != name && SameKey(entry.tunnel.config, config) &&
        kernel_->Find(other)) {
      return absl::AlreadyExistsError(
          absl::StrCat("tunnel ", other, " has the same id and addresses"));
    }
  }
  const std::optional<Link> link = kernel_->Find(name);
  const auto known = tunnels_.find(name);
  const bool ours = known != tunnels_.end() && link &&
                    link->ifindex == known->second.tunnel.ifindex;
  if (link && !ours) {
    return absl::AlreadyExistsError(
        absl::StrCat("link ", name, " exists and is not a tunnel of this"));
  }
  if (!create && !ours) {
    return absl::NotFoundError(absl::StrCat("no tunnel ", name));
  }
  if (create && ours && type_ == DatapathType::kKernel) {
    return absl::AlreadyExistsError(absl::StrCat("link ", name, " exists"));
  }
  const uint32_t ifindex =
      ours ? link->ifindex
           : kernel_->AddLink(name, LinkKind(type_, config.kind));
  kernel_->Edit(name, [&](Link& edited) {
    edited.mtu = config.mtu;
    if (!config.mac.IsZero()) edited.mac = config.mac;
    edited.group = kOwnedGroup;
    edited.foreign_eoip = false;
  });
  ObservedTunnel& tunnel = tunnels_[name].tunnel;
  tunnel.config = config;
  if (type_ == DatapathType::kKernel) tunnel.config.disabled = false;
  tunnel.datapath = type_;
  tunnel.ifindex = ifindex;
  return ifindex;
}

absl::StatusOr<uint32_t> FakeDatapath::Put(const TunnelConfig& config,
                                           bool create) {
  const std::string what = absl::StrCat("put ", config.name);
  EOIP_RETURN_IF_ERROR(kernel_->faults().Enter(what));
  uint32_t ifindex = 0;
  {
    std::lock_guard<std::mutex> lock(mu_);
    if (!available_) return absl::UnavailableError(reason_);
    EOIP_ASSIGN_OR_RETURN(ifindex, PutLocked(config, create));
  }
  EOIP_RETURN_IF_ERROR(kernel_->faults().Leave(what));
  return ifindex;
}

absl::Status FakeDatapath::Delete(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const std::string what = absl::StrCat("delete tunnel ", name);
    EOIP_RETURN_IF_ERROR(kernel_->faults().Enter(what));
    {
      std::lock_guard<std::mutex> lock(mu_);
      if (!available_) return absl::UnavailableError(reason_);
      const auto it = tunnels_.find(name);
      if (it == tunnels_.end()) continue;
      const std::optional<Link> link = kernel_->Find(name);
      if (link && link->ifindex == it->second.tunnel.ifindex) {
        kernel_->RemoveLink(name);
      }
      tunnels_.erase(it);
    }
    EOIP_RETURN_IF_ERROR(kernel_->faults().Leave(what));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::map<std::string, TunnelReading>> FakeDatapath::Read(
    const std::vector<std::string>& names) {
  std::lock_guard<std::mutex> lock(mu_);
  EOIP_RETURN_IF_ERROR(ListableLocked());
  std::map<std::string, TunnelReading> readings;
  for (const std::string& name : names) {
    const auto it = tunnels_.find(name);
    if (it == tunnels_.end()) continue;
    readings[name] =
        TunnelReading{it->second.counters, it->second.tunnel.last_heard,
                      it->second.tunnel.peer_up};
  }
  return readings;
}

}  // namespace eoip
