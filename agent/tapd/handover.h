// SPDX-License-Identifier: Apache-2.0
//
// The two sides of a hot restart (handover_channel.h has the conversation).
#ifndef EOIP_TAPD_HANDOVER_H_
#define EOIP_TAPD_HANDOVER_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "tapd/control_server.h"
#include "tapd/forwarder.h"
#include "tapd/handover_channel.h"
#include "tapd/handover_state.h"
#include "tapd/service.h"
#include "tapd/starter.h"

namespace eoip::tapd {

// What a process of eoip-tapd consists of. All must outlive what takes it.
struct Parts {
  Forwarder* forwarder;
  Service* service;
  ControlServer* server;
};

// Where processes that this one did not start ask to be its successor: the
// socket's path with ".handover" behind, mode 0600.
class HandoverListener {
 public:
  HandoverListener() = default;
  HandoverListener(HandoverListener&&) = default;
  // Removes the path.
  ~HandoverListener();

  absl::Status Open(const std::string& socket);
  // -1: not open.
  int fd() const { return fd_.get(); }
  // The successor has the path: it is left alone from now on.
  void LeavePath() { path_.clear(); }

  // The other end: a channel to the process that serves the socket; none if
  // there is no such process. UNAVAILABLE: it does not listen.
  static absl::StatusOr<UniqueFd> Connect(const std::string& socket);

 private:
  UniqueFd fd_;
  std::string path_;
};

// The predecessor's side.
class Predecessor {
 public:
  // Has a successor started and returns at once.
  static absl::StatusOr<Predecessor> Start(const Starter& starter);

  // Of a process that asked for it at the listener. PERMISSION_DENIED: it is
  // neither this user's nor root's.
  static absl::StatusOr<Predecessor> Accept(const HandoverListener& listener);

  // Readable when GiveTo can be called without waiting.
  int fd() const { return channel_.fd(); }

  // Hands everything over and returns the successor's process id: from then on
  // this process has nothing left but to end, by _exit. On an error it has gone
  // on as before, after a pause of 2 s at most. Forwarding stops while the
  // successor takes over, for some milliseconds.
  absl::StatusOr<pid_t> GiveTo(const Parts& parts);

 private:
  explicit Predecessor(HandoverChannel channel)
      : channel_(std::move(channel)) {}
  absl::Status Give(const Parts& parts);

  HandoverChannel channel_;
};

// The successor's side: takes over what the process at the other end of the
// channel has, and forwards. parts: a forwarder without tunnels, a server that
// was started as a successor. On an error nothing was touched.
// FAILED_PRECONDITION: another format, number of workers or network namespace.
absl::Status TakeOver(UniqueFd channel, const Parts& parts);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_HANDOVER_H_
