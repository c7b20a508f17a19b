// SPDX-License-Identifier: Apache-2.0
//
// Takes the sample of a scrape. Thread-safe.
#ifndef EOIP_METRICS_METRICS_SOURCE_H_
#define EOIP_METRICS_METRICS_SOURCE_H_

#include <string>

#include "absl/time/time.h"
#include "metrics/metric_families.h"
#include "reconcile/reconciler.h"
#include "reconcile/status_board.h"
#include "store/store.h"

namespace eoip {

class MetricsSource {
 public:
  // The pointers outlive it. start: of the agent.
  MetricsSource(const Store* store, Applier* applier, const StatusBoard* board,
                std::string version, absl::Time start)
      : store_(store),
        applier_(applier),
        board_(board),
        version_(std::move(version)),
        start_(start) {}

  // Waits for no one but the datapaths' counters: 3 s at most, where eoip-tapd
  // hangs. What it did not answer is absent, all else is there.
  MetricsSample Take() const;

 private:
  const Store* const store_;
  Applier* const applier_;
  const StatusBoard* const board_;
  const std::string version_;
  const absl::Time start_;
};

}  // namespace eoip

#endif  // EOIP_METRICS_METRICS_SOURCE_H_
