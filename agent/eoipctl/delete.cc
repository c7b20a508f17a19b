// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "eoipctl/session.h"
#include "eoipctl/wait.h"

namespace eoip::ctl {
namespace {

int DeleteOne(Session& session, const Resource& resource,
              client::ResourceClient& client, const std::string& name) {
  absl::Status status = client.Delete(
      name,
      {.etag = session.options.etag, .validate_only = session.options.dry_run});
  // Not the API's allow_missing, which does not tell what it did.
  const bool absent = session.options.if_exists && absl::IsNotFound(status);
  if (absent) status = absl::OkStatus();
  if (status.ok() && !absent && session.options.wait &&
      !session.options.dry_run) {
    status =
        WaitForState(client, name, kDeleted,
                     absl::Now() + *session.options.wait, client.New().get());
  }
  if (!status.ok()) {
    // A refusal need not say which of several names it is about.
    return session.Fail(&resource, absl::StrContains(status.message(), name)
                                       ? status
                                       : Annotate(status, name));
  }
  if (session.options.output == Output::kTable ||
      session.options.output == Output::kWide) {
    session.console.out << name << (absent ? " does not exist" : " deleted")
                        << (session.options.dry_run ? " (dry run)" : "")
                        << "\n";
  }
  return kExitOk;
}

}  // namespace

int RunDelete(Session& session, const Resource& resource) {
  std::vector<std::string> names;
  for (const std::string& typed : session.options.args) {
    const auto name = resource.full_name(typed);
    if (!name.ok()) return session.Usage(name.status().message());
    names.push_back(*name);
  }
  if (!session.options.etag.empty() && names.size() > 1) {
    return session.Usage("--etag: it goes with one name only");
  }
  const auto client = session.ClientOf(resource);
  int result = kExitOk;
  for (const std::string& name : names) {
    // Each is tried; the first failure gives the exit code.
    const int one = DeleteOne(session, resource, *client, name);
    if (result == kExitOk) result = one;
  }
  return result;
}

}  // namespace eoip::ctl
