// SPDX-License-Identifier: Apache-2.0
//
// The kernel module: link kinds eoip and eoipv6. The links are all the state
// there is, so that a restart of the agent finds everything.
#ifndef EOIP_DATAPATH_KERNEL_DATAPATH_H_
#define EOIP_DATAPATH_KERNEL_DATAPATH_H_

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "datapath/datapath.h"
#include "netlink/links.h"

namespace eoip {

class KernelDatapath : public Datapath {
 public:
  // links: used on the reconcile worker's thread; reader: for Read only, under
  // a lock. Both must outlive this, and must be two objects.
  KernelDatapath(Links* links, Links* reader)
      : links_(links), reader_(reader) {}

  DatapathType type() const override { return DatapathType::kKernel; }
  // A foreign module of the same kinds is named as the reason. Answers are
  // kept for 5 s, or until a Put says that the module is missing.
  Availability Probe() override;
  absl::StatusOr<std::vector<ObservedTunnel>> List(
      const LinkTable& links) override;
  absl::StatusOr<ObservedTunnel> Get(const std::string& name,
                                     const Link* link) override;
  // config.disabled is not the module's: a disabled tunnel is a link that is
  // down. List and Get report false.
  absl::StatusOr<uint32_t> Put(const TunnelConfig& config,
                               bool create) override;
  absl::Status Delete(const std::vector<std::string>& names) override;
  absl::StatusOr<std::map<std::string, TunnelReading>> Read(
      const std::vector<std::string>& names) override;
  absl::StatusOr<WorkersReading> ReadWorkers() override {
    return WorkersReading();
  }

 private:
  Availability ProbeNow();

  Links* links_;
  std::mutex reader_mu_;
  Links* reader_;
  Availability probe_;
  absl::Time probed_ = absl::InfinitePast();
};

}  // namespace eoip

#endif  // EOIP_DATAPATH_KERNEL_DATAPATH_H_
