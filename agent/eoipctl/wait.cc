// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/wait.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

std::string StateWord(const Message& resource) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(StateOf(resource)),
                             {{"_", "-"}});
}

// "PEER_DOWN: nothing heard for 110s"
std::string StateAndReason(const Message& resource) {
  const std::string reason = ReasonOf(resource);
  return reason.empty() ? StateOf(resource)
                        : absl::StrCat(StateOf(resource), ": ", reason);
}

bool IsDisabled(const Message& resource) {
  const auto* field = resource.GetDescriptor()->FindFieldByName("disabled");
  return field != nullptr && resource.GetReflection()->GetBool(resource, field);
}

// Takes the events of one resource's watch until the wait is over.
struct Waiter {
  absl::string_view name;
  absl::string_view wanted;
  Message* last;
  bool exists = false;
  bool over = false;
  absl::Status result;

  void End(const absl::Status& status) {
    over = true;
    result = status;
  }

  void Take(const client::WatchEvent& event) {
    switch (event.type) {
      case v1::WatchTunnelsResponse::SYNCED:
        if (!exists && wanted == kDeleted) End(absl::OkStatus());
        return;
      case v1::WatchTunnelsResponse::DELETED:
        exists = false;
        End(wanted == kDeleted
                ? absl::OkStatus()
                : absl::AbortedError(absl::StrCat(name, ": it was deleted")));
        return;
      default:
        break;
    }
    if (event.resource == nullptr) return;
    exists = true;
    last->CopyFrom(*event.resource);
    if (wanted == kDeleted) return;
    const absl::string_view wanted_now = !wanted.empty()     ? wanted
                                         : IsDisabled(*last) ? "disabled"
                                                             : "active";
    const std::string state = StateWord(*last);
    if (state == wanted_now) {
      End(absl::OkStatus());
    } else if (state == "failed") {
      End(absl::FailedPreconditionError(
          absl::StrCat(name, ": ", StateAndReason(*last))));
    }
  }

  absl::Status TimedOut(const absl::Status& last_error) const {
    std::string state = !last_error.ok() ? std::string(last_error.message())
                        : exists         ? StateAndReason(*last)
                                         : "it does not exist";
    return absl::DeadlineExceededError(
        absl::StrCat(name, ": timed out waiting; ", state));
  }
};

}  // namespace

absl::Status WaitForState(client::ResourceClient& client,
                          absl::string_view name, absl::string_view wanted,
                          absl::Time deadline, Message* last) {
  Waiter waiter{.name = name, .wanted = wanted, .last = last};
  absl::Status last_error;
  while (true) {
    const absl::Status status =
        client.Watch(name, "", deadline, [&](const client::WatchEvent& event) {
          last_error = absl::OkStatus();
          waiter.Take(event);
          return !waiter.over;
        });
    if (waiter.over) return waiter.result;
    switch (status.code()) {
      case absl::StatusCode::kDeadlineExceeded:
        return waiter.TimedOut(last_error);
      case absl::StatusCode::kOk:
      case absl::StatusCode::kResourceExhausted:  // fell behind
        break;
      case absl::StatusCode::kUnavailable:
        last_error = status;
        break;
      default:
        return status;
    }
    if (absl::Now() >= deadline) return waiter.TimedOut(last_error);
    waiter.exists = false;
    absl::SleepFor(std::min(absl::Milliseconds(100), deadline - absl::Now()));
  }
}

absl::Status CheckWanted(const Message& resource, absl::string_view wanted) {
  if (wanted.empty()) return absl::OkStatus();
  const std::vector<std::string> words = StateWords(resource);
  if (std::count(words.begin(), words.end(), wanted) > 0) {
    return absl::OkStatus();
  }
  return BadValue("--for", wanted, absl::StrJoin(words, ", "));
}

int FinishCommand(Session& session, const Resource& resource,
                  client::ResourceClient& client, absl::string_view done,
                  Message* message) {
  absl::Status waited;
  if (session.options.wait && !session.options.dry_run) {
    const std::string name = NameOf(*message);
    waited = WaitForState(client, name, session.options.wait_for,
                          absl::Now() + *session.options.wait, message);
  }
  const bool lines = session.options.output == Output::kTable ||
                     session.options.output == Output::kWide;
  if (lines && !done.empty()) {
    session.console.out << NameOf(*message) << " " << done;
    if (session.options.dry_run) {
      session.console.out << " (dry run)\n";
    } else {
      session.console.out << ": " << Printable(StateAndReason(*message))
                          << "\n";
    }
  } else if (waited.ok() || !EtagOf(*message).empty()) {
    session.console.out << FormatOne(resource, *message, session.style());
  }
  return waited.ok() ? static_cast<int>(kExitOk)
                     : session.Fail(&resource, waited);
}

}  // namespace eoip::ctl
