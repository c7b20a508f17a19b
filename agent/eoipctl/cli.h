// SPDX-License-Identifier: Apache-2.0
#ifndef EOIP_EOIPCTL_CLI_H_
#define EOIP_EOIPCTL_CLI_H_

#include <string>
#include <vector>

#include "eoipctl/session.h"

namespace eoip::ctl {

// Runs one command line (without the program's name) and gives the exit code.
// Blocks until the command is done; watch until its stream ends.
int RunCommandLine(const std::vector<std::string>& args,
                   const Console& console);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_CLI_H_
