// SPDX-License-Identifier: Apache-2.0
//
// Tells when links of the namespace change. An event only says "look".
#ifndef EOIP_NETLINK_MONITOR_H_
#define EOIP_NETLINK_MONITOR_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace eoip {

class LinkMonitor {
 public:
  // Called on the monitor's own thread, one call at a time; must not wait
  // long. link: the name of a link that was made, changed, renamed (both
  // names, one call each) or deleted; empty: events were lost, look at
  // everything.
  using Callback = std::function<void(const std::string& link)>;

  // Watches the namespace of the calling thread. Every change after Start has
  // returned is told.
  static absl::StatusOr<std::unique_ptr<LinkMonitor>> Start(Callback callback);
  // Ends the thread; no call is made afterwards.
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
