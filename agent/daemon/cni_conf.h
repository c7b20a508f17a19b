// SPDX-License-Identifier: Apache-2.0
//
// The network configuration that tells a container runtime to use the CNI
// plugin. A runtime starts pods as soon as it is there, so it comes only once
// the agent can serve them, and stays: without it pods would land silently on
// another network.
#ifndef EOIP_DAEMON_CNI_CONF_H_
#define EOIP_DAEMON_CNI_CONF_H_

#include <string>

#include "absl/status/status.h"

namespace eoip {

// INVALID_ARGUMENT: the file's name does not end in .conflist, .conf or .json,
// as runtimes want, or what is in it is no JSON object. NOT_FOUND and others:
// it cannot be read.
absl::Status CheckCniConf(const std::string& file);

// Copies the file into the folder, which must exist: a temporary file that no
// runtime reads, fsync, rename, fsync of the folder. One that is the same is
// left alone. After an error what was there is as it was.
absl::Status InstallCniConf(const std::string& file, const std::string& folder);

}  // namespace eoip

#endif  // EOIP_DAEMON_CNI_CONF_H_
