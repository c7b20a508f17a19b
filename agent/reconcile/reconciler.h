// SPDX-License-Identifier: Apache-2.0
//
// Keeps the kernel as the store says. One worker thread does all the work;
// every method is thread-safe. Only
// Apply waits for it; Read and ReadWorkers wait for the datapaths.
#ifndef EOIP_RECONCILE_RECONCILER_H_
#define EOIP_RECONCILE_RECONCILER_H_

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "datapath/datapath.h"

namespace eoip {

struct DatapathReport {
  DatapathType type;
  Availability availability;
  uint32_t tunnels = 0;  // running on it
};

// What the worker's passes were like since it started.
struct PassReport {
  // Upper bounds of the buckets of durations, seconds.
  static constexpr std::array<double, 5> kBounds = {0.001, 0.01, 0.1, 1, 10};
  // Passes by duration: longer than the bound before, not longer than theirs;
  // the last number is of those above the last bound.
  std::array<uint64_t, kBounds.size() + 1> durations{};
  double seconds = 0;     // sum of the durations
  uint64_t failed = 0;    // passes that could not look at the kernel
  uint64_t failures = 0;  // attempts to bring a resource about that failed
};

struct ReconcilerReport {
  bool ready = false;        // the first full sync is done
  std::string ready_reason;  // why not
  absl::Time last_full_sync = absl::InfinitePast();
  std::vector<DatapathReport> datapaths;
  PassReport passes;
};

// What the services see of it.
class Applier {
 public:
  virtual ~Applier() = default;
  // The desired state of the resource ("tunnels/x", "networks/x",
  // "networks/x/attachments/y") changed: apply it. Returns when one attempt
  // that began after the call has ended, or at the deadline (then
  // DEADLINE_EXCEEDED; the work goes on). How it went is on the status board.
  virtual absl::Status Apply(const std::string& resource,
                             absl::Time deadline) = 0;
  virtual ReconcilerReport Report() const = 0;
  // Counters and liveness of tunnels now, whatever datapath carries them.
  // Tunnels without an answer are absent.
  virtual std::map<std::string, TunnelReading> Read(
      const std::vector<std::string>& tunnels) = 0;
  // What the forwarding threads of the datapath in user space have done; no
  // workers: there is no such datapath. UNAVAILABLE: it does not answer. Never
  // longer than 1 s.
  virtual absl::StatusOr<WorkersReading> ReadWorkers() = 0;
};

}  // namespace eoip

#endif  // EOIP_RECONCILE_RECONCILER_H_
