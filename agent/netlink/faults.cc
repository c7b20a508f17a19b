// SPDX-License-Identifier: Apache-2.0
#include "netlink/faults.h"

#include <utility>

#include "absl/strings/match.h"

namespace eoip {

void Faults::FailNth(int n, absl::Status status, When when) {
  std::lock_guard<std::mutex> lock(mu_);
  planned_.push_back({n, when, false, std::move(status)});
}

void Faults::FailCalls(absl::string_view prefix, absl::Status status,
                       int times) {
  std::lock_guard<std::mutex> lock(mu_);
  by_name_.push_back({std::string(prefix), times, std::move(status)});
}

void Faults::CrashNth(int n, When when) {
  std::lock_guard<std::mutex> lock(mu_);
  planned_.push_back({n, when, true, absl::OkStatus()});
}

void Faults::Clear() {
  std::lock_guard<std::mutex> lock(mu_);
  planned_.clear();
  by_name_.clear();
}

std::vector<std::string> Faults::calls() const {
  std::lock_guard<std::mutex> lock(mu_);
  return calls_;
}

void Faults::ForgetCalls() {
  std::lock_guard<std::mutex> lock(mu_);
  calls_.clear();
}

absl::Status Faults::Enter(absl::string_view call) {
  std::lock_guard<std::mutex> lock(mu_);
  calls_.emplace_back(call);
  for (Planned& planned : planned_) --planned.n;
  for (ByName& by_name : by_name_) {
    if (by_name.times > 0 && absl::StartsWith(call, by_name.prefix)) {
      --by_name.times;
      return by_name.status;
    }
  }
  return Take(call, When::kBefore);
}

absl::Status Faults::Leave(absl::string_view call) {
  std::lock_guard<std::mutex> lock(mu_);
  return Take(call, When::kAfter);
}

absl::Status Faults::Take(absl::string_view call, When when) {
  for (auto it = planned_.begin(); it != planned_.end(); ++it) {
    if (it->n != 0 || it->when != when) continue;
    const Planned planned = *it;
    planned_.erase(it);
    if (planned.crash) throw FakeCrash{std::string(call)};
    return planned.status;
  }
  return absl::OkStatus();
}

}  // namespace eoip
