// SPDX-License-Identifier: Apache-2.0
//
// Network namespaces for tests, without names: they go when the test process
// and its children are gone, whatever happened.
#ifndef EOIP_TAPD_TESTING_NETNS_H_
#define EOIP_TAPD_TESTING_NETNS_H_

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/unique_fd.h"

namespace eoip::tapd::testing {

class Netns {
 public:
  // PERMISSION_DENIED where namespaces may not be made. Loopback is up.
  static absl::StatusOr<Netns> Create();

  // Runs fn on a thread inside the namespace and waits for it. Descriptors
  // that it opens stay in the namespace.
  void Run(const std::function<void()>& fn) const;

  // Runs a command of iproute2 (or any) inside; false: it failed.
  bool Exec(const std::string& command) const;
  // Its standard output.
  std::string Output(const std::string& command) const;

  // Starts a program inside; it is killed when the test process dies.
  // prepare runs in the child right before exec.
  pid_t Spawn(const std::vector<std::string>& argv,
              const std::function<void()>& prepare = nullptr) const;

  int fd() const { return fd_.get(); }

 private:
  explicit Netns(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace eoip::tapd::testing

#endif  // EOIP_TAPD_TESTING_NETNS_H_
