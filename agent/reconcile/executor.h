// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_RECONCILE_EXECUTOR_H_
#define EOIP_RECONCILE_EXECUTOR_H_

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "datapath/datapath.h"
#include "netlink/links.h"
#include "plan/plan.h"

namespace eoip {

// Carries a plan out. Used by the worker's thread only.
class Executor {
 public:
  using Forget = std::function<absl::Status(const AttachmentKey&)>;

  using ForgetUnused = std::function<absl::Status(const std::string& network)>;

  // All outlive it. forget removes an attachment from the store, forget_unused
  // a network that nobody uses any more.
  Executor(Links* links, std::vector<Datapath*> datapaths, Forget forget,
           ForgetUnused forget_unused);

  // Runs the steps in order. After a failed step the other steps of the same
  // resource are left out, those of others run. Returns why, by resource.
  std::map<std::string, std::string> Run(const std::vector<Step>& steps,
                                         const Observed& observed);

 private:
  absl::Status Do(const DeleteTunnels& action);
  absl::Status Do(const DeleteLinks& action);
  absl::Status Do(const PutTunnel& action);
  absl::Status Do(const PutBridge& action);
  absl::Status Do(const SetLink& action);
  absl::Status Do(const SetBridgePort& action);
  absl::Status Do(const SetVlans& action);
  absl::Status Do(const SetPinned& action);
  absl::Status Do(const ForgetAttachment& action);
  absl::Status Do(const ForgetNetwork& action);
  absl::Status Do(const Blocked& action);

  absl::StatusOr<Datapath*> FindDatapath(DatapathType type);
  absl::StatusOr<uint32_t> IndexOf(const std::string& link);

  Links* links_;
  std::map<DatapathType, Datapath*> datapaths_;
  Forget forget_;
  ForgetUnused forget_unused_;
  std::map<std::string, uint32_t> index_of_;  // of this run
};

}  // namespace eoip

#endif  // EOIP_RECONCILE_EXECUTOR_H_
