// SPDX-License-Identifier: Apache-2.0
#include "agent.h"

#include <grpcpp/client_context.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "client/connection.h"
#include "cni_error.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "eoip/v1/attachment.grpc.pb.h"
#include "eoip/v1/network.grpc.pb.h"

namespace eoip::cni {
namespace {

constexpr absl::Duration kCreateTimeout = absl::Seconds(10);
constexpr absl::Duration kRestartTime = absl::Seconds(5);
constexpr absl::Duration kBusyTime = absl::Seconds(30);
constexpr absl::Duration kDeleteTimeout = absl::Seconds(1);

CniCode CodeFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
      return CniCode::kConfig;
    case absl::StatusCode::kUnimplemented:
      return CniCode::kUnsupportedField;
    case absl::StatusCode::kAlreadyExists:
      return CniCode::kExists;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
      return CniCode::kTryAgain;
    default:
      return CniCode::kAgent;
  }
}

absl::Status ToCniError(const absl::Status& status, absl::string_view call) {
  if (status.ok()) return status;
  return CniError(CodeFor(status.code()),
                  absl::StrCat("agent: ", call, ": ", status.message()),
                  absl::StatusCodeToString(status.code()));
}

}  // namespace

struct Agent::Stubs {
  explicit Stubs(const std::shared_ptr<grpc::Channel>& channel)
      : agent(v1::AgentService::NewStub(channel)),
        networks(v1::NetworkService::NewStub(channel)),
        attachments(v1::AttachmentService::NewStub(channel)) {}

  // One unary call.
  template <typename Stub, typename Method, typename Ask, typename Answer>
  absl::Status Call(Stub& stub, Method method, const Ask& ask, Answer* answer,
                    absl::Time deadline, const std::string& socket,
                    const std::string& traceparent) {
    grpc::ClientContext context;
    client::SetDeadline(deadline, &context);
    if (!traceparent.empty()) context.AddMetadata("traceparent", traceparent);
    return client::ToStatus((stub.*method)(&context, ask, answer), socket);
  }

  std::unique_ptr<v1::AgentService::Stub> agent;
  std::unique_ptr<v1::NetworkService::Stub> networks;
  std::unique_ptr<v1::AttachmentService::Stub> attachments;
};

Agent::Agent(const Request& request)
    : socket_(request.agent_socket),
      network_(request.network),
      traceparent_(request.traceparent) {}

Agent::~Agent() = default;

Agent::Stubs& Agent::stubs() {
  if (!stubs_) stubs_ = std::make_unique<Stubs>(client::OpenChannel(socket_));
  return *stubs_;
}

std::string Agent::AttachmentName(const std::string& host_link) const {
  return absl::StrCat("networks/", network_, "/attachments/", host_link);
}

absl::StatusOr<v1::Attachment> Agent::CreateAttachment(
    const v1::Attachment& attachment) {
  v1::CreateAttachmentRequest ask;
  *ask.mutable_attachment() = attachment;
  const absl::Time start = absl::Now();
  while (true) {
    v1::Attachment answer;
    const absl::Time deadline = absl::Now() + kCreateTimeout;
    const absl::Status status = stubs().Call(
        *stubs().attachments, &v1::AttachmentService::Stub::CreateAttachment,
        ask, &answer, deadline, socket_, traceparent_);
    if (status.ok()) return answer;
    // It says that it did not get round to it: many pods start at once. Our own
    // deadline means that it says nothing.
    const bool busy =
        absl::IsResourceExhausted(status) ||
        (absl::IsDeadlineExceeded(status) && absl::Now() < deadline);
    if (!(absl::IsUnavailable(status) && absl::Now() < start + kRestartTime) &&
        !(busy && absl::Now() < start + kBusyTime)) {
      return ToCniError(status, "CreateAttachment");
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
}

absl::Status Agent::DeleteAttachment(const std::string& name) {
  v1::DeleteAttachmentRequest ask;
  ask.set_name(name);
  ask.set_allow_missing(true);
  google::protobuf::Empty answer;
  return ToCniError(
      stubs().Call(*stubs().attachments,
                   &v1::AttachmentService::Stub::DeleteAttachment, ask, &answer,
                   absl::Now() + kDeleteTimeout, socket_, traceparent_),
      "DeleteAttachment");
}

absl::StatusOr<v1::Attachment> Agent::GetAttachment(const std::string& name,
                                                    absl::Duration timeout) {
  v1::GetAttachmentRequest ask;
  ask.set_name(name);
  v1::Attachment answer;
  EOIP_RETURN_IF_ERROR(ToCniError(
      stubs().Call(*stubs().attachments,
                   &v1::AttachmentService::Stub::GetAttachment, ask, &answer,
                   absl::Now() + timeout, socket_, traceparent_),
      "GetAttachment"));
  return answer;
}

absl::StatusOr<v1::Network> Agent::GetNetwork(absl::Duration timeout) {
  v1::GetNetworkRequest ask;
  ask.set_name(absl::StrCat("networks/", network_));
  v1::Network answer;
  EOIP_RETURN_IF_ERROR(ToCniError(
      stubs().Call(*stubs().networks, &v1::NetworkService::Stub::GetNetwork,
                   ask, &answer, absl::Now() + timeout, socket_, traceparent_),
      "GetNetwork"));
  return answer;
}

absl::StatusOr<v1::AgentStatus> Agent::GetStatus(absl::Duration timeout) {
  v1::AgentStatus answer;
  EOIP_RETURN_IF_ERROR(ToCniError(
      stubs().Call(*stubs().agent, &v1::AgentService::Stub::GetAgentStatus,
                   v1::GetAgentStatusRequest(), &answer, absl::Now() + timeout,
                   socket_, traceparent_),
      "GetAgentStatus"));
  return answer;
}

}  // namespace eoip::cni
