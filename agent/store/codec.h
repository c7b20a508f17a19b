// SPDX-License-Identifier: Apache-2.0
//
// How resources become bytes in state files. The store knows no format; the
// daemon hands one in. Implementations are thread-safe and pure.
#ifndef EOIP_STORE_CODEC_H_
#define EOIP_STORE_CODEC_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "model/attachment.h"
#include "model/network.h"
#include "model/tunnel.h"

namespace eoip {

class Codec {
 public:
  virtual ~Codec() = default;

  virtual std::string Encode(const TunnelSpec& spec) const = 0;
  virtual std::string Encode(const NetworkSpec& spec) const = 0;
  virtual std::string Encode(const AttachmentSpec& spec) const = 0;
  // Decode(Encode(x)) gives x. INVALID_ARGUMENT or UNIMPLEMENTED: not what
  // this version can read, nothing was lost from it in silence; *spec is then
  // unspecified. The caller validates the spec.
  virtual absl::Status Decode(absl::string_view bytes,
                              TunnelSpec* spec) const = 0;
  virtual absl::Status Decode(absl::string_view bytes,
                              NetworkSpec* spec) const = 0;
  virtual absl::Status Decode(absl::string_view bytes,
                              AttachmentSpec* spec) const = 0;
};

}  // namespace eoip

#endif  // EOIP_STORE_CODEC_H_
