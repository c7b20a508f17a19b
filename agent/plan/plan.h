// SPDX-License-Identifier: Apache-2.0
//
// What to do so that the kernel becomes as wanted. Pure and deterministic: the
// same input gives the same steps in the same order.
//
// Order: delete, create, modify, enslave, up; VLAN filtering is switched on
// last and off first, so that no port is without its VLANs meanwhile. Only
// owned links (Link::owned(), and TAPs that eoip-tapd reports) are changed or
// deleted; a foreign link in the way gives a Blocked step. A difference gives
// the smallest step that removes it; no difference gives no step.
#ifndef EOIP_PLAN_PLAN_H_
#define EOIP_PLAN_PLAN_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "model/attachment.h"
#include "model/link.h"
#include "model/names.h"
#include "model/network.h"
#include "model/tunnel.h"

namespace eoip {

// What to look at: everything, or some resources and what they touch.
struct Scope {
  bool all = false;
  std::set<std::string> tunnels;   // ids; may be ones that are no longer wanted
  std::set<std::string> networks;  // with their ports and attachments
  // Without the rest of their networks; may be ones that are no longer wanted.
  std::set<AttachmentKey> attachments;
  bool HasTunnel(const std::string& id) const {
    return all || tunnels.count(id) > 0;
  }
  bool HasNetwork(const std::string& id) const {
    return all || networks.count(id) > 0;
  }
  bool HasAttachment(const AttachmentKey& key) const {
    return HasNetwork(key.network) || attachments.count(key) > 0;
  }
};

// The wanted state: a snapshot of the store, as plain specs.
struct Wanted {
  std::string node;  // seeds derived MACs
  std::map<std::string, TunnelSpec> tunnels;
  std::map<std::string, NetworkSpec> networks;
  std::map<AttachmentKey, AttachmentSpec> attachments;
  std::set<std::string> protected_links;  // never deleted
};

struct DatapathView {
  bool available = false;
  std::string reason;
  // Its tunnels could not be listed: nothing is planned for them.
  bool unknown = false;
};

struct Observed {
  // Complete for Scope::all, else the links that the scope touches.
  LinkTable links;
  std::map<std::string, ObservedTunnel> tunnels;  // by name
  std::map<DatapathType, DatapathView> datapaths;
};

// Which datapath a tunnel gets, and why, for people.
struct DatapathChoice {
  std::optional<DatapathType> type;  // absent: none, see reason
  std::string reason;
};
// AUTO: where it runs now, else the module if available, else TAP.
DatapathChoice ChooseDatapath(const TunnelSpec& spec, const Observed& observed);

struct DeleteTunnels {
  DatapathType datapath;
  std::vector<std::string> names;
};
struct DeleteLinks {
  std::vector<std::string> names;
};
struct PutTunnel {
  DatapathType datapath;
  TunnelConfig config;
  bool create = false;
};
struct PutBridge {
  std::string name;
  MacAddress mac;
  uint32_t mtu = 0;
  BridgeInfo info;
  bool create = false;
};
struct SetLink {
  std::string link;
  std::optional<bool> up;
  std::optional<uint32_t> mtu;
  std::optional<MacAddress> mac;
  std::optional<std::string> master;  // name of the bridge, "": release
  std::optional<uint32_t> group;
};
struct SetBridgePort {
  std::string link;
  BridgePortInfo info;
};
struct SetVlans {
  std::string link;
  bool self = false;  // the bridge's own VLANs
  VlanChange change;
};
// Source MACs of a locked port.
struct SetPinned {
  std::string link;
  PinnedMacs add;
  PinnedMacs remove;
};
// The attachment's link is gone; forget the attachment.
struct ForgetAttachment {
  AttachmentKey key;
};
// An inline network has no attachment any more; forget it and its tunnels.
struct ForgetNetwork {
  std::string id;
};
// Nothing can be done for the resource now.
struct Blocked {
  std::string reason;
};

struct Step {
  // The resource whose status a failure belongs to ("tunnels/x"); empty: of
  // none (leftovers).
  std::string resource;
  std::variant<DeleteTunnels, DeleteLinks, PutTunnel, PutBridge, SetLink,
               SetBridgePort, SetVlans, SetPinned, ForgetAttachment,
               ForgetNetwork, Blocked>
      action;
};

// One line for logs and tests: "tunnels/a put KERNEL create".
std::string ToString(const Step& step);

std::vector<Step> MakePlan(const Wanted& wanted, const Observed& observed,
                           const Scope& scope);

// MTU of a network's bridge and attachments: as asked, else the smallest of
// its tunnels', else 1500.
uint32_t NetworkMtu(const NetworkSpec& network, const Wanted& wanted);
// The network that has the link or tunnel as a port; null: none.
const NetworkSpec* NetworkOf(const std::string& link, const Wanted& wanted);

}  // namespace eoip

#endif  // EOIP_PLAN_PLAN_H_
