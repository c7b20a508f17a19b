// SPDX-License-Identifier: Apache-2.0
//
// What carries tunnels. Implementations: KernelDatapath (the module),
// TapDatapath (eoip-tapd), FakeDatapath (tests); one contract suite runs on
// all of them. Called from the reconcile worker's thread only, except Read and
// ReadWorkers.
#ifndef EOIP_DATAPATH_DATAPATH_H_
#define EOIP_DATAPATH_DATAPATH_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "model/link.h"
#include "model/tunnel.h"
#include "model/worker.h"

namespace eoip {

struct Availability {
  bool available = false;
  // Why not, or what it is ("eoip.ko 0.1.0, ABI 1").
  std::string reason;
  // Kinds it carries.
  std::vector<TunnelKind> kinds;
};

struct TunnelReading {
  TunnelCounters counters;
  std::optional<absl::Duration> last_heard;  // age; absent: never
  bool peer_up = true;
};

class Datapath {
 public:
  virtual ~Datapath() = default;

  virtual DatapathType type() const = 0;

  // Whether it can be used now. Cheap enough for every reconcile (answers are
  // kept for some seconds); never longer than 1 s.
  virtual Availability Probe() = 0;

  // All tunnels it carries, also ones nobody wants any more. links is a
  // complete dump. UNAVAILABLE: not to be known now; plan nothing for it.
  virtual absl::StatusOr<std::vector<ObservedTunnel>> List(
      const LinkTable& links) = 0;
  // The same for one tunnel; link is its link, null when there is none.
  // NOT_FOUND: not one of its tunnels.
  virtual absl::StatusOr<ObservedTunnel> Get(const std::string& name,
                                             const Link* link) = 0;

  // Creates the tunnel and its link (owned: group kOwnedGroup, left down) or
  // changes it in place; returns the link's ifindex. A change never makes a
  // new link. ALREADY_EXISTS: a foreign link or another tunnel of the same key
  // is in the way (untouched) · FAILED_PRECONDITION: the datapath cannot do
  // it (its own words) · UNAVAILABLE: try again. On error nothing is left.
  virtual absl::StatusOr<uint32_t> Put(const TunnelConfig& config,
                                       bool create) = 0;

  // Deletes tunnels and their links, in as few kernel calls as it takes.
  // Unknown ones are no error.
  virtual absl::Status Delete(const std::vector<std::string>& names) = 0;

  // Counters and liveness now, of the tunnels in names that it carries.
  // Thread-safe.
  virtual absl::StatusOr<std::map<std::string, TunnelReading>> Read(
      const std::vector<std::string>& names) = 0;

  // What its forwarding threads in user space have done; no workers: it has
  // none. UNAVAILABLE: not to be known now. Thread-safe; never longer than 1 s.
  virtual absl::StatusOr<WorkersReading> ReadWorkers() = 0;
};

}  // namespace eoip

#endif  // EOIP_DATAPATH_DATAPATH_H_
