// SPDX-License-Identifier: Apache-2.0
//
// The grammar of RFC 8259. protobuf's parser also takes what is not JSON (keys
// without quotes, single quotes, commas at the end), which the next plugin of
// the chain then refuses. Pure.
#ifndef EOIP_CNI_JSON_SYNTAX_H_
#define EOIP_CNI_JSON_SYNTAX_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace eoip::cni {

// INVALID_ARGUMENT "WHAT at byte N": text is not one JSON value with nothing
// but white space around it, or is nested deeper than 100 levels. Does not look
// at character encoding.
absl::Status CheckJsonSyntax(absl::string_view text);

}  // namespace eoip::cni

#endif  // EOIP_CNI_JSON_SYNTAX_H_
