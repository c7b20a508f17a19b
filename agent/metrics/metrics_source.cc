// SPDX-License-Identifier: Apache-2.0
#include "metrics/metrics_source.h"

#include <vector>

#include "absl/time/clock.h"

namespace eoip {
namespace {

// The status of everything that is wanted; the default is PENDING.
template <typename Wanted, typename Key, typename Status>
void Fill(const Wanted& wanted, const std::map<Key, Status>& known,
          std::map<Key, Status>* out) {
  for (const auto& [key, record] : wanted) {
    const auto it = known.find(key);
    (*out)[key] = it == known.end() ? Status() : it->second;
  }
}

}  // namespace

MetricsSample MetricsSource::Take() const {
  MetricsSample sample;
  sample.version = version_;
  sample.start = start_;
  sample.report = applier_->Report();
  sample.set_aside = store_->set_aside().size();
  const Desired desired = store_->Snapshot();
  Fill(desired.tunnels, board_->Tunnels(), &sample.tunnels);
  Fill(desired.networks, board_->Networks(), &sample.networks);
  Fill(desired.attachments, board_->Attachments(), &sample.attachments);
  sample.workers = applier_->ReadWorkers();
  std::vector<std::string> ids;
  for (const auto& [id, record] : desired.tunnels) ids.push_back(id);
  sample.readings = applier_->Read(ids);
  sample.now = absl::Now();
  return sample;
}

}  // namespace eoip
