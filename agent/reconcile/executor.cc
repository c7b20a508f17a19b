// SPDX-License-Identifier: Apache-2.0
#include "reconcile/executor.h"

#include <utility>

#include "base/log.h"
#include "base/status.h"

namespace eoip {

Executor::Executor(Links* links, std::vector<Datapath*> datapaths,
                   Forget forget, ForgetUnused forget_unused)
    : links_(links),
      forget_(std::move(forget)),
      forget_unused_(std::move(forget_unused)) {
  for (Datapath* datapath : datapaths) datapaths_[datapath->type()] = datapath;
}

std::map<std::string, std::string> Executor::Run(const std::vector<Step>& steps,
                                                 const Observed& observed) {
  index_of_.clear();
  for (const auto& [name, link] : observed.links)
    index_of_[name] = link.ifindex;
  std::map<std::string, std::string> failures;
  for (const Step& step : steps) {
    if (!step.resource.empty() && failures.count(step.resource) > 0) continue;
    const absl::Status status = std::visit(
        [this](const auto& action) { return Do(action); }, step.action);
    LogDebug(ToString(step), ": ", status.ok() ? "OK" : status.message());
    if (status.ok()) continue;
    const std::string why(status.message());
    if (const auto* deletion = std::get_if<DeleteTunnels>(&step.action)) {
      for (const std::string& name : deletion->names) {
        failures.emplace(TunnelName(name), why);
      }
    } else if (const auto* links = std::get_if<DeleteLinks>(&step.action)) {
      for (const std::string& name : links->names) {
        failures.emplace(NetworkName(name), why);
      }
    } else {
      failures.emplace(step.resource, why);
    }
  }
  return failures;
}

absl::StatusOr<Datapath*> Executor::FindDatapath(DatapathType type) {
  auto it = datapaths_.find(type);
  if (it == datapaths_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat("datapath ", ToString(type), " is not built"));
  }
  return it->second;
}

absl::StatusOr<uint32_t> Executor::IndexOf(const std::string& link) {
  auto it = index_of_.find(link);
  if (it != index_of_.end()) return it->second;
  EOIP_ASSIGN_OR_RETURN(const Link found, links_->Get(link));
  index_of_[link] = found.ifindex;
  return found.ifindex;
}

absl::Status Executor::Do(const DeleteTunnels& action) {
  EOIP_ASSIGN_OR_RETURN(Datapath * datapath, FindDatapath(action.datapath));
  for (const std::string& name : action.names) index_of_.erase(name);
  return datapath->Delete(action.names);
}

absl::Status Executor::Do(const DeleteLinks& action) {
  std::vector<uint32_t> indexes;
  for (const std::string& name : action.names) {
    auto it = index_of_.find(name);
    if (it == index_of_.end()) continue;
    indexes.push_back(it->second);
    index_of_.erase(it);
  }
  return links_->Delete(indexes);
}

absl::Status Executor::Do(const PutTunnel& action) {
  EOIP_ASSIGN_OR_RETURN(Datapath * datapath, FindDatapath(action.datapath));
  EOIP_ASSIGN_OR_RETURN(index_of_[action.config.name],
                        datapath->Put(action.config, action.create));
  return absl::OkStatus();
}

absl::Status Executor::Do(const PutBridge& action) {
  if (action.create) {
    EOIP_ASSIGN_OR_RETURN(index_of_[action.name],
                          links_->CreateBridge({.name = action.name,
                                                .mac = action.mac,
                                                .mtu = action.mtu,
                                                .info = action.info}));
    return absl::OkStatus();
  }
  EOIP_ASSIGN_OR_RETURN(const uint32_t ifindex, IndexOf(action.name));
  return Annotate(links_->SetBridge(ifindex, action.info), action.name);
}

absl::Status Executor::Do(const SetLink& action) {
  EOIP_ASSIGN_OR_RETURN(const uint32_t ifindex, IndexOf(action.link));
  LinkChange change{.up = action.up,
                    .mtu = action.mtu,
                    .mac = action.mac,
                    .group = action.group};
  if (action.master.has_value()) {
    uint32_t master = 0;
    if (!action.master->empty()) {
      EOIP_ASSIGN_OR_RETURN(master, IndexOf(*action.master));
    }
    change.master = master;
  }
  return Annotate(links_->Change(ifindex, change), action.link);
}

absl::Status Executor::Do(const SetBridgePort& action) {
  EOIP_ASSIGN_OR_RETURN(const uint32_t ifindex, IndexOf(action.link));
  return Annotate(links_->SetBridgePort(ifindex, action.info), action.link);
}

absl::Status Executor::Do(const SetVlans& action) {
  EOIP_ASSIGN_OR_RETURN(const uint32_t ifindex, IndexOf(action.link));
  return Annotate(links_->SetVlans(ifindex, action.self, action.change),
                  action.link);
}

absl::Status Executor::Do(const SetPinned& action) {
  EOIP_ASSIGN_OR_RETURN(const uint32_t ifindex, IndexOf(action.link));
  return Annotate(links_->SetPinned(ifindex, action.add, action.remove),
                  action.link);
}

absl::Status Executor::Do(const ForgetAttachment& action) {
  return forget_(action.key);
}

absl::Status Executor::Do(const ForgetNetwork& action) {
  return forget_unused_(action.id);
}

absl::Status Executor::Do(const Blocked& action) {
  return absl::FailedPreconditionError(action.reason);
}

}  // namespace eoip
