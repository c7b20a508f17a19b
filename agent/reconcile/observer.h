// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_RECONCILE_OBSERVER_H_
#define EOIP_RECONCILE_OBSERVER_H_

#include <vector>

#include "absl/status/statusor.h"
#include "datapath/datapath.h"
#include "netlink/links.h"
#include "plan/plan.h"

namespace eoip {

// Looks at the kernel and the datapaths. Used by the worker's thread only.
class Observer {
 public:
  // Both outlive it.
  Observer(Links* links, std::vector<Datapath*> datapaths)
      : links_(links), datapaths_(std::move(datapaths)) {}

  // All that the scope touches: few links one by one, many (or `complete`) by
  // one dump. UNAVAILABLE and others: the kernel gave no consistent answer;
  // nothing may be planned.
  absl::StatusOr<Observed> Observe(const Wanted& wanted, const Scope& scope,
                                   bool complete);
  // Whether there is certainly no link of this name.
  bool IsGone(const std::string& link) {
    return absl::IsNotFound(links_->Get(link).status());
  }

 private:
  absl::Status ObserveAll(Observed& observed);
  // The datapaths are asked for the tunnels only: each question is a call.
  // false: a complete look is needed after all.
  absl::StatusOr<bool> ObserveNames(const std::set<std::string>& names,
                                    const std::set<std::string>& tunnels,
                                    Observed& observed);

  // Where the plan needs them: VLANs of the links of networks that filter, and
  // static FDB entries of ports that are locked or are to be.
  absl::Status ObservePorts(const Wanted& wanted, const Scope& scope,
                            Observed& observed);
  absl::Status ObserveVlans(const std::set<std::string>& names,
                            Observed& observed);

  Links* links_;
  std::vector<Datapath*> datapaths_;
};

}  // namespace eoip

#endif  // EOIP_RECONCILE_OBSERVER_H_
