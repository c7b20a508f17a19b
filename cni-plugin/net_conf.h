// SPDX-License-Identifier: Apache-2.0
//
// The plugin's own part of the network configuration, with what the runtime
// adds to it, checked. Pure.
#ifndef EOIP_CNI_NET_CONF_H_
#define EOIP_CNI_NET_CONF_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "eoip/v1/attachment.pb.h"
#include "model/address.h"
#include "request.h"
#include "result.h"

namespace eoip::cni {

struct VlanRange {
  uint32_t first;  // 1..4094
  uint32_t last;   // first..4094
};

struct DhcpConfig {
  std::string client_id;  // option 61 with its type byte, 2 to 255 bytes
  std::string hostname;   // may be empty
};

struct Config {
  uint32_t mtu = 0;  // 0: the network's; else 68..65521
  MacAddress mac;    // of the pod's end
  bool isolated = false;
  bool hairpin = false;
  bool promisc = false;  // IFF_PROMISC on the pod's end
  uint32_t vlan = 0;     // 0: none
  std::vector<VlanRange> trunk;
  // Of `network` where that is an object.
  std::optional<v1::InlineNetwork> inline_network;
  bool macspoofchk = false;  // the port takes frames of `mac` only
  // activation: silent. Addresses and routes are for the result only; the
  // port's guest uses them itself, when it pleases.
  bool silent = false;
  // Addresses with prefix length that the runtime asks for ("ips" capability,
  // args.cni.ips, CNI_ARGS IP); used when there is no IPAM plugin, which reads
  // them itself.
  std::vector<std::string> ips;
  // Present: the agent gets a lease for the pod.
  std::optional<DhcpConfig> dhcp;
  Dns dns;  // empty: IPAM's
  // Things that were accepted and have no effect, for the log.
  std::vector<std::string> warnings;
};

// Errors: 2 a key asks for what is not built, 6, 7.
absl::StatusOr<Config> ParseConfig(const Request& request);

// The host end's name and the pod's default MAC, from container id and
// interface name only, so that DEL finds the link without any record.
std::string HostLinkName(absl::string_view container_id,
                         absl::string_view ifname);
MacAddress DerivedMac(absl::string_view container_id, absl::string_view ifname);

}  // namespace eoip::cni

#endif  // EOIP_CNI_NET_CONF_H_
