// SPDX-License-Identifier: Apache-2.0
//
// Failures on purpose, for the fakes: the n-th change fails, or the program
// "dies" there. One Faults object may be shared by several fakes, so that n
// counts over all of them. Thread-safe.
#ifndef EOIP_NETLINK_FAULTS_H_
#define EOIP_NETLINK_FAULTS_H_

#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace eoip {

// Thrown where the program would have been killed. Whatever was done before
// stays done; nobody tidies up. Only tests see it.
struct FakeCrash {
  std::string call;
};

class Faults {
 public:
  // Before: the call has no effect. After: it has its effect, and yet the
  // caller sees the failure (an answer that was lost).
  enum class When { kBefore, kAfter };

  // The n-th change from now (1: the next one) fails with status, once.
  void FailNth(int n, absl::Status status, When when = When::kBefore);
  // The next `times` changes whose text starts with prefix fail.
  void FailCalls(absl::string_view prefix, absl::Status status, int times = 1);
  // The n-th change from now throws FakeCrash.
  void CrashNth(int n, When when = When::kBefore);
  // No failure is planned any more; the record stays.
  void Clear();

  // Every change that was tried since the start, as "OPERATION LINK".
  std::vector<std::string> calls() const;
  void ForgetCalls();

  // For fakes: at the start of a change and after its effect.
  absl::Status Enter(absl::string_view call);
  absl::Status Leave(absl::string_view call);

 private:
  struct Planned {
    int n = 0;  // changes still to come, 0: this one
    When when = When::kBefore;
    bool crash = false;
    absl::Status status;
  };
  struct ByName {
    std::string prefix;
    int times = 0;
    absl::Status status;
  };
  absl::Status Take(absl::string_view call, When when);

  mutable std::mutex mu_;
  std::vector<Planned> planned_;
  std::vector<ByName> by_name_;
  std::vector<std::string> calls_;
};

}  // namespace eoip

#endif  // EOIP_NETLINK_FAULTS_H_
