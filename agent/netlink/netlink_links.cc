// SPDX-License-Identifier: Apache-2.0
#include "netlink/netlink_links.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "netlink/driver_counters.h"
#include "netlink/messages.h"

namespace eoip {
namespace {

// Up to so many links are cheaper to ask for one by one than to list.
constexpr size_t kMaxSingleReads = 16;

constexpr char kNoVlans[] =
    "this kernel was built without CONFIG_BRIDGE_VLAN_FILTERING";

// A kernel built without VLAN filtering only says that it cannot.
absl::Status BridgeStatus(const NetlinkReply& reply, bool vlans,
                          const std::string& what) {
  if (reply.error == EOPNOTSUPP && vlans) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": vlan_filtering: ", kNoVlans));
  }
  return reply.ToStatus(what);
}

}  // namespace

absl::StatusOr<std::unique_ptr<NetlinkLinks>> NetlinkLinks::Open(
    const std::string& sysctl_dir) {
  EOIP_ASSIGN_OR_RETURN(NetlinkSocket socket, NetlinkSocket::Open());
  UniqueFd ethtool(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!ethtool.valid()) return ErrnoToStatus(errno, "socket for ethtool");
  UniqueFd ipv6_conf(::open(absl::StrCat(sysctl_dir, "/net/ipv6/conf").c_str(),
                            O_PATH | O_DIRECTORY | O_CLOEXEC));
  return std::unique_ptr<NetlinkLinks>(new NetlinkLinks(
      std::move(socket), std::move(ethtool), std::move(ipv6_conf)));
}

absl::StatusOr<LinkTable> NetlinkLinks::Dump() {
  LinkTable table;
  absl::Status malformed;
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Dump(
                            MakeDumpLinks(),
                            [&] {
                              table.clear();
                              malformed = absl::OkStatus();
                            },
                            [&](const nlmsghdr* message) {
                              absl::StatusOr<Link> link = ParseLink(message);
                              if (link.ok()) {
                                table[link->name] = *std::move(link);
                              } else {
                                malformed = link.status();
                              }
                            }));
  EOIP_RETURN_IF_ERROR(reply.ToStatus("list links"));
  EOIP_RETURN_IF_ERROR(malformed);
  return table;
}

absl::StatusOr<Link> NetlinkLinks::Get(const std::string& name) {
  absl::StatusOr<Link> link = absl::NotFoundError("");
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Query(MakeGetLink(name, /*counters=*/false),
                                      [&](const nlmsghdr* message) {
                                        link = ParseLink(message);
                                      }));
  EOIP_RETURN_IF_ERROR(reply.ToStatus(absl::StrCat("get link ", name)));
  // The kernel also looks among alternative names.
  if (absl::IsNotFound(link.status()) || (link.ok() && link->name != name)) {
    return absl::NotFoundError(
        absl::StrCat("get link ", name, ": no such link"));
  }
  return link;
}

absl::StatusOr<Link> NetlinkLinks::GetByIndex(uint32_t ifindex) {
  absl::StatusOr<Link> link = absl::NotFoundError("no such link");
  EOIP_ASSIGN_OR_RETURN(
      const NetlinkReply reply,
      socket_.Query(MakeGetLink(ifindex), [&](const nlmsghdr* message) {
        link = ParseLink(message);
      }));
  EOIP_RETURN_IF_ERROR(reply.ToStatus(absl::StrCat("get link #", ifindex)));
  return link;
}

absl::StatusOr<uint32_t> NetlinkLinks::CreateBridge(
    const BridgeConfig& config) {
  const std::string what = absl::StrCat("create bridge ", config.name);
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Ask(MakeCreateBridge(config)));
  EOIP_RETURN_IF_ERROR(BridgeStatus(reply, config.info.vlan_filtering, what));
  EOIP_ASSIGN_OR_RETURN(const Link link, Get(config.name));
  if (absl::Status status = CheckBridge(link.ifindex, config.info);
      !status.ok()) {
    EOIP_RETURN_IF_ERROR(Delete({link.ifindex}));
    return Annotate(status, what);
  }
  IgnoreRouters(config.name);
  return link.ifindex;
}

// The host's own end of a site's network: without this, routers of the site
// give the host addresses and a default route. Netlink has no word for it.
void NetlinkLinks::IgnoreRouters(const std::string& bridge) {
  const std::string file = absl::StrCat(bridge, "/accept_ra");
  const UniqueFd fd(
      ::openat(ipv6_conf_.get(), file.c_str(), O_WRONLY | O_CLOEXEC));
  if (fd.valid() && ::write(fd.get(), "0", 1) == 1) return;
  // A kernel without IPv6 · an MTU too small for IPv6 · gone again.
  if (errno == ENOENT || errno == EBADF) return;
  LogWarning("bridge ", bridge,
             ": this host may take an address and a default "
             "route from IPv6 routers of its network: net/ipv6/conf/",
             file, ": ", ErrnoToStatus(errno, "write").message());
}

absl::Status NetlinkLinks::CheckBridge(uint32_t ifindex,
                                       const BridgeInfo& want) {
  EOIP_ASSIGN_OR_RETURN(const Link link, GetByIndex(ifindex));
  if (link.bridge && want.multicast_snooping &&
      !link.bridge->multicast_snooping) {
    return absl::FailedPreconditionError(
        "multicast_snooping: this kernel was built without IGMP snooping");
  }
  if (link.bridge && want.default_pvid != link.bridge->default_pvid) {
    return absl::FailedPreconditionError(
        absl::StrCat("vlan_filtering: ", kNoVlans));
  }
  return absl::OkStatus();
}

absl::Status NetlinkLinks::PutTunnelLink(const TunnelConfig& config,
                                         bool create) {
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Ask(MakePutTunnel(config, create)));
  return reply.ToStatus(
      absl::StrCat(create ? "create tunnel " : "change tunnel ", config.name));
}

absl::Status NetlinkLinks::Change(uint32_t ifindex, const LinkChange& change) {
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Ask(MakeChange(ifindex, change)));
  return reply.ToStatus(absl::StrCat("change link #", ifindex));
}

absl::Status NetlinkLinks::SetBridge(uint32_t ifindex, const BridgeInfo& info) {
  EOIP_ASSIGN_OR_RETURN(const Link link, GetByIndex(ifindex));
  const std::string what = absl::StrCat("set bridge ", link.name);
  if (!link.bridge) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": the link is no bridge"));
  }
  const bool vlans = info.vlan_filtering != link.bridge->vlan_filtering;
  EOIP_ASSIGN_OR_RETURN(
      const NetlinkReply reply,
      socket_.Ask(MakeSetBridge(ifindex, *link.bridge, info)));
  EOIP_RETURN_IF_ERROR(BridgeStatus(reply, vlans, what));
  return Annotate(CheckBridge(ifindex, info), what);
}

absl::Status NetlinkLinks::SetBridgePort(uint32_t ifindex,
                                         const BridgePortInfo& port) {
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply,
                        socket_.Ask(MakeSetBridgePort(ifindex, port)));
  EOIP_RETURN_IF_ERROR(
      reply.ToStatus(absl::StrCat("set bridge port #", ifindex)));
  if (!port.locked) return absl::OkStatus();
  // An older kernel takes the attribute and ignores it.
  EOIP_ASSIGN_OR_RETURN(const Link link, GetByIndex(ifindex));
  if (link.bridge_port && link.bridge_port->locked) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "locked: this kernel cannot lock a bridge port, which Linux 5.18 and "
      "newer can");
}

absl::Status NetlinkLinks::Delete(const std::vector<uint32_t>& ifindexes) {
  const bool by_group = ifindexes.size() > 1;
  std::vector<std::string> requests;
  for (const uint32_t ifindex : ifindexes) {
    requests.push_back(by_group ? MakeChange(ifindex, {.group = kDoomedGroup})
                                : MakeDeleteLink(ifindex));
  }
  if (by_group) requests.push_back(MakeDeleteGroup(kDoomedGroup));
  EOIP_ASSIGN_OR_RETURN(const std::vector<NetlinkReply> replies,
                        socket_.AskAll(std::move(requests)));
  absl::Status first;
  for (const NetlinkReply& reply : replies) {
    if (reply.error != ENODEV) first.Update(reply.ToStatus("delete links"));
  }
  return first;
}

absl::StatusOr<KindProbe> NetlinkLinks::ProbeKind(TunnelKind kind) {
  EOIP_ASSIGN_OR_RETURN(const NetlinkReply reply, socket_.Ask(MakeProbe(kind)));
  return ParseProbe(reply);
}

absl::StatusOr<std::map<std::string, LinkReading>> NetlinkLinks::ReadTunnels(
    const std::vector<std::string>& names) {
  std::map<std::string, LinkReading> all;
  const auto add = [&](const nlmsghdr* message) {
    const absl::StatusOr<Link> link = ParseLink(message);
    if (!link.ok() || !link->tunnel) return;
    absl::StatusOr<LinkReading> reading = ParseReading(message);
    if (!reading.ok()) return;
    reading->last_heard = link->tunnel->last_heard;
    all[link->name] = *std::move(reading);
  };
  if (names.size() <= kMaxSingleReads) {
    for (const std::string& name : names) {
      EOIP_RETURN_IF_ERROR(
          socket_.Query(MakeGetLink(name, /*counters=*/true), add).status());
    }
  } else {
    for (const char* kind : {"eoip", "eoipv6"}) {
      const absl::StatusOr<NetlinkReply> reply =
          socket_.DumpOnce(MakeDumpKind(kind), add);
      // What an interrupted dump gave is good enough for counters.
      if (!absl::IsUnavailable(reply.status())) {
        EOIP_RETURN_IF_ERROR(reply.status());
      }
    }
  }
  std::map<std::string, LinkReading> readings;
  for (const std::string& name : names) {
    const auto it = all.find(name);
    if (it == all.end()) continue;
    const auto counters = ReadDriverCounters(ethtool_.get(), name);
    if (counters.ok()) AddDriverCounters(*counters, it->second.counters);
    readings.insert(*it);
  }
  return readings;
}

}  // namespace eoip
