// SPDX-License-Identifier: Apache-2.0
//
// For tests: a running eoip-tapd, in the network namespace of the thread that
// starts it.
#ifndef EOIP_DATAPATH_TEST_TAPD_H_
#define EOIP_DATAPATH_TEST_TAPD_H_

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace eoip {

class TestTapd {
 public:
  TestTapd() {
    char folder[] = "/tmp/eoip-datapath-XXXXXX";
    if (mkdtemp(folder) != nullptr) folder_ = folder;
  }
  ~TestTapd() {
    Kill();
    unlink(socket().c_str());
    unlink((socket() + ".lock").c_str());
    rmdir(folder_.c_str());
  }
  std::string socket() const { return folder_ + "/tapd.sock"; }

  // Does not wait until it answers.
  void Start() {
    const std::string flag = "--socket=" + socket();
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ != 0) return;
    // It must not outlive a test that is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) {
      execl(TAPD_BINARY, "eoip-tapd", flag.c_str(), nullptr);
    }
    _exit(127);
  }
  void Signal(int number) { kill(pid_, number); }
  void Kill() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  std::string folder_;
  pid_t pid_ = -1;
};

}  // namespace eoip

#endif  // EOIP_DATAPATH_TEST_TAPD_H_
