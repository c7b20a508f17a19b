// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_EOIPCTL_WAIT_H_
#define EOIP_EOIPCTL_WAIT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "eoipctl/session.h"

namespace eoip::ctl {

// "deleted" as a state to wait for.
inline constexpr char kDeleted[] = "deleted";

// Watches the resource called name until its state is `wanted` (a word of
// StateWords, kDeleted, or empty: active, or disabled where it is disabled) or
// deadline. *last becomes the resource as last told. An agent that is away is
// waited for. Errors: DEADLINE_EXCEEDED with the last state and its reason ·
// FAILED_PRECONDITION: the state is FAILED · ABORTED: it was deleted ·
// others of the watch.
absl::Status WaitForState(client::ResourceClient& client,
                          absl::string_view name, absl::string_view wanted,
                          absl::Time deadline, Message* last);

// --for: INVALID_ARGUMENT if the resource has no such state.
absl::Status CheckWanted(const Message& resource, absl::string_view wanted);

// What create, get and update do last: waits if --wait was given, then prints
// the resource: "NAME DONE: STATE" (or in full where done is empty).
int FinishCommand(Session& session, const Resource& resource,
                  client::ResourceClient& client, absl::string_view done,
                  Message* message);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_WAIT_H_
