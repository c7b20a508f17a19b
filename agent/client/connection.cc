// SPDX-License-Identifier: Apache-2.0
#include "client/connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace eoip::client {
namespace {

constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

// OK: somebody listens at path.
absl::Status TryConnect(absl::string_view path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return eoip::ErrnoToStatus(errno, "socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
    return eoip::ErrnoToStatus(errno, path);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> SocketPath(absl::string_view flag) {
  absl::string_view address = flag;
  if (address.empty()) {
    const char* variable = std::getenv(kSocketVariable);
    address =
        variable != nullptr && *variable != '\0' ? variable : kDefaultSocket;
  }
  absl::string_view path = address;
  if (absl::ConsumePrefix(&path, "unix:")) {
    // "unix:///run/x" and "unix:/run/x" are the same for gRPC.
    absl::ConsumePrefix(&path, "//");
  } else if (absl::StrContains(path, "://") || !absl::StrContains(path, "/")) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket: '", address, "': the path of a unix socket"));
  }
  if (path.empty() || path.size() > kMaxPath) {
    return absl::InvalidArgumentError(absl::StrCat(
        "socket: '", address, "': a path of 1 to ", kMaxPath, " bytes"));
  }
  return std::string(path);
}

std::shared_ptr<grpc::Channel> OpenChannel(absl::string_view path) {
  grpc::ChannelArguments arguments;
  // A proxy for the network has no say on a local socket.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A page of networks with many ports may pass the usual 4 MB.
  arguments.SetMaxReceiveMessageSize(-1);
  // A watcher waits for a restarted agent no longer than this.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(absl::StrCat("unix:", path),
                                   grpc::InsecureChannelCredentials(),
                                   arguments);
}

void SetDeadline(absl::Time deadline, grpc::ClientContext* context) {
  if (deadline != absl::InfiniteFuture()) {
    context->set_deadline(absl::ToChronoTime(deadline));
  }
}

absl::Status ToStatus(const grpc::Status& status, absl::string_view path) {
  if (status.ok()) return absl::OkStatus();
  if (status.error_code() == grpc::StatusCode::UNAVAILABLE) {
    if (const absl::Status reached = TryConnect(path); !reached.ok()) {
      return absl::UnavailableError(
          absl::StrCat("cannot reach eoip-agent at ", reached.message()));
    }
  }
  // The two enums have the same numbers.
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()),
                      status.error_message());
}

}  // namespace eoip::client
