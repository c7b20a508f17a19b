// SPDX-License-Identifier: Apache-2.0
//
// A small child process that starts the successor of a hot restart: this
// process may not by then, as it is confined, and what it started would be
// confined by its filter, not by the successor's.
#ifndef EOIP_TAPD_STARTER_H_
#define EOIP_TAPD_STARTER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace eoip::tapd {

class Starter {
 public:
  // Forks the starter, which ends with this process. Before any thread, and
  // before Confine. It starts program with args, and nothing else ever.
  static absl::StatusOr<Starter> Fork(std::string program,
                                      std::vector<std::string> args);

  // Starts the program, with `--take-over 3` behind the args and channel as
  // descriptor 3. Whether it could be started is seen at the channel.
  // UNAVAILABLE: the starter is gone.
  absl::Status Start(UniqueFd channel) const;

 private:
  explicit Starter(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// The path of the running program. Where a package is upgraded the new one is
// there later.
std::string ProgramPath();

}  // namespace eoip::tapd

#endif  // EOIP_TAPD_STARTER_H_
