// SPDX-License-Identifier: Apache-2.0
//
// Tells when links of a network namespace change. An event only says "look".
#ifndef EOIP_NETLINK_MONITOR_H_
#define EOIP_NETLINK_MONITOR_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace eoip {

class LinkMonitor {
 public:
  // Both are called on the monitor's own thread, one call at a time, and must
  // not wait long.
  // The link was made, changed or deleted, joined or left a bridge, or was
  // renamed (then one call for each name).
  using OnLink = std::function<void(const std::string& name)>;
  // Events were lost: look at everything.
  using OnLost = std::function<void()>;

  // Watches the namespace of the calling thread. Every change after Start has
  // returned is told; it knows the names of the links that are there.
  static absl::StatusOr<std::unique_ptr<LinkMonitor>> Start(OnLink on_link,
                                                            OnLost on_lost);
  // Ends the thread; no call is made afterwards. Not from within a call.
  ~LinkMonitor();

  LinkMonitor(const LinkMonitor&) = delete;
  LinkMonitor& operator=(const LinkMonitor&) = delete;

 private:
  class Worker;
  explicit LinkMonitor(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_MONITOR_H_
