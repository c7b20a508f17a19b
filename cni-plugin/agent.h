// SPDX-License-Identifier: Apache-2.0
//
// The agent as the plugin sees it: a few calls, each with a deadline, errors
// with a CNI code. Nothing is connected before the first call.
#ifndef EOIP_CNI_AGENT_H_
#define EOIP_CNI_AGENT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "eoip/v1/agent.pb.h"
#include "eoip/v1/attachment.pb.h"
#include "eoip/v1/network.pb.h"
#include "grpc_channel.h"
#include "request.h"

namespace eoip::cni {

// Errors of all calls: 2 the agent does not build a field; 7 it refuses a
// field, or has no such network or attachment; 11 it is away, hung or not able
// at present; 101 the attachment exists; 102 others.
class Agent {
 public:
  // Reads agent_socket, network and traceparent.
  explicit Agent(const Request& request);

  // Connects before the first call.
  void Dial() { channel_.Dial(); }

  // Tries again for 5 s when the agent is away (it may be restarting) and for
  // 30 s when it answers that it has too much to do; 11 after 10 s of silence.
  // inline_network: made first where it is not there; null: it must be.
  absl::StatusOr<v1::Attachment> CreateAttachment(
      const v1::Attachment& attachment,
      const v1::InlineNetwork* inline_network);
  // No error when there is no such attachment.
  absl::Status DeleteAttachment(const std::string& name);
  absl::StatusOr<v1::Attachment> GetAttachment(const std::string& name,
                                               absl::Duration timeout);
  absl::StatusOr<v1::Network> GetNetwork(absl::Duration timeout);
  absl::StatusOr<v1::AgentStatus> GetStatus(absl::Duration timeout);

  // "networks/{network}/attachments/{host_link}": the host link's name is
  // unique on the node, so it also names the attachment.
  std::string AttachmentName(const std::string& host_link) const;

 private:
  template <typename Answer>
  absl::StatusOr<Answer> Call(const char* method,
                              const google::protobuf::MessageLite& ask,
                              absl::Time deadline);

  const std::string network_;
  GrpcChannel channel_;
  GrpcChannel::Metadata metadata_;
};

}  // namespace eoip::cni

#endif  // EOIP_CNI_AGENT_H_
