// SPDX-License-Identifier: Apache-2.0
//
// What ReconcileWorker tells of itself and of the datapaths.
#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "reconcile/reconcile_worker.h"

namespace eoip {

ReconcilerReport ReconcileWorker::Report() const {
  absl::MutexLock lock(&mutex_);
  ReconcilerReport report = report_;
  for (DatapathReport& datapath : report.datapaths) {
    datapath.tunnels = 0;
    for (const auto& [name, type] : running_on_) {
      if (type == datapath.type) ++datapath.tunnels;
    }
  }
  return report;
}

std::map<std::string, TunnelReading> ReconcileWorker::Read(
    const std::vector<std::string>& tunnels) {
  std::map<DatapathType, std::vector<std::string>> names;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& tunnel : tunnels) {
      auto it = running_on_.find(tunnel);
      if (it != running_on_.end()) names[it->second].push_back(tunnel);
    }
  }
  std::map<std::string, TunnelReading> readings;
  for (Datapath* datapath : datapaths_) {
    auto it = names.find(datapath->type());
    if (it == names.end()) continue;
    auto read = datapath->Read(it->second);
    if (!read.ok()) {
      LogDebug("reading counters: ", read.status().message());
      continue;
    }
    readings.merge(*read);
  }
  return readings;
}

absl::StatusOr<WorkersReading> ReconcileWorker::ReadWorkers() {
  for (Datapath* datapath : datapaths_) {
    EOIP_ASSIGN_OR_RETURN(WorkersReading reading, datapath->ReadWorkers());
    if (!reading.workers.empty()) return reading;
  }
  return WorkersReading();
}

void ReconcileWorker::NoteDatapaths(const Observed& observed, bool complete) {
  absl::MutexLock lock(&mutex_);
  report_.datapaths.clear();
  for (const auto& [type, view] : observed.datapaths) {
    DatapathReport report;
    report.type = type;
    report.availability.available = view.available;
    report.availability.reason = view.reason;
    report_.datapaths.push_back(std::move(report));
  }
  if (complete) {
    report_.ready = true;
    report_.ready_reason.clear();
    report_.last_full_sync = absl::Now();
  }
}

absl::Status ReconcileWorker::TimedPass(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  absl::Status status = Pass(work);
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
          .count();
  constexpr const auto& kBounds = PassReport::kBounds;
  absl::MutexLock lock(&mutex_);
  PassReport& passes = report_.passes;
  ++passes.durations[std::lower_bound(kBounds.begin(), kBounds.end(), seconds) -
                     kBounds.begin()];
  passes.seconds += seconds;
  if (!status.ok()) ++passes.failed;
  return status;
}

}  // namespace eoip
