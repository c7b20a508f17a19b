// SPDX-License-Identifier: Apache-2.0
//
// The control API's conversion: any TunnelConfig message.
#include <cstdint>
#include <cstdlib>

#include "tapd/outer_header.h"
#include "tapd/tunnel_config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace eoip::tapd;
  v1::TunnelConfig proto;
  if (!proto.ParseFromArray(data, static_cast<int>(size))) return 0;
  const auto config = ParseTunnelConfig(proto);
  if (!config.ok()) {
    // The message says which field: it is for people.
    if (config.status().message().find("config.") != 0) std::abort();
    return 0;
  }
  // Nothing is lost on the way back, and it is taken again.
  const v1::TunnelConfig back = MakeTunnelConfigProto(*config);
  const auto again = ParseTunnelConfig(back);
  if (!again.ok() || !SameKey(*config, *again) ||
      back.SerializeAsString() !=
          MakeTunnelConfigProto(*again).SerializeAsString()) {
    std::abort();
  }
  MakeOuterHeader(*config);
  return 0;
}
