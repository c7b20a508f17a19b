// SPDX-License-Identifier: Apache-2.0
//
// The tunnels and the workers that carry them: what the control API acts on.
// Thread-safe; changes are serialised.
#ifndef EOIP_TAPD_FORWARDER_H_
#define EOIP_TAPD_FORWARDER_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "eoip/tapd/v1/tapd.pb.h"
#include "tapd/handover_state.h"
#include "tapd/tunnel.h"
#include "tapd/tunnel_config.h"
#include "tapd/worker.h"

namespace eoip::tapd {

inline constexpr int kMaxWorkers = 64;

class Forwarder {
 public:
  // options.workers: 1..kMaxWorkers.
  static absl::StatusOr<std::unique_ptr<Forwarder>> Start(
      const WorkerOptions& options);
  // Stops the workers; the TAP links go.
  ~Forwarder();

  int workers() const { return static_cast<int>(workers_.size()); }

  // Makes the tunnel be as the config says, see PutTunnel in tapd.proto. On an
  // error nothing has changed.
  absl::StatusOr<v1::TapTunnel> Put(const TunnelConfig& config)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Those that do not exist are ignored.
  absl::Status Delete(const std::vector<std::string>& names)
      ABSL_LOCKS_EXCLUDED(mu_);
  // names empty: all. By name.
  std::vector<v1::TapTunnel> List(const std::vector<std::string>& names)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Fills tunnels, workers and drops.
  void FillInfo(v1::Info* info) ABSL_LOCKS_EXCLUDED(mu_);

  // Hot restart, the predecessor's side: stops forwarding, so that packets wait
  // in the kernel and changes (Put, Delete) until Resume or HandedOver; fills
  // stopped_at_ns, workers and tunnels, and adds their descriptors, which stay
  // the forwarder's, to *descriptors.
  void Pause(v1::Handover* out, std::vector<int>* descriptors)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Resume() ABSL_LOCKS_EXCLUDED(mu_);
  // Another process forwards now: changes are refused with UNAVAILABLE, and the
  // links are left alone for good. The threads stay paused: the process must
  // end without destroying the forwarder.
  void HandedOver() ABSL_LOCKS_EXCLUDED(mu_);

  // The successor's side, of a forwarder without tunnels. What can fail comes
  // first: Prepare touches nothing but the descriptors, which it takes.
  struct Running {
    std::unique_ptr<Tunnel> tunnel;
    int64_t next_keepalive_ns = 0;
  };
  static absl::StatusOr<std::vector<Running>> Prepare(
      const HandoverState& state, std::vector<UniqueFd>* descriptors);
  // Forwards from here on.
  void Adopt(const HandoverState& state, std::vector<UniqueFd>* descriptors,
             std::vector<Running> tunnels) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Tunnels = std::map<std::string, std::unique_ptr<Tunnel>>;
  // Paused: a successor is about to take over.
  enum class Phase { kForwarding, kPaused, kHandedOver };

  Forwarder() = default;
  // Waits while it is paused. UNAVAILABLE: another process has the tunnels.
  absl::Status AwaitForwarding() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckKey(const TunnelConfig& config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The sockets for all tunnels, with config in the place of its namesake.
  Worker::Needs NeedsWith(const TunnelConfig* config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status OpenSockets(const Worker::Needs& needs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CloseUnusedSockets() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Create(const TunnelConfig& config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Change(Tunnel* tunnel, const TunnelConfig& config)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Remove(Tunnels::iterator it) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Deletes the links of these tunnels if they are many; the tunnels stay.
  void DeleteManyLinks(const std::vector<std::string>& names)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static v1::TapTunnel Describe(Tunnel* tunnel);

  absl::Mutex mu_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Tunnels tunnels_ ABSL_GUARDED_BY(mu_);
  int next_home_ ABSL_GUARDED_BY(mu_) = 0;
  Phase phase_ ABSL_GUARDED_BY(mu_) = Phase::kForwarding;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_FORWARDER_H_
