// SPDX-License-Identifier: Apache-2.0
//
// Resource names and link names. Pure.
#ifndef EOIP_MODEL_NAMES_H_
#define EOIP_MODEL_NAMES_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace eoip {

// "tunnels/x" <-> "x". INVALID_ARGUMENT names `field` and what is allowed.
std::string TunnelName(absl::string_view id);
absl::StatusOr<std::string> ParseTunnelName(absl::string_view field,
                                            absl::string_view name);
std::string NetworkName(absl::string_view id);
absl::StatusOr<std::string> ParseNetworkName(absl::string_view field,
                                             absl::string_view name);

struct AttachmentKey {
  std::string network;
  std::string attachment;
  friend auto operator<=>(const AttachmentKey&, const AttachmentKey&) = default;
};
std::string AttachmentName(const AttachmentKey& key);
absl::StatusOr<AttachmentKey> ParseAttachmentName(absl::string_view field,
                                                  absl::string_view name);

// A name the kernel takes and `ip` prints plainly: 1 to 15 of [A-Za-z0-9_.-],
// not starting with '-' or '.', not "lo", "all" or "default".
absl::Status ValidateLinkName(absl::string_view field, absl::string_view name);
// 1 to 63 of [A-Za-z0-9_.-], not starting with '-' or '.'.
absl::Status ValidateAttachmentId(absl::string_view field,
                                  absl::string_view id);

// Free text: at most max_bytes, no control characters (also not U+0080 to
// U+009F, which terminals obey). Empty is allowed.
absl::Status ValidateText(absl::string_view field, absl::string_view text,
                          size_t max_bytes);

// The error of a bad value: INVALID_ARGUMENT "FIELD: 'VALUE': ALLOWED". The
// value is escaped and cut after 64 bytes.
absl::Status FieldError(absl::string_view field, absl::string_view value,
                        absl::string_view allowed);
// The error of a value that is right but that this version cannot do:
// UNIMPLEMENTED "FIELD: 'VALUE': not built yet; allowed ALLOWED".
absl::Status NotBuiltError(absl::string_view field, absl::string_view value,
                           absl::string_view allowed);

// Of a resource that came with an attachment and goes with the last one.
inline constexpr char kInlineSource[] = "inline";

}  // namespace eoip

#endif  // EOIP_MODEL_NAMES_H_
