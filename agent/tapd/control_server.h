// SPDX-License-Identifier: Apache-2.0
//
// The gRPC server on its unix socket.
#ifndef EOIP_TAPD_CONTROL_SERVER_H_
#define EOIP_TAPD_CONTROL_SERVER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "grpcpp/grpcpp.h"

namespace eoip::tapd {

class ControlServer {
 public:
  // Serves, but not on the path yet: Publish does that. service must outlive
  // the server. INVALID_ARGUMENT: path is too long. Unless successor is set,
  // the path is taken here: a socket that nobody serves will be replaced;
  // ALREADY_EXISTS: a live server has it, or path is no socket. A successor
  // gets the path from its predecessor.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Start(
      const std::string& path, grpc::Service* service, bool successor);
  // Removes the socket and waits for calls to end, at most 0.2 s.
  ~ControlServer();

  // The socket appears at the path, mode 0600, in one step.
  absl::Status Publish();

  // The lock that keeps a second server from the path: to be given to the
  // successor, and taken by it before Publish.
  int lock_fd() const { return lock_.get(); }
  void HoldLock(UniqueFd lock) { lock_ = std::move(lock); }
  // The successor has path and lock: they are left alone from now on.
  void LeavePath() {
    bound_.clear();
    lock_.reset();
  }

 private:
  ControlServer() = default;

  std::string path_;
  // Where the socket is now; empty: it is not ours.
  std::string bound_;
  UniqueFd lock_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_CONTROL_SERVER_H_
