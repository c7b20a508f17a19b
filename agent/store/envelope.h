// SPDX-License-Identifier: Apache-2.0
//
// The header line of state files. Pure. README.md has the format.
#ifndef EOIP_STORE_ENVELOPE_H_
#define EOIP_STORE_ENVELOPE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace eoip {

inline constexpr int kStateVersion = 1;

struct Envelope {
  std::string etag;  // [0-9a-z]{1,32}
  std::string payload;
};

// The bytes of a file. version is another than kStateVersion in tests only.
std::string MakeEnvelope(const Envelope& envelope, int version = kStateVersion);

// DATA_LOSS: cut, damaged, or no state file at all; the message says which.
// FAILED_PRECONDITION: intact, but of a newer version.
absl::StatusOr<Envelope> ParseEnvelope(absl::string_view bytes);

}  // namespace eoip

#endif  // EOIP_STORE_ENVELOPE_H_
