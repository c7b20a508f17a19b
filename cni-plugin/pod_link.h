// SPDX-License-Identifier: Apache-2.0
//
// The veth pair between a pod and its host, and the pod's end of it.
//
// Neither end sends a frame of its own until addresses are added: the kernel is
// told not to make link-local addresses (addrgenmode none), which also keeps
// its router solicitations and MLD reports away.
#ifndef EOIP_CNI_POD_LINK_H_
#define EOIP_CNI_POD_LINK_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "links.h"
#include "model/address.h"
#include "rtnl.h"

namespace eoip::cni {

// What the kernel gives a veth that is asked for without an MTU.
inline constexpr uint32_t kDefaultVethMtu = 1500;

struct PodLinkSpec {
  std::string host_name;
  std::string pod_name;
  int pod_netns = -1;
  MacAddress mac;                  // of the pod's end
  uint32_t mtu = kDefaultVethMtu;  // of both
  bool promisc = false;
  std::string alias;  // of the host's end, see MakeAlias
};

// Whose pair it is: "eoip/{network configuration's name}/{ifname}/{container
// id}", cut to what the kernel keeps. GC and DEL read it, so that they never
// delete a link that only has the same name.
std::string MakeAlias(absl::string_view name, absl::string_view ifname,
                      absl::string_view container_id);
// The network configuration's name in an alias; "": it is not of this form.
absl::string_view AliasName(absl::string_view alias);
// Whether the alias is that of this container's interface, of any network.
bool AliasMatches(absl::string_view alias, absl::string_view ifname,
                  absl::string_view container_id);
// Whether the link is a host end that an ADD died over before it could write
// the alias.
bool IsUnfinished(const LinkInfo& link);
// Whether the link is the host end of this container's interface.
bool IsHostEndOf(const LinkInfo& link, absl::string_view ifname,
                 absl::string_view container_id);

// The MAC of the host's end: the pod's with a first byte that a bridge, which
// takes the lowest of its ports' MACs, does not choose.
MacAddress HostMac(const MacAddress& pod);

// Makes the pair: the pod's end directly in its namespace, with its name. Both
// ends are down. ALREADY_EXISTS: a name is taken; nothing was made.
absl::Status CreatePair(RtnlSocket& host, const PodLinkSpec& spec);
// Names the owner of the host's end and silences it.
absl::Status DressHostEnd(RtnlSocket& host, const PodLinkSpec& spec);
// Silences the pod's end and sets it up. The host's end must still be down: the
// kernel makes addresses when there is a carrier.
absl::Status RaisePodEnd(RtnlSocket& pod, const PodLinkSpec& spec);
absl::Status SetMtu(RtnlSocket& socket, const std::string& link, uint32_t mtu);

// Lets the kernel make link-local addresses from now on, as it does by default.
absl::Status AllowLinkLocal(RtnlSocket& pod, const std::string& link);

}  // namespace eoip::cni

#endif  // EOIP_CNI_POD_LINK_H_
