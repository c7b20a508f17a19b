// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "eoipctl/session.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

// "2026-01-02T03:04:05Z ADDED eoip7 ACTIVE reason"
std::string EventLine(const Resource& resource,
                      const client::WatchEvent& event) {
  std::string line = absl::StrFormat(
      "%s %-8s",
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::Now(), absl::UTCTimeZone()),
      v1::WatchTunnelsResponse::Type_Name(event.type));
  if (event.resource != nullptr) {
    absl::StrAppendFormat(
        &line, " %-15s %-9s %s",
        Printable(resource.short_name(NameOf(*event.resource))),
        StateOf(*event.resource), Printable(ReasonOf(*event.resource)));
  }
  return absl::StrCat(absl::StripTrailingAsciiWhitespace(line), "\n");
}

std::string EventText(const Resource& resource, const client::WatchEvent& event,
                      Output output) {
  if (output == Output::kTable || output == Output::kWide) {
    return EventLine(resource, event);
  }
  std::string json = absl::StrCat(
      "{\"type\":\"", v1::WatchTunnelsResponse::Type_Name(event.type), "\"");
  if (event.resource != nullptr) {
    absl::StrAppend(&json, ",\"", resource.noun,
                    "\":", ToJson(*event.resource, /*indented=*/false));
  }
  json.push_back('}');
  return absl::StrCat(output == Output::kYaml ? "---\n" : "",
                      Render(json, output));
}

}  // namespace

int RunWatch(Session& session, const Resource& resource) {
  std::string name;
  std::string parent;
  if (!session.options.args.empty()) {
    const std::string& typed = session.options.args.front();
    // "lan" and "networks/lan" watch all of that network's attachments.
    const bool is_parent =
        &resource == &Attachments() && Networks().full_name(typed).ok();
    const auto full =
        is_parent ? Networks().full_name(typed) : resource.full_name(typed);
    if (!full.ok()) return session.Usage(full.status().message());
    (is_parent ? parent : name) = *full;
  }
  const auto client = session.ClientOf(resource);
  absl::Status status;
  do {
    status = client->Watch(name, parent, absl::InfiniteFuture(),
                           [&](const client::WatchEvent& event) {
                             session.console.out
                                 << EventText(resource, event,
                                              session.options.output)
                                 << std::flush;
                             return session.console.out.good();
                           });
    // Fell behind: the agent tells everything again.
  } while (absl::IsResourceExhausted(status));
  if (!session.console.out.good()) return kExitFailed;
  if (status.ok()) status = absl::UnavailableError("the agent ended the watch");
  return session.Fail(&resource, status);
}

}  // namespace eoip::ctl
