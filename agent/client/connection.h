// SPDX-License-Identifier: Apache-2.0
//
// The way to eoip-agent: address, channel, errors. Thread-safe.
#ifndef EOIP_CLIENT_CONNECTION_H_
#define EOIP_CLIENT_CONNECTION_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace eoip::client {

inline constexpr char kDefaultSocket[] = "/run/eoip/agent.sock";
// Environment variable that replaces kDefaultSocket.
inline constexpr char kSocketVariable[] = "EOIP_AGENT_SOCKET";

// The agent's socket: flag if not empty, else $EOIP_AGENT_SOCKET if not empty,
// else kDefaultSocket. The result is a path without "unix:".
// INVALID_ARGUMENT: another scheme than "unix:", or a path that does not fit a
// socket address (107 bytes).
absl::StatusOr<std::string> SocketPath(absl::string_view flag);

// A channel to the agent at path. Nothing is sent before the first call.
std::shared_ptr<grpc::Channel> OpenChannel(absl::string_view path);

// Ends the call at deadline; InfiniteFuture: never.
void SetDeadline(absl::Time deadline, grpc::ClientContext* context);

// The status of a call over a channel to path, code and message unchanged. An
// UNAVAILABLE whose cause is that the socket cannot be connected says so, with
// the system's error, instead of gRPC's words.
absl::Status ToStatus(const grpc::Status& status, absl::string_view path);

}  // namespace eoip::client

#endif  // EOIP_CLIENT_CONNECTION_H_
