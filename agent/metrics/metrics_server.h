// SPDX-License-Identifier: Apache-2.0
//
// Answers GET /metrics in Prometheus's text format, without encryption and
// without asking who calls: for a loopback address or a network of trust.
#ifndef EOIP_METRICS_METRICS_SERVER_H_
#define EOIP_METRICS_METRICS_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "metrics/metric_families.h"

namespace eoip {

// "ADDRESS:PORT", ADDRESS one of IPv4, or of IPv6 in brackets, PORT 1..65535.
// INVALID_ARGUMENT: "'VALUE': what is allowed".
absl::Status CheckMetricsAddress(const std::string& address);

class MetricsServer {
 public:
  // Called for each scrape, for one at a time, on a thread of the server.
  using Sampler = std::function<MetricsSample()>;

  // Serves when it returns. Port 0: any free one. UNAVAILABLE: it cannot listen
  // there.
  static absl::StatusOr<std::unique_ptr<MetricsServer>> Start(
      const std::string& address, Sampler sampler);
  // Waits for the scrapes that run.
  ~MetricsServer();

  int port() const;

 private:
  class Impl;
  explicit MetricsServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace eoip

#endif  // EOIP_METRICS_METRICS_SERVER_H_
