// SPDX-License-Identifier: Apache-2.0
//
// What one scrape shows, as Prometheus's metric families. README.md has the
// names. Pure.
#ifndef EOIP_METRICS_METRIC_FAMILIES_H_
#define EOIP_METRICS_METRIC_FAMILIES_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/attachment.h"
#include "model/names.h"
#include "model/network.h"
#include "model/tunnel.h"
#include "model/worker.h"
#include "prometheus/metric_family.h"
#include "reconcile/reconciler.h"

namespace eoip {

struct MetricsSample {
  absl::Time now;
  std::string version;
  absl::Time start;  // of the agent
  ReconcilerReport report;
  size_t set_aside = 0;  // state files
  // Everything that is wanted, PENDING where nothing is known of it.
  std::map<std::string, TunnelStatus> tunnels;
  std::map<std::string, NetworkStatus> networks;
  std::map<AttachmentKey, AttachmentStatus> attachments;
  // Of the tunnels whose datapath answers.
  std::map<std::string, TunnelReading> readings;
  // No workers: no datapath has them. An error: eoip-tapd does not answer.
  absl::StatusOr<WorkersReading> workers;
};

// Families without a metric are left out.
std::vector<prometheus::MetricFamily> MakeFamilies(const MetricsSample& sample);

}  // namespace eoip

#endif  // EOIP_METRICS_METRIC_FAMILIES_H_
