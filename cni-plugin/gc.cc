// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent.h"
#include "base/log.h"
#include "base/status.h"
#include "cni_error.h"
#include "commands.h"
#include "in_flight.h"
#include "ipam.h"
#include "links.h"
#include "net_conf.h"
#include "pod_link.h"

namespace eoip::cni {
namespace {

constexpr char kValidAttachments[] = "cni.dev/valid-attachments";

// The key that is there, else null; the first one wins, as runtimes send both.
const Json& ListOfAttachments(const Json& conf) {
  const Json& valid = At(conf, {kValidAttachments});
  return valid.is_null() ? At(conf, {"cni.dev/attachments"}) : valid;
}

// Host links of the attachments that the runtime still has; nothing: it did
// not say. An entry that is not understood might be any of the links, so then
// nothing is deleted.
absl::StatusOr<std::optional<std::set<std::string>>> ValidLinks(
    const Json& conf) {
  const Json& list = ListOfAttachments(conf);
  if (list.is_null()) return std::nullopt;
  if (!list.is_array()) {
    return CniError(CniCode::kConfig,
                    absl::StrCat(kValidAttachments, ": must be a list"));
  }
  std::set<std::string> links;
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string& id = TextOf(At(list[i], {"containerID"}));
    const std::string& ifname = TextOf(At(list[i], {"ifname"}));
    if (id.empty() || ifname.empty()) {
      return CniError(CniCode::kConfig,
                      absl::StrCat(kValidAttachments, "[", i,
                                   "]: must have containerID and ifname"));
    }
    links.insert(HostLinkName(id, ifname));
  }
  return links;
}

// Links that an ADD of this network configuration left.
absl::StatusOr<std::vector<LinkInfo>> StaleLinks(
    const Request& request, RtnlSocket& host,
    const std::set<std::string>& valid) {
  // A link of an ADD that runs now is in nobody's list yet. Looking before and
  // after leaves no gap: what the dump shows was taken before it.
  EOIP_ASSIGN_OR_RETURN(std::set<std::string> taken, TakenAttachments());
  EOIP_ASSIGN_OR_RETURN(std::vector<LinkInfo> links, ListLinks(host));
  EOIP_ASSIGN_OR_RETURN(std::set<std::string> taken_after, TakenAttachments());
  taken.merge(taken_after);
  std::vector<LinkInfo> stale;
  for (LinkInfo& link : links) {
    const bool ours =
        IsUnfinished(link) ||
        (link.kind == "veth" && AliasName(link.alias) == request.name);
    if (ours && !valid.contains(link.name) && !taken.contains(link.name)) {
      stale.push_back(std::move(link));
    }
  }
  return stale;
}

// Whether it is still the link that was found stale.
bool IsSame(RtnlSocket& host, const LinkInfo& link) {
  const auto now = GetLink(host, link.ifindex);
  return now.ok() && now->name == link.name && now->alias == link.alias &&
         now->kind == link.kind && now->mac == link.mac;
}

// One message for all: a hundred times faster than one by one. What the agent
// took out of the group again meanwhile is deleted by itself.
absl::Status DeleteLinks(RtnlSocket& host, const std::vector<LinkInfo>& links) {
  absl::Status status;
  for (const LinkInfo& link : links) {
    status = Join(status, SetGroup(host, link.ifindex, kDoomedPodGroup));
  }
  const absl::Status deleted = DeleteGroup(host, kDoomedPodGroup);
  if (!absl::IsNotFound(deleted)) status = Join(status, deleted);
  for (const LinkInfo& link : links) {
    if (!IsSame(host, link)) continue;
    const absl::Status one = DeleteLink(host, link.ifindex);
    if (!absl::IsNotFound(one)) status = Join(status, one);
  }
  return status;
}

absl::Status RemoveStale(const Request& request,
                         const std::set<std::string>& valid) {
  EOIP_ASSIGN_OR_RETURN(RtnlSocket host, RtnlSocket::Open());
  EOIP_ASSIGN_OR_RETURN(std::vector<LinkInfo> stale,
                        StaleLinks(request, host, valid));
  std::vector<UniqueFd> locks;
  std::vector<LinkInfo> condemned;
  for (LinkInfo& link : stale) {
    auto lock = TakeAttachment(link.name, absl::ZeroDuration());
    if (!lock.ok() || !IsSame(host, link)) continue;
    locks.push_back(*std::move(lock));
    condemned.push_back(std::move(link));
  }
  const absl::Status status = DeleteLinks(host, condemned);
  if (request.network.empty()) return status;
  Agent agent(request);
  for (const LinkInfo& link : condemned) {
    const absl::Status forgotten =
        agent.DeleteAttachment(agent.AttachmentName(link.name));
    if (!forgotten.ok()) {
      LogWarning("the agent forgets attachments when it sees their links go: ",
                 forgotten.message());
      break;
    }
  }
  return status;
}

}  // namespace

absl::Status Gc(const Request& request) {
  const auto valid = ValidLinks(request.conf);
  absl::Status status = valid.status();
  if (valid.ok() && valid->has_value()) status = RemoveStale(request, **valid);
  if (!request.ipam_type.empty()) {
    status = Join(status, RunIpam(request, "GC").status());
  }
  return status;
}

}  // namespace eoip::cni
