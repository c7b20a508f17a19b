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

using google::protobuf::Value;

// The key that is there; the first one wins, as runtimes send both.
const Value* ListOfAttachments(const BaseConf& conf) {
  for (const Value* value : {&conf.valid_attachments(), &conf.attachments()}) {
    if (value->kind_case() != Value::KIND_NOT_SET && !value->has_null_value()) {
      return value;
    }
  }
  return nullptr;
}

// Host links of the attachments that the runtime still has; nothing: it did
// not say. An entry that is not understood might be any of the links, so then
// nothing is deleted.
absl::StatusOr<std::optional<std::set<std::string>>> ValidLinks(
    const BaseConf& conf) {
  constexpr char kKey[] = "cni.dev/valid-attachments";
  const Value* list = ListOfAttachments(conf);
  if (list == nullptr) return std::nullopt;
  if (!list->has_list_value()) {
    return CniError(CniCode::kConfig, absl::StrCat(kKey, ": must be a list"));
  }
  std::set<std::string> links;
  for (int i = 0; i < list->list_value().values_size(); ++i) {
    const auto& fields = list->list_value().values(i).struct_value().fields();
    auto id = fields.find("containerID");
    auto ifname = fields.find("ifname");
    if (id == fields.end() || ifname == fields.end() ||
        id->second.string_value().empty() ||
        ifname->second.string_value().empty()) {
      return CniError(
          CniCode::kConfig,
          absl::StrCat(kKey, "[", i, "]: must have containerID and ifname"));
    }
    links.insert(
        HostLinkName(id->second.string_value(), ifname->second.string_value()));
  }
  return links;
}

// Links that an ADD of this network configuration left. An empty alias is that
// of an ADD that died before it could write it.
absl::StatusOr<std::vector<LinkInfo>> StaleLinks(
    const Request& request, RtnlSocket& host,
    const std::set<std::string>& valid) {
  // A link of an ADD that runs now is in nobody's list yet. Looking before and
  // after leaves no gap: what the dump shows was taken before it.
  EOIP_ASSIGN_OR_RETURN(std::set<std::string> taken, TakenAttachments());
  EOIP_ASSIGN_OR_RETURN(std::vector<LinkInfo> links,
                        ListGroup(host, kPodGroup));
  EOIP_ASSIGN_OR_RETURN(std::set<std::string> taken_after, TakenAttachments());
  taken.merge(taken_after);
  std::vector<LinkInfo> stale;
  for (LinkInfo& link : links) {
    const bool ours =
        link.alias.empty() || AliasName(link.alias) == request.name;
    if (ours && link.kind == "veth" && !valid.contains(link.name) &&
        !taken.contains(link.name)) {
      stale.push_back(std::move(link));
    }
  }
  return stale;
}

// Marks the link for deletion if it is still the one that was found stale.
// false: it is not, or somebody works on it.
absl::StatusOr<bool> Condemn(RtnlSocket& host, const LinkInfo& link,
                             std::vector<UniqueFd>& locks) {
  auto lock = TakeAttachment(link.name, absl::ZeroDuration());
  if (!lock.ok()) return false;
  const auto now = GetLink(host, link.ifindex);
  if (!now.ok() || now->name != link.name || now->alias != link.alias ||
      now->group != link.group || now->kind != link.kind) {
    return false;
  }
  EOIP_RETURN_IF_ERROR(SetGroup(host, link.ifindex, kDoomedPodGroup));
  locks.push_back(*std::move(lock));
  return true;
}

absl::Status RemoveStale(const Request& request,
                         const std::set<std::string>& valid) {
  EOIP_ASSIGN_OR_RETURN(RtnlSocket host, RtnlSocket::Open());
  EOIP_ASSIGN_OR_RETURN(std::vector<LinkInfo> stale,
                        StaleLinks(request, host, valid));
  absl::Status status;
  std::vector<UniqueFd> locks;
  std::vector<std::string> condemned;
  for (const LinkInfo& link : stale) {
    const auto done = Condemn(host, link, locks);
    status = Join(status, done.status());
    if (done.ok() && *done) condemned.push_back(link.name);
  }
  // One message: a hundred times faster than one by one. Also removes what an
  // earlier run condemned and did not live to delete.
  const absl::Status deleted = DeleteGroup(host, kDoomedPodGroup);
  if (!absl::IsNotFound(deleted)) status = Join(status, deleted);
  if (request.network.empty()) return status;
  Agent agent(request);
  for (const std::string& name : condemned) {
    const absl::Status forgotten =
        agent.DeleteAttachment(agent.AttachmentName(name));
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
  const auto valid = ValidLinks(request.base);
  absl::Status status = valid.status();
  if (valid.ok() && valid->has_value()) status = RemoveStale(request, **valid);
  if (!request.ipam_type.empty()) {
    status = Join(status, RunIpam(request, "GC").status());
  }
  return status;
}

}  // namespace eoip::cni
