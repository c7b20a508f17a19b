// SPDX-License-Identifier: Apache-2.0
//
// Finds the link path of a tunnel by asking the kernel for route, link and
// neighbour, and learns when an answer may have changed. One thread.
#ifndef EOIP_TAPD_PATH_FINDER_H_
#define EOIP_TAPD_PATH_FINDER_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tapd/link_path.h"
#include "tapd/tunnel_config.h"

namespace eoip::tapd {

class PathFinder {
 public:
  static absl::StatusOr<std::unique_ptr<PathFinder>> Open();

  // Readable when something changed; then Drain has to be called.
  int monitor_fd() const { return monitor_.get(); }
  void Drain();

  // Rises with every change of links, addresses, routes, rules, neighbours or
  // IPsec policies. Paths found at another generation are not to be used.
  uint64_t generation() const { return generation_; }

  // The path, if the kernel would send the packet that way and nothing stands
  // between: a unicast route over an Ethernet link that is up, without
  // encapsulation, to a neighbour that is known; no IPsec policy in the
  // namespace. Takes some 50 us.
  std::optional<LinkPath> Find(const TunnelConfig& config);

 private:
  struct Route;

  PathFinder() = default;
  bool HasIpsecPolicies();
  std::optional<Route> FindRoute(const TunnelConfig& config);
  bool FillLink(LinkPath* path);
  bool FillNeighbour(bool ipv6, const Address& next_hop, LinkPath* path);

  UniqueFd monitor_;  // an epoll set of the next two
  UniqueFd route_monitor_;
  UniqueFd xfrm_monitor_;
  UniqueFd query_;
  UniqueFd xfrm_query_;
  uint64_t generation_ = 1;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_PATH_FINDER_H_
