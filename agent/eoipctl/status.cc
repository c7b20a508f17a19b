// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "eoipctl/session.h"

namespace eoip::ctl {
namespace {

absl::StatusOr<v1::AgentStatus> AskAgent(const Session& session,
                                         absl::Duration timeout) {
  const auto stub = v1::AgentService::NewStub(session.channel());
  grpc::ClientContext context;
  client::SetDeadline(absl::Now() + timeout, &context);
  v1::AgentStatus status;
  EOIP_RETURN_IF_ERROR(client::ToStatus(
      stub->GetAgentStatus(&context, v1::GetAgentStatusRequest(), &status),
      session.path()));
  return status;
}

// Asks until the agent is there and ready, or --wait is over.
absl::StatusOr<v1::AgentStatus> AskUntilReady(const Session& session) {
  const absl::Time deadline = absl::Now() + *session.options.wait;
  while (true) {
    const auto status = AskAgent(
        session, std::min(session.options.timeout, deadline - absl::Now()));
    if (status.ok() && status->ready()) return status;
    if (!status.ok() && !absl::IsUnavailable(status.status()) &&
        !absl::IsDeadlineExceeded(status.status())) {
      return status;
    }
    if (absl::Now() >= deadline) {
      return absl::DeadlineExceededError(absl::StrCat(
          "timed out waiting; ",
          status.ok() ? absl::StrCat("not ready: ", status->ready_reason())
                      : std::string(status.status().message())));
    }
    absl::SleepFor(std::min(absl::Milliseconds(100), deadline - absl::Now()));
  }
}

}  // namespace

int RunStatus(Session& session) {
  const auto status = session.options.wait
                          ? AskUntilReady(session)
                          : AskAgent(session, session.options.timeout);
  if (!status.ok()) return session.Fail(nullptr, status.status());
  session.console.out << FormatAgent(*status, session.style());
  return status->ready() ? kExitOk : kExitFailed;
}

int RunOverview(Session& session) {
  const auto agent = AskAgent(session, session.options.timeout);
  if (!agent.ok()) return session.Fail(nullptr, agent.status());
  const Style style = session.style();
  const bool lines =
      style.output == Output::kTable || style.output == Output::kWide;
  std::string json =
      absl::StrCat("{\n\"agent\": ", ToJson(*agent, /*indented=*/true));
  std::string text = FormatAgent(*agent, style);
  for (const Resource* resource : {&Tunnels(), &Networks(), &Attachments()}) {
    Messages messages;
    const absl::Status status =
        session.ClientOf(*resource)->List("", &messages);
    if (!status.ok()) return session.Fail(resource, status);
    absl::StrAppend(&json, ",\n\"", resource->plural,
                    "\": ", JsonArray(messages));
    absl::StrAppend(&text, "\n", FormatList(*resource, messages, style));
  }
  json = absl::StrCat(IndentJson(json), "\n}");
  session.console.out << (lines ? text : Render(json, style.output));
  return kExitOk;
}

}  // namespace eoip::ctl
