// SPDX-License-Identifier: Apache-2.0
//
// rtnetlink messages about links, as bytes: makes requests, reads answers.
// Pure: no sockets, no clock. Readers take a message of which nlmsg_len bytes
// are there (NLMSG_OK), whatever they hold, and touch nothing outside of them.
//
// Source: linux/rtnetlink.h, linux/if_link.h, uapi/linux/if_eoip.h.
#ifndef EOIP_NETLINK_MESSAGES_H_
#define EOIP_NETLINK_MESSAGES_H_

#include <linux/netlink.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "model/link.h"
#include "netlink/links.h"

namespace eoip {

// "eoip" or "eoipv6".
absl::string_view LinkKindOf(TunnelKind kind);

// --- Requests. The socket sets sequence number and NLM_F_ACK. ---

// All links, without their counters.
std::string MakeDumpLinks();
// Links of one kind, with counters. A kernel that does not know the kind
// answers with all links.
std::string MakeDumpKind(absl::string_view kind);
std::string MakeGetLink(const std::string& name, bool counters);
std::string MakeGetLink(uint32_t ifindex);

// Options that have the kernel's default (BridgeInfo{}) are not sent.
std::string MakeCreateBridge(const BridgeConfig& config);
// Creates (in group kOwnedGroup) or changes a tunnel's link. All attributes of
// if_eoip.h that can be written are sent either way; a zero MAC is not.
std::string MakePutTunnel(const TunnelConfig& config, bool create);
std::string MakeChange(uint32_t ifindex, const LinkChange& change);
// Sends what differs.
std::string MakeSetBridge(uint32_t ifindex, const BridgeInfo& from,
                          const BridgeInfo& to);
std::string MakeSetBridgePort(uint32_t ifindex, const BridgePortInfo& port);
// VLANs of a bridge or port, 0: of all (Linux 5.6).
std::string MakeDumpVlans(uint32_t ifindex);
// Adds VLANs or changes their flags. self: of the bridge itself, not a port.
std::string MakeAddVlans(uint32_t ifindex, bool self, const PortVlans& vlans);
std::string MakeRemoveVlans(uint32_t ifindex, bool self,
                            const PortVlans& vlans);
// The port's entries.
std::string MakeDumpFdb(uint32_t port);
// vlan 0: of a bridge without VLAN filtering; the kernel then adds or removes
// the MAC in the port's VLANs too.
std::string MakeAddPin(uint32_t port, const MacAddress& mac, uint16_t vlan);
std::string MakeRemovePin(uint32_t port, const MacAddress& mac, uint16_t vlan);
std::string MakeDeleteLink(uint32_t ifindex);
std::string MakeDeleteGroup(uint32_t group);
// Asks who answers to a kind and can make no link whatever the kind does: it
// asks for no transmit queues, which the kernel itself refuses for every kind
// that it has. Before that the kind may refuse the zero MAC or the value of
// IFLA_EOIP_DF; the bundled module does so with a text, the others (children of
// the kernel's gretap, which has none) in silence or not at all.
std::string MakeProbe(TunnelKind kind);

// --- Answers ---

// What the kernel said to a request.
struct NetlinkReply {
  int error = 0;           // errno, 0: done
  std::string extack;      // its text, may be empty
  uint32_t attribute = 0;  // offset in the request of the attribute at fault

  // OK, or the errno's code with "what: strerror: extack".
  absl::Status ToStatus(absl::string_view what) const;
};

// Of an NLMSG_ERROR message. INTERNAL: malformed.
absl::StatusOr<NetlinkReply> ParseReply(const nlmsghdr* message);

// Who answered to MakeProbe. Any other errno than that of an unknown kind or
// of a refused value is returned as an error.
absl::StatusOr<KindProbe> ParseProbe(const NetlinkReply& reply);

// Of RTM_NEWLINK. INTERNAL: malformed or without name and index.
absl::StatusOr<Link> ParseLink(const nlmsghdr* message);
// Counters of RTM_NEWLINK. Zero where the message has none.
absl::StatusOr<LinkReading> ParseReading(const nlmsghdr* message);

// What a notification is about.
struct LinkNews {
  std::string name;
  uint32_t ifindex = 0;
  // The link is gone (not: it left a bridge).
  bool deleted = false;
};
absl::StatusOr<LinkNews> ParseNews(const nlmsghdr* message);

// Of RTM_NEWVLAN. Entries that make no sense are left out; those of one link
// may come in several messages.
struct VlanNews {
  uint32_t ifindex = 0;
  PortVlans vlans;
};
absl::StatusOr<VlanNews> ParseVlans(const nlmsghdr* message);

// Of RTM_NEWNEIGH: a static entry of a bridge's port; nothing: another entry.
struct Pin {
  uint32_t port = 0;
  MacAddress mac;
  uint16_t vlan = 0;
};
absl::StatusOr<std::optional<Pin>> ParsePin(const nlmsghdr* message);

}  // namespace eoip

#endif  // EOIP_NETLINK_MESSAGES_H_
