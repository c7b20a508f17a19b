// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

#include "eoipctl/cli.h"

int main(int argc, char** argv) {
  const char* no_color = std::getenv("NO_COLOR");
  const bool color = ::isatty(STDOUT_FILENO) == 1 &&
                     (no_color == nullptr || *no_color == '\0');
  const int result = eoip::ctl::RunCommandLine(
      std::vector<std::string>(argv + 1, argv + argc),
      {.out = std::cout, .err = std::cerr, .color = color});
  // A full disk behind ">" must not look like success.
  if (!std::cout.flush() && result == eoip::ctl::kExitOk) {
    std::cerr << "eoipctl: cannot write the output\n";
    return eoip::ctl::kExitFailed;
  }
  return result;
}
