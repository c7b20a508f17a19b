// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_TAPD_FLAGS_H_
#define EOIP_TAPD_FLAGS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace eoip::tapd {

struct Flags {
  std::string socket = "/run/eoip/tapd.sock";
  int workers = 1;
  bool fast_send = true;
  int busy_poll_us = 50;
  std::string log_level = "info";
  // Descriptor to the predecessor of a hot restart, -1: there is none.
  int take_over = -1;
  // Take over from whoever serves the socket.
  bool replace = false;
  // Exists while this process serves; empty: none.
  std::string ready_file;
  bool help = false;
  bool version = false;
};

// "--name value" and "--name=value". INVALID_ARGUMENT names the flag, the value
// and what is allowed.
absl::StatusOr<Flags> ParseFlags(const std::vector<std::string>& args);

extern const char kUsage[];

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_FLAGS_H_
