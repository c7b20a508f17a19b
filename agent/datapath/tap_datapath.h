// SPDX-License-Identifier: Apache-2.0
//
// The user-space datapath: a client of eoip-tapd
// (proto/eoip/tapd/v1/tapd.proto). eoip-tapd makes the TAPs; this class gives
// them their group, MTU and MAC and deletes them through Links.
#ifndef EOIP_DATAPATH_TAP_DATAPATH_H_
#define EOIP_DATAPATH_TAP_DATAPATH_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "datapath/datapath.h"
#include "netlink/links.h"

namespace eoip {

class TapDatapath : public Datapath {
 public:
  // links must outlive this. Connects when first used, and again whenever
  // eoip-tapd went away.
  TapDatapath(Links* links, const std::string& socket_path);
  ~TapDatapath() override;

  DatapathType type() const override { return DatapathType::kTap; }
  // At most 0.8 s. Answers are kept for 2 s.
  Availability Probe() override;
  // A tunnel whose link was deleted, renamed or moved away has link_gone.
  absl::StatusOr<std::vector<ObservedTunnel>> List(
      const LinkTable& links) override;
  absl::StatusOr<ObservedTunnel> Get(const std::string& name,
                                     const Link* link) override;
  absl::StatusOr<uint32_t> Put(const TunnelConfig& config,
                               bool create) override;
  absl::Status Delete(const std::vector<std::string>& names) override;
  absl::StatusOr<std::map<std::string, TunnelReading>> Read(
      const std::vector<std::string>& names) override;
  absl::StatusOr<WorkersReading> ReadWorkers() override;

 private:
  class Client;
  absl::Status Dress(const TunnelConfig& config, uint32_t ifindex);

  Links* links_;
  std::unique_ptr<Client> client_;
  Availability probe_;
  absl::Time probed_ = absl::InfinitePast();
  uint64_t started_ms_ = 0;  // of the eoip-tapd that was seen last
};

}  // namespace eoip

#endif  // EOIP_DATAPATH_TAP_DATAPATH_H_
