// SPDX-License-Identifier: Apache-2.0
//
// Runs the IPAM plugin of the network configuration.
#ifndef EOIP_CNI_IPAM_H_
#define EOIP_CNI_IPAM_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "request.h"
#include "result.h"

namespace eoip::cni {

// The file of the plugin: the first directory of CNI_PATH that has it as an
// executable file. Errors: code 7.
absl::StatusOr<std::string> FindPlugin(const std::string& name,
                                       const std::string& path);

// One run of request.ipam_type with CNI_COMMAND=command, otherwise with this
// process's environment, the same standard input byte for byte, and its
// standard error.
class IpamRun {
 public:
  // The timeout runs from here. Errors: code 7: there is no such plugin.
  static absl::StatusOr<IpamRun> Start(const Request& request,
                                       const std::string& command,
                                       absl::Duration timeout);
  // Waits for its end, once, and returns its standard output. Errors: what the
  // plugin printed (its code and text); 6: it failed without saying so in JSON;
  // 11: it was not done in time and was killed.
  absl::StatusOr<std::string> Finish();

 private:
  std::string name_;
  absl::Duration timeout_;
  absl::Time deadline_;
  pid_t pid_ = -1;
  UniqueFd output_;
};

// Start and Finish.
absl::StatusOr<std::string> RunIpam(
    const Request& request, const std::string& command,
    absl::Duration timeout = absl::InfiniteDuration());

// ADD's result. Errors as above; also 6: no result, or one without a usable
// address.
absl::StatusOr<Result> ParseIpamResult(const Request& request,
                                       const std::string& output);

}  // namespace eoip::cni

#endif  // EOIP_CNI_IPAM_H_
