// SPDX-License-Identifier: Apache-2.0
#include "agent.h"

#include <google/protobuf/empty.pb.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "cni_error.h"

namespace eoip::cni {
namespace {

constexpr char kCreateAttachment[] =
    "/eoip.v1.AttachmentService/CreateAttachment";
constexpr char kDeleteAttachment[] =
    "/eoip.v1.AttachmentService/DeleteAttachment";
constexpr char kGetAttachment[] = "/eoip.v1.AttachmentService/GetAttachment";
constexpr char kGetNetwork[] = "/eoip.v1.NetworkService/GetNetwork";
constexpr char kGetAgentStatus[] = "/eoip.v1.AgentService/GetAgentStatus";

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

Agent::Agent(const Request& request)
    : network_(request.network), channel_(request.agent_socket) {
  if (!request.traceparent.empty()) {
    metadata_.emplace_back("traceparent", request.traceparent);
  }
}

template <typename Answer>
absl::StatusOr<Answer> Agent::Call(const char* method,
                                   const google::protobuf::MessageLite& ask,
                                   absl::Time deadline) {
  EOIP_ASSIGN_OR_RETURN(
      const std::string bytes,
      channel_.Call(method, ask.SerializeAsString(), metadata_, deadline));
  Answer answer;
  if (answer.ParseFromString(bytes)) return answer;
  return absl::InternalError("the answer is not what the call gives");
}

std::string Agent::AttachmentName(const std::string& host_link) const {
  return absl::StrCat("networks/", network_, "/attachments/", host_link);
}

absl::StatusOr<v1::Attachment> Agent::CreateAttachment(
    const v1::Attachment& attachment, const v1::InlineNetwork* inline_network) {
  v1::CreateAttachmentRequest ask;
  *ask.mutable_attachment() = attachment;
  if (inline_network != nullptr)
    *ask.mutable_inline_network() = *inline_network;
  const absl::Time start = absl::Now();
  while (true) {
    const absl::Time deadline = absl::Now() + kCreateTimeout;
    auto answer = Call<v1::Attachment>(kCreateAttachment, ask, deadline);
    if (answer.ok()) return answer;
    const absl::Status& status = answer.status();
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
  return ToCniError(Call<google::protobuf::Empty>(kDeleteAttachment, ask,
                                                  absl::Now() + kDeleteTimeout)
                        .status(),
                    "DeleteAttachment");
}

absl::StatusOr<v1::Attachment> Agent::GetAttachment(const std::string& name,
                                                    absl::Duration timeout) {
  v1::GetAttachmentRequest ask;
  ask.set_name(name);
  auto answer =
      Call<v1::Attachment>(kGetAttachment, ask, absl::Now() + timeout);
  EOIP_RETURN_IF_ERROR(ToCniError(answer.status(), "GetAttachment"));
  return answer;
}

absl::StatusOr<v1::Network> Agent::GetNetwork(absl::Duration timeout) {
  v1::GetNetworkRequest ask;
  ask.set_name(absl::StrCat("networks/", network_));
  auto answer = Call<v1::Network>(kGetNetwork, ask, absl::Now() + timeout);
  EOIP_RETURN_IF_ERROR(ToCniError(answer.status(), "GetNetwork"));
  return answer;
}

absl::StatusOr<v1::AgentStatus> Agent::GetStatus(absl::Duration timeout) {
  auto answer = Call<v1::AgentStatus>(
      kGetAgentStatus, v1::GetAgentStatusRequest(), absl::Now() + timeout);
  EOIP_RETURN_IF_ERROR(ToCniError(answer.status(), "GetAgentStatus"));
  return answer;
}

}  // namespace eoip::cni
