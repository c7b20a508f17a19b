// SPDX-License-Identifier: Apache-2.0
//
// VLANs and FDB entries of bridges' ports.
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "netlink/messages.h"
#include "netlink/netlink_links.h"

namespace eoip {

absl::StatusOr<std::map<uint32_t, PortVlans>> NetlinkLinks::GetVlans(
    uint32_t ifindex) {
  std::map<uint32_t, PortVlans> vlans;
  absl::Status malformed;
  EOIP_ASSIGN_OR_RETURN(
      const NetlinkReply reply,
      socket_.Dump(
          MakeDumpVlans(ifindex),
          [&] {
            vlans.clear();
            malformed = absl::OkStatus();
          },
          [&](const nlmsghdr* message) {
            absl::StatusOr<VlanNews> news = ParseVlans(message);
            if (!news.ok()) {
              malformed = news.status();
              return;
            }
            // One without any is told too.
            if (news->vlans.empty()) return;
            PortVlans& all = vlans[news->ifindex];
            all.insert(all.end(), news->vlans.begin(), news->vlans.end());
          }));
  // The kernel has no VLANs of bridges · the link is neither bridge nor port ·
  // it is gone.
  if (reply.error == EOPNOTSUPP || reply.error == EINVAL ||
      reply.error == ENODEV) {
    return std::map<uint32_t, PortVlans>();
  }
  EOIP_RETURN_IF_ERROR(reply.ToStatus("list VLANs"));
  EOIP_RETURN_IF_ERROR(malformed);
  return vlans;
}

absl::Status NetlinkLinks::SetVlans(uint32_t ifindex, bool self,
                                    const VlanChange& change) {
  std::vector<std::string> requests;
  // First what is new, so that a port that moves to another VLAN is never in
  // none.
  if (!change.add.empty()) {
    requests.push_back(MakeAddVlans(ifindex, self, change.add));
  }
  if (!change.remove.empty()) {
    requests.push_back(MakeRemoveVlans(ifindex, self, change.remove));
  }
  EOIP_ASSIGN_OR_RETURN(const std::vector<NetlinkReply> replies,
                        socket_.AskAll(std::move(requests)));
  for (const NetlinkReply& reply : replies) {
    const std::string what = absl::StrCat("set VLANs of #", ifindex);
    if (reply.error == EOPNOTSUPP) {
      return absl::FailedPreconditionError(
          absl::StrCat(what,
                       ": no bridge or port, or this kernel was built without "
                       "CONFIG_BRIDGE_VLAN_FILTERING"));
    }
    EOIP_RETURN_IF_ERROR(reply.ToStatus(what));
  }
  return absl::OkStatus();
}

absl::StatusOr<PinnedMacs> NetlinkLinks::GetPinned(uint32_t port) {
  PinnedMacs pinned;
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Dump(
                            MakeDumpFdb(port), [&] { pinned.clear(); },
                            [&](const nlmsghdr* message) {
                              const absl::StatusOr<std::optional<Pin>> pin =
                                  ParsePin(message);
                              // A kernel before 5.0 answers with all ports.
                              if (pin.ok() && *pin && (*pin)->port == port) {
                                pinned.insert({(*pin)->mac, (*pin)->vlan});
                              }
                            }));
  EOIP_RETURN_IF_ERROR(reply.ToStatus(absl::StrCat("list FDB of #", port)));
  return pinned;
}

absl::Status NetlinkLinks::SetPinned(uint32_t port, const PinnedMacs& add,
                                     const PinnedMacs& remove) {
  std::vector<std::string> requests;
  for (const auto& [mac, vlan] : add) {
    requests.push_back(MakeAddPin(port, mac, vlan));
  }
  for (const auto& [mac, vlan] : remove) {
    requests.push_back(MakeRemovePin(port, mac, vlan));
  }
  EOIP_ASSIGN_OR_RETURN(const std::vector<NetlinkReply> replies,
                        socket_.AskAll(std::move(requests)));
  for (size_t i = 0; i < replies.size(); ++i) {
    if (i >= add.size() && replies[i].error == ENOENT) continue;
    EOIP_RETURN_IF_ERROR(
        replies[i].ToStatus(absl::StrCat("set FDB of port #", port)));
  }
  return absl::OkStatus();
}

}  // namespace eoip
