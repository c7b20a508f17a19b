// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/session.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "eoipctl/values.h"

namespace eoip::ctl {

absl::Status Session::Open() {
  EOIP_ASSIGN_OR_RETURN(path_, client::SocketPath(options.socket));
  channel_ = client::OpenChannel(path_);
  return absl::OkStatus();
}

std::unique_ptr<client::ResourceClient> Session::ClientOf(
    const Resource& resource) const {
  return resource.make_client(channel_, path_, options.timeout);
}

Style Session::style() const {
  return {.output = options.output, .color = console.color, .now = absl::Now()};
}

int Session::Usage(absl::string_view message) const {
  console.err << "eoipctl: " << Printable(message) << "\n";
  return kExitUsage;
}

int Session::Fail(const Resource* resource, const absl::Status& status) const {
  const std::string word =
      resource == nullptr
          ? ""
          : WordOfError(resource->properties, resource->noun, status.message());
  console.err << "eoipctl: " << (word.empty() ? "" : absl::StrCat(word, ": "))
              << Printable(status.message()) << " ("
              << absl::StatusCodeToString(status.code()) << ")\n";
  return status.code() == absl::StatusCode::kDeadlineExceeded ? kExitTimedOut
                                                              : kExitFailed;
}

}  // namespace eoip::ctl
