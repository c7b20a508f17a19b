// SPDX-License-Identifier: Apache-2.0
//
// Field masks as AIP-134 has them, for any resource. Pure.
#ifndef EOIP_SERVICE_FIELD_MASK_H_
#define EOIP_SERVICE_FIELD_MASK_H_

#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include <set>
#include <string>

#include "absl/status/status.h"

namespace eoip {

// Copies what mask names from `from` to `*to`, both of one type; a field that
// is not set in `from` is cleared. Messages and lists are replaced whole. "*":
// all but the output fields. No paths: every top-level field that is set in
// `from`, output fields excepted. INVALID_ARGUMENT "update_mask: 'PATH': ...",
// and *to is unchanged: an unknown path, an output field, a path into a list.
absl::Status ApplyFieldMask(const google::protobuf::FieldMask& mask,
                            const std::set<std::string>& output_fields,
                            const google::protobuf::Message& from,
                            google::protobuf::Message* to);

}  // namespace eoip

#endif  // EOIP_SERVICE_FIELD_MASK_H_
