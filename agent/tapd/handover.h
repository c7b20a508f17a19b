// SPDX-License-Identifier: Apache-2.0
//
// The two sides of a hot restart (handover_channel.h has the conversation).
#ifndef EOIP_TAPD_HANDOVER_H_
#define EOIP_TAPD_HANDOVER_H_

#include <memory>
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

// The predecessor's side.
class Predecessor {
 public:
  // Has a successor started and returns at once.
  static absl::StatusOr<Predecessor> Start(const Starter& starter);

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
absl::Status TakeOver(UniqueFd channel, const Parts& parts);

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_HANDOVER_H_
