// SPDX-License-Identifier: Apache-2.0
//
// The gRPC server on its unix socket.
#ifndef EOIP_TAPD_CONTROL_SERVER_H_
#define EOIP_TAPD_CONTROL_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"
#include "grpcpp/grpcpp.h"

namespace eoip::tapd {

class ControlServer {
 public:
  // Serves on the socket at path, mode 0600, which appears there in one step
  // when it already answers. A socket that nobody serves is replaced.
  // ALREADY_EXISTS: a live server has it, or path is no socket ·
  // INVALID_ARGUMENT: path is too long. service must outlive the server.
  static absl::StatusOr<std::unique_ptr<ControlServer>> Start(
      const std::string& path, grpc::Service* service);
  // Removes the socket and waits for calls to end, at most 0.2 s.
  ~ControlServer();

 private:
  ControlServer() = default;

  std::string path_;
  // Held while the server lives: it keeps a second one from the path.
  UniqueFd lock_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_CONTROL_SERVER_H_
