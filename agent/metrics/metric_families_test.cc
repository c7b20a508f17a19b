// SPDX-License-Identifier: Apache-2.0
#include "metrics/metric_families.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "prometheus/text_serializer.h"

namespace eoip {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Text(const MetricsSample& sample) {
  return prometheus::TextSerializer().Serialize(MakeFamilies(sample));
}

TEST(MakeFamilies, TellsHowTheAgentIs) {
  MetricsSample sample;
  sample.version = "1.2.3";
  sample.start = absl::FromUnixSeconds(1000);
  sample.set_aside = 2;
  EXPECT_THAT(Text(sample), HasSubstr("eoip_agent_ready 0\n"));
  EXPECT_THAT(Text(sample), Not(HasSubstr("last_full_sync")));
  sample.report.ready = true;
  sample.report.last_full_sync = absl::FromUnixSeconds(1500);
  sample.report.datapaths = {{.type = DatapathType::kKernel},
                             {.type = DatapathType::kTap, .tunnels = 4}};
  sample.report.datapaths[1].availability.available = true;
  const std::string text = Text(sample);
  for (const char* line :
       {"eoip_agent_build_info{version=\"1.2.3\"} 1\n",
        "eoip_agent_start_time_seconds 1000\n", "eoip_agent_ready 1\n",
        "eoip_agent_last_full_sync_timestamp_seconds 1500\n",
        "eoip_agent_state_files_set_aside 2\n",
        "eoip_datapath_available{datapath=\"kernel\"} 0\n",
        "eoip_datapath_available{datapath=\"tap\"} 1\n",
        "eoip_datapath_tunnels{datapath=\"tap\"} 4\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MakeFamilies, MakesAHistogramOfThePasses) {
  MetricsSample sample;
  sample.report.passes = {
      .durations = {4, 3, 0, 0, 2, 1}, .seconds = 17.5, .failed = 6};
  sample.report.passes.failures = 7;
  const std::string text = Text(sample);
  for (const char* line :
       {"# TYPE eoip_reconcile_duration_seconds histogram\n",
        "eoip_reconcile_duration_seconds_bucket{le=\"0.001\"} 4\n",
        "eoip_reconcile_duration_seconds_bucket{le=\"0.01\"} 7\n",
        "eoip_reconcile_duration_seconds_bucket{le=\"1\"} 7\n",
        "eoip_reconcile_duration_seconds_bucket{le=\"10\"} 9\n",
        "eoip_reconcile_duration_seconds_bucket{le=\"+Inf\"} 10\n",
        "eoip_reconcile_duration_seconds_count 10\n",
        "eoip_reconcile_duration_seconds_sum 17.5\n",
        "eoip_reconcile_errors_total 6\n",
        "eoip_reconcile_resource_errors_total 7\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MakeFamilies, NamesEveryCounterOfATunnel) {
  MetricsSample sample;
  sample.now = absl::FromUnixSeconds(2000);
  sample.tunnels["a"].state = TunnelState::kActive;
  sample.tunnels["b"].state = TunnelState::kPeerDown;
  sample.readings["a"].last_heard = absl::Seconds(5);
  TunnelCounters& counters = sample.readings["a"].counters;
  counters = {.rx_packets = 1,
              .rx_bytes = 12345678901,
              .tx_packets = 3,
              .tx_bytes = 4,
              .rx_keepalives = 5,
              .tx_keepalives = 6};
  counters.drops = {{"bad_length", 7}};
  counters.details = {{"tx_super_frames", 8}, {"rx_mss_clamped", 9}};
  sample.readings["c"].counters.details = {{"tx_super_frames", 10}};
  const std::string text = Text(sample);
  for (const char* line :
       {"# TYPE eoip_tunnel_up gauge\n", "eoip_tunnel_up{tunnel=\"a\"} 1\n",
        "eoip_tunnel_up{tunnel=\"b\"} 0\n",
        "eoip_tunnels{state=\"ACTIVE\"} 1\n",
        "eoip_tunnels{state=\"PEER_DOWN\"} 1\n",
        "eoip_tunnels{state=\"FAILED\"} 0\n",
        "# TYPE eoip_tunnel_rx_frames_total counter\n",
        "eoip_tunnel_rx_frames_total{tunnel=\"a\"} 1\n",
        "eoip_tunnel_rx_bytes_total{tunnel=\"a\"} 12345678901\n",
        "eoip_tunnel_tx_frames_total{tunnel=\"a\"} 3\n",
        "eoip_tunnel_tx_bytes_total{tunnel=\"a\"} 4\n",
        "eoip_tunnel_rx_keepalives_total{tunnel=\"a\"} 5\n",
        "eoip_tunnel_tx_keepalives_total{tunnel=\"a\"} 6\n",
        "eoip_tunnel_drops_total{tunnel=\"a\",cause=\"bad_length\"} 7\n",
        "eoip_tunnel_tx_super_frames_total{tunnel=\"a\"} 8\n"
        "eoip_tunnel_tx_super_frames_total{tunnel=\"c\"} 10\n",
        "eoip_tunnel_rx_mss_clamped_total{tunnel=\"a\"} 9\n",
        "eoip_tunnel_last_heard_timestamp_seconds{tunnel=\"a\"} 1995\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MakeFamilies, CountsAttachmentsByNetworkAndState) {
  MetricsSample sample;
  sample.networks["lan"].state = NetworkState::kDegraded;
  sample.networks["dmz"].state = NetworkState::kActive;
  sample.attachments[{"lan", "a"}].state = AttachmentState::kActive;
  sample.attachments[{"lan", "b"}].state = AttachmentState::kActive;
  sample.attachments[{"lan", "c"}].state = AttachmentState::kFailed;
  const std::string text = Text(sample);
  for (const char* line :
       {"eoip_network_ready{network=\"dmz\"} 1\n",
        "eoip_network_ready{network=\"lan\"} 0\n",
        "eoip_attachments{network=\"lan\",state=\"ACTIVE\"} 2\n",
        "eoip_attachments{network=\"lan\",state=\"FAILED\"} 1\n",
        "eoip_attachments{network=\"lan\",state=\"PENDING\"} 0\n",
        "eoip_attachments{network=\"dmz\",state=\"ACTIVE\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MakeFamilies, NamesEveryCounterOfAWorker) {
  MetricsSample sample;
  WorkersReading reading;
  reading.since = absl::FromUnixSeconds(1200);
  reading.workers.resize(2);
  reading.workers[1].rx = {
      .packets = 21, .bytes = 22, .batches = 6, .batch_sizes = {3, 2, 0, 1}};
  reading.workers[1].tx = {.packets = 23, .bytes = 24, .batch_sizes = {1}};
  reading.workers[1].waits = 25;
  reading.workers[1].idle_polls = 26;
  reading.workers[1].drops = {{"unknown_tunnel", 9}};
  sample.workers = reading;
  const std::string text = Text(sample);
  for (const char* line :
       {"eoip_tapd_up 1\n", "eoip_tapd_start_time_seconds 1200\n",
        "worker_rx_packets_total{worker=\"0\"} 0\n",
        "worker_rx_packets_total{worker=\"1\"} 21\n",
        "worker_rx_bytes_total{worker=\"1\"} 22\n",
        "worker_tx_packets_total{worker=\"1\"} 23\n",
        "worker_tx_bytes_total{worker=\"1\"} 24\n",
        "worker_waits_total{worker=\"1\"} 25\n",
        "worker_idle_polls_total{worker=\"1\"} 26\n",
        "# TYPE eoip_tapd_worker_rx_batch_packets histogram\n",
        "rx_batch_packets_count{worker=\"1\"} 6\n",
        "rx_batch_packets_sum{worker=\"1\"} 21\n",
        "rx_batch_packets_bucket{worker=\"1\",le=\"1\"} 3\n",
        "rx_batch_packets_bucket{worker=\"1\",le=\"3\"} 5\n",
        "rx_batch_packets_bucket{worker=\"1\",le=\"7\"} 5\n",
        "rx_batch_packets_bucket{worker=\"1\",le=\"+Inf\"} 6\n",
        "rx_batch_packets_count{worker=\"0\"} 0\n",
        "tx_batch_packets_bucket{worker=\"1\",le=\"+Inf\"} 1\n",
        "eoip_tapd_worker_drops_total{worker=\"1\",cause=\"unknown_tunnel\"} "
        "9\n"}) {
    EXPECT_THAT(text, HasSubstr(line));
  }
}

TEST(MakeFamilies, LosesOnlyTapdsOwnMetricsWithTapd) {
  MetricsSample sample;
  sample.tunnels["a"].state = TunnelState::kActive;
  sample.workers = absl::UnavailableError("no answer");
  const std::string text = Text(sample);
  EXPECT_THAT(text, HasSubstr("eoip_tapd_up 0\n"));
  EXPECT_THAT(text, HasSubstr("eoip_tunnel_up{tunnel=\"a\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("eoip_tapd_worker")));
  EXPECT_THAT(text, Not(HasSubstr("eoip_tunnel_rx")));
}

}  // namespace
}  // namespace eoip
