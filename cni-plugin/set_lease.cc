// SPDX-License-Identifier: Apache-2.0
#include "set_lease.h"

#include <algorithm>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "addressing.h"
#include "announce.h"
#include "base/log.h"
#include "base/status.h"
#include "links.h"
#include "netns.h"

namespace eoip::cni {
namespace {

struct PodLease {
  std::optional<IpPrefix> address;
  std::vector<PodRoute> routes;
};

struct Change {
  std::string netns;
  std::string ifname;
  std::string host_link;
  bool replace_all = false;
  PodLease before;
  PodLease after;
};

absl::Status BadWord(absl::string_view word) {
  return absl::InvalidArgumentError(
      absl::StrCat("set-lease: '", absl::CHexEscape(word),
                   "': must be one of netns=, ifname=, host-link=, "
                   "replace=all, [old-]address=ADDRESS/LENGTH, "
                   "[old-]route=DESTINATION/LENGTH[,GATEWAY]"));
}

absl::StatusOr<PodRoute> ReadRoute(absl::string_view text) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits(',', 1));
  PodRoute route;
  EOIP_ASSIGN_OR_RETURN(route.dst, ParsePrefix(parts.first));
  if (!parts.second.empty()) {
    EOIP_ASSIGN_OR_RETURN(const IpPrefix gateway, ParsePrefix(parts.second));
    route.gateway = gateway.address;
  }
  return route;
}

absl::Status ReadWord(absl::string_view word, Change& change) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(word, absl::MaxSplits('=', 1));
  absl::string_view key = parts.first;
  const std::string value(parts.second);
  if (key == "netns") {
    change.netns = value;
  } else if (key == "ifname") {
    change.ifname = value;
  } else if (key == "host-link") {
    change.host_link = value;
  } else if (word == "replace=all") {
    change.replace_all = true;
  } else {
    PodLease& lease =
        absl::ConsumePrefix(&key, "old-") ? change.before : change.after;
    if (key == "address") {
      EOIP_ASSIGN_OR_RETURN(lease.address, ParsePrefix(value));
    } else if (key == "route") {
      EOIP_ASSIGN_OR_RETURN(PodRoute route, ReadRoute(value));
      lease.routes.push_back(std::move(route));
    } else {
      return BadWord(word);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Change> ReadWords(const std::vector<std::string>& words) {
  Change change;
  for (const std::string& word : words) {
    const absl::Status status = ReadWord(word, change);
    if (!status.ok()) return BadWord(word);
  }
  for (const auto& [key, value] :
       {std::pair<const char*, const std::string&>{"netns", change.netns},
        {"ifname", change.ifname},
        {"host-link", change.host_link}}) {
    if (value.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("set-lease: ", key, " is missing"));
    }
  }
  return change;
}

absl::Status Ignore(absl::StatusCode code, const absl::Status& status) {
  return status.code() == code ? absl::OkStatus() : status;
}

absl::Status RemoveOld(RtnlSocket& pod, uint32_t ifindex,
                       const Change& change) {
  const PodLease& after = change.after;
  for (const PodRoute& route : change.before.routes) {
    EOIP_RETURN_IF_ERROR(
        Ignore(absl::StatusCode::kNotFound, DeleteRoute(pod, ifindex, route)));
  }
  EOIP_ASSIGN_OR_RETURN(const std::vector<IpPrefix> present,
                        ListAddresses(pod, ifindex));
  for (const IpPrefix& address : present) {
    const bool old = change.before.address == address ||
                     (change.replace_all && !address.address.is_v6());
    if (!old || after.address == address) continue;
    EOIP_RETURN_IF_ERROR(Ignore(absl::StatusCode::kNotFound,
                                DeleteAddress(pod, ifindex, address)));
  }
  return absl::OkStatus();
}

absl::Status AddNew(RtnlSocket& pod, uint32_t ifindex, const PodLease& lease) {
  if (!lease.address) return absl::OkStatus();
  EOIP_RETURN_IF_ERROR(Ignore(absl::StatusCode::kAlreadyExists,
                              AddAddress(pod, ifindex, *lease.address)));
  for (const PodRoute& route : lease.routes) {
    // A gateway outside of the address's network is on the link all the same.
    if (route.gateway && NetworkOf({*route.gateway, lease.address->length}) !=
                             NetworkOf(*lease.address)) {
      PodRoute to_gateway;
      to_gateway.dst = {*route.gateway, 32};
      EOIP_RETURN_IF_ERROR(Ignore(absl::StatusCode::kAlreadyExists,
                                  AddRoute(pod, ifindex, to_gateway)));
    }
    const absl::Status added = AddRoute(pod, ifindex, route);
    // Another interface of the pod may have it, as at ADD.
    if (absl::IsAlreadyExists(added)) LogWarning(added.message());
    EOIP_RETURN_IF_ERROR(Ignore(absl::StatusCode::kAlreadyExists, added));
  }
  return absl::OkStatus();
}

absl::Status ChangeInPod(const Change& change, uint32_t host_ifindex,
                         uint32_t host_peer) {
  EOIP_ASSIGN_OR_RETURN(RtnlSocket pod, RtnlSocket::Open());
  EOIP_ASSIGN_OR_RETURN(const LinkInfo link, GetLink(pod, change.ifname));
  if (link.peer != host_ifindex || link.ifindex != host_peer) {
    return absl::FailedPreconditionError(
        absl::StrCat("link ", change.ifname, " in ", change.netns,
                     " is not the other end of ", change.host_link));
  }
  EOIP_RETURN_IF_ERROR(RemoveOld(pod, link.ifindex, change));
  EOIP_RETURN_IF_ERROR(AddNew(pod, link.ifindex, change.after));
  if (!change.after.address) return absl::OkStatus();
  return Announce(pod, link, {change.after.address->address});
}

}  // namespace

absl::Status SetLease(const std::vector<std::string>& words) {
  EOIP_ASSIGN_OR_RETURN(const Change change, ReadWords(words));
  EOIP_ASSIGN_OR_RETURN(UniqueFd netns, OpenNetns(change.netns, false));
  EOIP_ASSIGN_OR_RETURN(RtnlSocket host, RtnlSocket::Open());
  EOIP_ASSIGN_OR_RETURN(const LinkInfo host_link,
                        GetLink(host, change.host_link));
  const absl::Status status = RunInNetns(netns.get(), [&] {
    return ChangeInPod(change, host_link.ifindex, host_link.peer);
  });
  if (absl::IsPermissionDenied(status)) {
    return Annotate(status, "needs CAP_SYS_ADMIN and CAP_NET_ADMIN");
  }
  return status;
}

}  // namespace eoip::cni
