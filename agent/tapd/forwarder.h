// SPDX-License-Identifier: Apache-2.0
//
// The tunnels and the workers that carry them: what the control API acts on.
// Thread-safe; changes are serialised.
#ifndef EOIP_TAPD_FORWARDER_H_
#define EOIP_TAPD_FORWARDER_H_

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "eoip/tapd/v1/tapd.pb.h"
#include "tapd/handover_state.h"
#include "tapd/path_finder.h"
#include "tapd/tunnel.h"
#include "tapd/tunnel_config.h"
#include "tapd/worker.h"

namespace eoip::tapd {

inline constexpr int kMaxWorkers = 64;

struct ForwarderOptions {
  int workers = 1;  // 1..kMaxWorkers
  // Past the IP stack where that is possible (link_path.h).
  bool fast_send = true;
  // See poll_window.h; 0: never poll.
  int64_t busy_poll_ns = 0;
};

class Forwarder {
 public:
  static absl::StatusOr<std::unique_ptr<Forwarder>> Start(
      const ForwarderOptions& options);
  // Stops the workers; the TAP links go.
  ~Forwarder();

  int workers() const { return static_cast<int>(workers_.size()); }

  // Makes the tunnel be as the config says, see PutTunnel in tapd.proto. On an
  // error nothing has changed.
  absl::StatusOr<v1::TapTunnel> Put(const TunnelConfig& config);
  // Those that do not exist are ignored.
  absl::Status Delete(const std::vector<std::string>& names);
  // names empty: all. By name.
  std::vector<v1::TapTunnel> List(const std::vector<std::string>& names);
  // Fills tunnels, workers and drops.
  void FillInfo(v1::Info* info);

  // Hot restart, the predecessor's side: stops forwarding, so that packets wait
  // in the kernel and changes (Put, Delete) until Resume or HandedOver; fills
  // stopped_at_ns, workers and tunnels, and adds their descriptors, which stay
  // the forwarder's, to *descriptors.
  void Pause(v1::Handover* out, std::vector<int>* descriptors);
  void Resume();
  // Another process forwards now: changes are refused with UNAVAILABLE, and the
  // links are left alone for good. The threads stay paused: the process must
  // end without destroying the forwarder.
  void HandedOver();
  // After that, where the process lives on: closes the descriptors that it
  // shares with the other one, whose links would not go while they are open.
  // Nothing may be called any more.
  void CloseShared();

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
             std::vector<Running> tunnels);

 private:
  using Tunnels = std::map<std::string, std::unique_ptr<Tunnel>>;
  // Paused: a successor is about to take over.
  enum class Phase { kForwarding, kPaused, kHandedOver };

  Forwarder() = default;
  // Waits while it is paused. UNAVAILABLE: another process has the tunnels.
  absl::Status AwaitForwarding(std::unique_lock<std::mutex>* lock);
  // From here on mu_ is held.
  absl::Status CheckKey(const TunnelConfig& config);
  // The sockets for all tunnels, with config in the place of its namesake.
  Worker::Needs NeedsWith(const TunnelConfig* config);
  absl::Status OpenSockets(const Worker::Needs& needs);
  void CloseUnusedSockets();
  absl::Status Create(const TunnelConfig& config);
  void Change(Tunnel* tunnel, const TunnelConfig& config);
  void Remove(Tunnels::iterator it);
  // Deletes the links of these tunnels if they are many; the tunnels stay.
  void DeleteManyLinks(const std::vector<std::string>& names);
  static v1::TapTunnel Describe(Tunnel* tunnel);

  std::unique_ptr<PathFinder> paths_;
  std::vector<std::unique_ptr<Worker>> workers_;
  // Guards what follows.
  std::mutex mu_;
  std::condition_variable phase_changed_;
  Tunnels tunnels_;
  int next_home_ = 0;
  Phase phase_ = Phase::kForwarding;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_FORWARDER_H_
