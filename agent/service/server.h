// SPDX-License-Identifier: Apache-2.0
//
// The agent's gRPC server on a unix socket: the four services of
// proto/eoip/v1, health and reflection. Thread-safe after Start.
//
// Health (grpc.health.v1): the service "" is SERVING as long as calls are
// answered (liveness); "readiness" and the names of the four services are
// SERVING from the moment the first full look at the kernel is done.
#ifndef EOIP_SERVICE_SERVER_H_
#define EOIP_SERVICE_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dhcp/lease_keeper.h"
#include "reconcile/reconciler.h"
#include "reconcile/status_board.h"
#include "service/watch_hub.h"
#include "store/store.h"

namespace eoip {

inline constexpr char kReadinessService[] = "readiness";

class Server {
 public:
  struct Options {
    // Path of the unix socket, 1 to 107 bytes; its folder must exist. It gets
    // mode 0660. A socket that nobody answers on is replaced.
    std::string socket;
    std::string node;
    std::string version = EOIP_VERSION_STRING;
    WatchLimits watch_limits;
    // Called once, when the first full look at the kernel is done, on a thread
    // of the server. May be empty.
    std::function<void()> on_ready;
    // Outlives the server. Null: attachments with dhcp are refused.
    LeaseKeeper* leases = nullptr;
  };

  // Serves when it returns. store, applier and board outlive the server, whose
  // listener the board gets. Call it while no other thread makes files: it
  // changes the umask for a moment.
  // INVALID_ARGUMENT: the path's length. ALREADY_EXISTS: something else than a
  // socket is there. FAILED_PRECONDITION: another agent answers there.
  // UNAVAILABLE: cannot listen.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options,
                                                       Store* store,
                                                       Applier* applier,
                                                       StatusBoard* board);
  // As Shutdown(absl::Now()). The board's writers must have stopped: one may
  // still be in the listener.
  ~Server();

  // Takes no more calls, ends watches with UNAVAILABLE, lets running calls
  // end until the deadline, cancels what is left, removes the socket. Once.
  void Shutdown(absl::Time deadline);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_SERVER_H_
