// SPDX-License-Identifier: Apache-2.0
//
// State files hold resources as JSON of the API's messages, with the names of
// the .proto files, without etag and status. Reading is strict: an unknown
// field is an error, since the next write would lose it.
#ifndef EOIP_SERVICE_PROTO_CODEC_H_
#define EOIP_SERVICE_PROTO_CODEC_H_

#include <string>

#include "store/codec.h"

namespace eoip {

class ProtoCodec : public Codec {
 public:
  std::string Encode(const TunnelSpec& spec) const override;
  std::string Encode(const NetworkSpec& spec) const override;
  std::string Encode(const AttachmentSpec& spec) const override;
  absl::Status Decode(absl::string_view bytes, TunnelSpec* spec) const override;
  absl::Status Decode(absl::string_view bytes,
                      NetworkSpec* spec) const override;
  absl::Status Decode(absl::string_view bytes,
                      AttachmentSpec* spec) const override;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_PROTO_CODEC_H_
