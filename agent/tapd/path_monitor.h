// SPDX-License-Identifier: Apache-2.0
//
// Learns when the paths that were found (path_finder.h) may be others. One
// thread.
#ifndef EOIP_TAPD_PATH_MONITOR_H_
#define EOIP_TAPD_PATH_MONITOR_H_

#include <cstdint>
#include <memory>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace eoip::tapd {

class PathMonitor {
 public:
  static absl::StatusOr<std::unique_ptr<PathMonitor>> Open();

  // Readable when something changed; then Drain has to be called.
  int fd() const { return both_.get(); }
  void Drain();

  // Rises with every change of links, addresses, routes, rules, neighbours or
  // IPsec policies that was drained. Paths that were asked for at another
  // generation are not to be used.
  uint64_t generation() const { return generation_; }

 private:
  PathMonitor() = default;

  UniqueFd both_;  // an epoll set of the next two
  UniqueFd route_;
  UniqueFd xfrm_;
  uint64_t generation_ = 1;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_PATH_MONITOR_H_
