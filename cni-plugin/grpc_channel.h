// SPDX-License-Identifier: Apache-2.0
//
// gRPC for a process that lives for milliseconds: unary calls over a unix
// socket, one after the other, on the calling thread. HTTP/2 is libnghttp2's.
// gRPC's own runtime takes longer to start (threads, resolver, balancer) than
// a whole ADD may last. Protocol: grpc/doc/PROTOCOL-HTTP2.md. Not thread-safe.
#ifndef EOIP_CNI_GRPC_CHANNEL_H_
#define EOIP_CNI_GRPC_CHANNEL_H_

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace eoip::cni {

class GrpcChannel {
 public:
  // Nothing is connected before the first call.
  explicit GrpcChannel(std::string socket_path);
  ~GrpcChannel();

  // Connects already, so that the server can prepare while the caller does
  // something else. What fails is the next call's to find out.
  void Dial();

  using Metadata = std::vector<std::pair<std::string, std::string>>;
  // Calls "/package.Service/Method" with a serialised message and returns the
  // serialised answer. After an error other than the server's own the next
  // call connects anew. Errors: the status that the server sent · UNAVAILABLE:
  // nobody listens, or the connection broke (the call may have been carried
  // out) · DEADLINE_EXCEEDED · INTERNAL: what came is not gRPC.
  absl::StatusOr<std::string> Call(const std::string& method,
                                   absl::string_view request,
                                   const Metadata& metadata,
                                   absl::Time deadline);

 private:
  struct Stream;
  struct FreeSession {
    void operator()(nghttp2_session* session) const {
      nghttp2_session_del(session);
    }
  };

  absl::Status Connect();
  void Disconnect();
  absl::Status Submit(const std::string& method, const Metadata& metadata,
                      absl::Time deadline);
  // Sends and receives until the stream is closed.
  absl::Status Exchange(absl::Time deadline);
  absl::Status Send(absl::Time deadline);
  absl::Status Receive(absl::Time deadline);
  absl::Status Wait(short events, absl::Time deadline);
  static absl::StatusOr<std::string> Outcome(const Stream& stream);

  static nghttp2_session* NewSession(GrpcChannel* channel);

  const std::string path_;
  UniqueFd fd_;
  std::unique_ptr<nghttp2_session, FreeSession> session_;
  std::unique_ptr<Stream> stream_;  // of the running call
};

// "A%20b" to "A b"; what is no escape stays as it is.
std::string DecodePercent(absl::string_view text);
// The value of a grpc-timeout header, rounded up: "100m".
std::string GrpcTimeout(absl::Duration timeout);

}  // namespace eoip::cni

#endif  // EOIP_CNI_GRPC_CHANNEL_H_
