// SPDX-License-Identifier: Apache-2.0
#include "metrics/metric_families.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace eoip {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;
using Labels = std::vector<ClientMetric::Label>;

ClientMetric& AddMetric(MetricFamily& family, Labels labels) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  return metric;
}

void AddCounter(MetricFamily& family, Labels labels, uint64_t value) {
  AddMetric(family, std::move(labels)).counter.value =
      static_cast<double>(value);
}

void AddGauge(MetricFamily& family, Labels labels, double value) {
  AddMetric(family, std::move(labels)).gauge.value = value;
}

MetricFamily Counter(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Counter, {}};
}

MetricFamily Gauge(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge, {}};
}

void AddOneGauge(Families& families, std::string name, std::string help,
                 double value) {
  MetricFamily family = Gauge(std::move(name), std::move(help));
  AddGauge(family, {}, value);
  families.push_back(std::move(family));
}

double Seconds(absl::Time time) {
  return absl::ToDoubleSeconds(time - absl::UnixEpoch());
}

void AddAgent(const MetricsSample& sample, Families& families) {
  MetricFamily build =
      Gauge("eoip_agent_build_info", "Always 1; the version of eoip-agent.");
  AddGauge(build, {{"version", sample.version}}, 1);
  families.push_back(std::move(build));
  AddOneGauge(families, "eoip_agent_start_time_seconds",
              "When eoip-agent started, since the epoch.",
              Seconds(sample.start));
  AddOneGauge(families, "eoip_agent_ready",
              "1 once the first complete look at the kernel is done.",
              sample.report.ready);
  if (sample.report.last_full_sync != absl::InfinitePast()) {
    AddOneGauge(families, "eoip_agent_last_full_sync_timestamp_seconds",
                "When the last complete look ended, since the epoch.",
                Seconds(sample.report.last_full_sync));
  }
  AddOneGauge(families, "eoip_agent_state_files_set_aside",
              "State files that could not be read at start.",
              static_cast<double>(sample.set_aside));
}

void AddReconcile(const PassReport& passes, Families& families) {
  MetricFamily durations{"eoip_reconcile_duration_seconds",
                         "Passes of the reconcile worker by duration.",
                         MetricType::Histogram,
                         {}};
  auto& histogram = AddMetric(durations, {}).histogram;
  for (size_t i = 0; i < passes.durations.size(); ++i) {
    histogram.sample_count += passes.durations[i];
    histogram.bucket.push_back({histogram.sample_count,
                                i < PassReport::kBounds.size()
                                    ? PassReport::kBounds[i]
                                    : std::numeric_limits<double>::infinity()});
  }
  histogram.sample_sum = passes.seconds;
  families.push_back(std::move(durations));
  MetricFamily errors =
      Counter("eoip_reconcile_errors_total",
              "Passes of the reconcile worker that could not read the links.");
  AddCounter(errors, {}, passes.failed);
  families.push_back(std::move(errors));
  MetricFamily failures =
      Counter("eoip_reconcile_resource_errors_total",
              "Attempts to bring about a tunnel, network or attachment that "
              "failed and will be repeated.");
  AddCounter(failures, {}, passes.failures);
  families.push_back(std::move(failures));
}

void AddDatapaths(const std::vector<DatapathReport>& datapaths,
                  Families& families) {
  MetricFamily available = Gauge("eoip_datapath_available",
                                 "1 while tunnels can run on the datapath.");
  MetricFamily tunnels =
      Gauge("eoip_datapath_tunnels", "Tunnels that run on the datapath.");
  for (const DatapathReport& datapath : datapaths) {
    const Labels labels = {
        {"datapath", absl::AsciiStrToLower(ToString(datapath.type))}};
    AddGauge(available, labels, datapath.availability.available);
    AddGauge(tunnels, labels, datapath.tunnels);
  }
  families.push_back(std::move(available));
  families.push_back(std::move(tunnels));
}

void AddTunnelStates(const MetricsSample& sample, Families& families) {
  MetricFamily up = Gauge("eoip_tunnel_up", "1 while the tunnel is ACTIVE.");
  std::map<TunnelState, int> count;
  for (const auto& [id, status] : sample.tunnels) {
    AddGauge(up, {{"tunnel", id}}, status.state == TunnelState::kActive);
    ++count[status.state];
  }
  families.push_back(std::move(up));
  MetricFamily states = Gauge("eoip_tunnels", "Tunnels by state.");
  for (const TunnelState state :
       {TunnelState::kPending, TunnelState::kActive, TunnelState::kPeerDown,
        TunnelState::kFailed, TunnelState::kDeleting, TunnelState::kDisabled}) {
    AddGauge(states, {{"state", std::string(ToString(state))}}, count[state]);
  }
  families.push_back(std::move(states));
}

// A counter that every reading has.
struct Plain {
  const char* name;
  const char* help;
  uint64_t TunnelCounters::*field;
};
constexpr Plain kPlain[] = {
    {"eoip_tunnel_rx_frames_total",
     "Frames that came out of the tunnel and were given to the host.",
     &TunnelCounters::rx_packets},
    {"eoip_tunnel_rx_bytes_total", "Bytes of these frames.",
     &TunnelCounters::rx_bytes},
    {"eoip_tunnel_tx_frames_total", "Frames sent into the tunnel.",
     &TunnelCounters::tx_packets},
    {"eoip_tunnel_tx_bytes_total", "Bytes of these frames.",
     &TunnelCounters::tx_bytes},
    {"eoip_tunnel_rx_keepalives_total", "Keepalives received.",
     &TunnelCounters::rx_keepalives},
    {"eoip_tunnel_tx_keepalives_total", "Keepalives sent.",
     &TunnelCounters::tx_keepalives},
};

void AddReadings(const MetricsSample& sample, Families& families) {
  for (const Plain& plain : kPlain) {
    MetricFamily family = Counter(plain.name, plain.help);
    for (const auto& [id, reading] : sample.readings) {
      AddCounter(family, {{"tunnel", id}}, reading.counters.*plain.field);
    }
    families.push_back(std::move(family));
  }
  MetricFamily drops =
      Counter("eoip_tunnel_drops_total",
              "Frames of the tunnel that were dropped, by cause.");
  MetricFamily heard =
      Gauge("eoip_tunnel_last_heard_timestamp_seconds",
            "When the last valid packet of the peer came, since the epoch.");
  std::map<std::string, MetricFamily> details;
  for (const auto& [id, reading] : sample.readings) {
    for (const auto& [cause, count] : reading.counters.drops) {
      AddCounter(drops, {{"tunnel", id}, {"cause", cause}}, count);
    }
    for (const auto& [name, count] : reading.counters.details) {
      auto [it, fresh] = details.try_emplace(
          name, Counter(absl::StrCat("eoip_tunnel_", name, "_total"),
                        absl::StrCat("The tunnel's counter ", name,
                                     ", see Counters in tunnel.proto.")));
      AddCounter(it->second, {{"tunnel", id}}, count);
    }
    if (reading.last_heard) {
      AddGauge(heard, {{"tunnel", id}},
               Seconds(sample.now - *reading.last_heard));
    }
  }
  families.push_back(std::move(drops));
  for (auto& [name, family] : details) families.push_back(std::move(family));
  families.push_back(std::move(heard));
}

void AddNetworks(const MetricsSample& sample, Families& families) {
  MetricFamily ready =
      Gauge("eoip_network_ready", "1 while the network is ACTIVE.");
  MetricFamily attachments =
      Gauge("eoip_attachments", "Attachments of the network by state.");
  std::map<std::pair<std::string, AttachmentState>, int> count;
  for (const auto& [key, status] : sample.attachments) {
    ++count[{key.network, status.state}];
  }
  for (const auto& [id, status] : sample.networks) {
    AddGauge(ready, {{"network", id}}, status.state == NetworkState::kActive);
    for (const AttachmentState state :
         {AttachmentState::kPending, AttachmentState::kActive,
          AttachmentState::kFailed, AttachmentState::kDeleting}) {
      AddGauge(attachments,
               {{"network", id}, {"state", std::string(ToString(state))}},
               count[{id, state}]);
    }
  }
  families.push_back(std::move(ready));
  families.push_back(std::move(attachments));
}

struct WorkerCounter {
  const char* name;
  const char* help;
  uint64_t (*value)(const WorkerCounters& worker);
};
constexpr WorkerCounter kWorkerCounters[] = {
    {"eoip_tapd_worker_rx_packets_total", "Outer packets received.",
     [](const WorkerCounters& w) { return w.rx.packets; }},
    {"eoip_tapd_worker_rx_bytes_total",
     "Bytes of these packets behind the outer IP header.",
     [](const WorkerCounters& w) { return w.rx.bytes; }},
    {"eoip_tapd_worker_tx_packets_total", "Outer packets sent.",
     [](const WorkerCounters& w) { return w.tx.packets; }},
    {"eoip_tapd_worker_tx_bytes_total",
     "Bytes of these packets behind the outer IP header.",
     [](const WorkerCounters& w) { return w.tx.bytes; }},
    {"eoip_tapd_worker_waits_total",
     "How often the thread waited for something to do.",
     [](const WorkerCounters& w) { return w.waits; }},
    {"eoip_tapd_worker_idle_polls_total",
     "How often the thread looked without waiting and found nothing.",
     [](const WorkerCounters& w) { return w.idle_polls; }},
};

MetricFamily Batches(std::string name, std::string help,
                     const std::vector<WorkerCounters>& workers,
                     WorkerTraffic WorkerCounters::*direction) {
  MetricFamily family{
      std::move(name), std::move(help), MetricType::Histogram, {}};
  for (size_t w = 0; w < workers.size(); ++w) {
    const WorkerTraffic& traffic = workers[w].*direction;
    auto& histogram =
        AddMetric(family, {{"worker", absl::StrCat(w)}}).histogram;
    histogram.sample_sum = static_cast<double>(traffic.packets);
    // The count is that of the buckets: the datapath counts on meanwhile.
    const size_t sizes = traffic.batch_sizes.size();
    for (size_t i = 0; i < sizes; ++i) {
      histogram.sample_count += traffic.batch_sizes[i];
      histogram.bucket.push_back(
          {histogram.sample_count,
           i + 1 < sizes ? static_cast<double>((uint64_t{2} << i) - 1)
                         : std::numeric_limits<double>::infinity()});
    }
  }
  return family;
}

void AddWorkers(const absl::StatusOr<WorkersReading>& reading,
                Families& families) {
  const bool up = reading.ok() && !reading->workers.empty();
  AddOneGauge(families, "eoip_tapd_up", "1 if eoip-tapd answered this scrape.",
              up);
  if (!up) return;
  AddOneGauge(families, "eoip_tapd_start_time_seconds",
              "Since when eoip-tapd counts, since the epoch.",
              Seconds(reading->since));
  const std::vector<WorkerCounters>& workers = reading->workers;
  for (const WorkerCounter& counter : kWorkerCounters) {
    MetricFamily family = Counter(counter.name, counter.help);
    for (size_t w = 0; w < workers.size(); ++w) {
      AddCounter(family, {{"worker", absl::StrCat(w)}},
                 counter.value(workers[w]));
    }
    families.push_back(std::move(family));
  }
  families.push_back(Batches("eoip_tapd_worker_rx_batch_packets",
                             "Packets per receiving system call.", workers,
                             &WorkerCounters::rx));
  families.push_back(Batches("eoip_tapd_worker_tx_batch_packets",
                             "Packets per sending system call.", workers,
                             &WorkerCounters::tx));
  MetricFamily drops =
      Counter("eoip_tapd_worker_drops_total",
              "Received packets that belong to no tunnel, by cause.");
  for (size_t w = 0; w < workers.size(); ++w) {
    for (const auto& [cause, count] : workers[w].drops) {
      AddCounter(drops, {{"worker", absl::StrCat(w)}, {"cause", cause}}, count);
    }
  }
  families.push_back(std::move(drops));
}

}  // namespace

Families MakeFamilies(const MetricsSample& sample) {
  Families families;
  AddAgent(sample, families);
  AddReconcile(sample.report.passes, families);
  AddDatapaths(sample.report.datapaths, families);
  AddTunnelStates(sample, families);
  AddReadings(sample, families);
  AddNetworks(sample, families);
  AddWorkers(sample.workers, families);
  std::erase_if(families, [](const MetricFamily& family) {
    return family.metric.empty();
  });
  return families;
}

}  // namespace eoip
