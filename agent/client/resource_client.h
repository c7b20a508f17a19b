// SPDX-License-Identifier: Apache-2.0
//
// The same six calls for every kind of resource, on messages whose type only
// the caller need know (eoip.v1.Tunnel, Network or Attachment).
#ifndef EOIP_CLIENT_RESOURCE_CLIENT_H_
#define EOIP_CLIENT_RESOURCE_CLIENT_H_

#include <google/protobuf/message.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/connection.h"
#include "eoip/v1/tunnel.pb.h"

namespace eoip::client {

using google::protobuf::Message;

struct UpdateOptions {
  std::vector<std::string> mask;  // of field paths, or {"*"}
  bool allow_missing = false;
  bool validate_only = false;
};

struct DeleteOptions {
  std::string etag;
  bool validate_only = false;
};

// One event of a watch; resource is null for SYNCED.
struct WatchEvent {
  v1::WatchTunnelsResponse::Type type;
  const Message* resource;
};

// Thread-safe. Errors are those of the service's proto file, and UNAVAILABLE
// or DEADLINE_EXCEEDED of the connection. Messages passed in are of the type
// that New() makes.
class ResourceClient {
 public:
  virtual ~ResourceClient() = default;

  virtual std::unique_ptr<Message> New() const = 0;
  // *resource is what is wanted, and becomes what the agent answers.
  virtual absl::Status Create(bool validate_only, Message* resource) = 0;
  virtual absl::Status Update(const UpdateOptions& options,
                              Message* resource) = 0;
  virtual absl::Status Get(absl::string_view name, Message* resource) = 0;
  // All pages, in the agent's order. parent is for attachments only: empty or
  // "networks/{network}".
  virtual absl::Status List(absl::string_view parent,
                            std::vector<std::unique_ptr<Message>>* all) = 0;
  virtual absl::Status Delete(absl::string_view name,
                              const DeleteOptions& options) = 0;
  // Calls on_event for each event until it returns false (then OK), the stream
  // ends or deadline passes (DEADLINE_EXCEEDED). name empty: all.
  virtual absl::Status Watch(
      absl::string_view name, absl::string_view parent, absl::Time deadline,
      const std::function<bool(const WatchEvent&)>& on_event) = 0;
};

// timeout: of each unary call.
std::unique_ptr<ResourceClient> MakeTunnelClient(
    std::shared_ptr<grpc::Channel> channel, absl::string_view socket_path,
    absl::Duration timeout);
std::unique_ptr<ResourceClient> MakeNetworkClient(
    std::shared_ptr<grpc::Channel> channel, absl::string_view socket_path,
    absl::Duration timeout);
std::unique_ptr<ResourceClient> MakeAttachmentClient(
    std::shared_ptr<grpc::Channel> channel, absl::string_view socket_path,
    absl::Duration timeout);

}  // namespace eoip::client

#endif  // EOIP_CLIENT_RESOURCE_CLIENT_H_
