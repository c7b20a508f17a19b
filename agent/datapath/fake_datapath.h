// SPDX-License-Identifier: Apache-2.0
//
// A datapath in memory, over a FakeKernel: its tunnels' links are links there.
// As type kTap it behaves like eoip-tapd (a tunnel outlives its deleted link
// and says so), as kKernel like the module (the link is the tunnel).
// Thread-safe.
#ifndef EOIP_DATAPATH_FAKE_DATAPATH_H_
#define EOIP_DATAPATH_FAKE_DATAPATH_H_

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "datapath/datapath.h"
#include "netlink/fake_links.h"

namespace eoip {

class FakeDatapath : public Datapath {
 public:
  // kernel must outlive it; changes consult kernel->faults().
  FakeDatapath(FakeKernel* kernel, DatapathType type)
      : kernel_(kernel), type_(type) {}

  // Available at the start, for EOIP and EOIPV6. While it is not, List, Get,
  // Read and ReadWorkers say UNAVAILABLE as well when `lists` is false.
  void SetAvailable(bool available, std::string reason, bool lists = true);
  // The process died and came back: tunnels and links are gone (kTap only).
  void Restart();
  void SetPeerUp(const std::string& name, bool up);
  void SetLastHeard(const std::string& name, absl::Duration age);
  void SetSendError(const std::string& name, std::string error);
  void SetCounters(const std::string& name, const TunnelCounters& counters);
  void SetWorkers(WorkersReading workers);  // none at the start

  DatapathType type() const override { return type_; }
  Availability Probe() override;
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
  struct Entry {
    ObservedTunnel tunnel;
    TunnelCounters counters;
  };
  absl::Status ListableLocked() const;
  // The tunnel as it is now; link is what has its name, or null.
  ObservedTunnel ViewLocked(const Entry& entry, const Link* link) const;
  absl::StatusOr<uint32_t> PutLocked(const TunnelConfig& config, bool create);

  FakeKernel* kernel_;
  const DatapathType type_;
  std::mutex mu_;
  bool available_ = true;
  bool lists_ = true;
  std::string reason_ = "fake";
  std::map<std::string, Entry> tunnels_;
  WorkersReading workers_;
};

}  // namespace eoip

#endif  // EOIP_DATAPATH_FAKE_DATAPATH_H_
