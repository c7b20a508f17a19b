// SPDX-License-Identifier: Apache-2.0
//
// Scrapes over HTTP, of a reconcile worker whose datapath is in memory.
#include "metrics/metrics_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/unique_fd.h"
#include "datapath/fake_datapath.h"
#include "metrics/metrics_source.h"
#include "netlink/fake_links.h"
#include "reconcile/memory_store.h"
#include "reconcile/reconcile_worker.h"

namespace eoip {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(CheckMetricsAddress, TakesAnAddressAndAPortOnly) {
  for (const char* good : {"127.0.0.1:9101", "[::1]:1", "0.0.0.0:65535"}) {
    EXPECT_TRUE(CheckMetricsAddress(good).ok()) << good;
  }
  for (const char* bad :
       {"", "9101", ":9101", "localhost:9101", "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:80s",
        "127.0.0.1:+80", "127.0.0.1:80,81", "127.0.0.1: 80", "::1:9101",
        "[127.0.0.1]:9101", "[::1]", "http://127.0.0.1:9101"}) {
    const absl::Status status = CheckMetricsAddress(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_THAT(std::string(status.message()),
                StartsWith(absl::StrCat("'", bad, "': ADDRESS:PORT")));
  }
}

class MetricsServerTest : public testing::Test {
 protected:
  MetricsServerTest()
      : links_(&kernel_),
        tap_(&kernel_, DatapathType::kTap),
        worker_({}, &store_, &links_, {&tap_}, &board_),
        source_(&store_, &worker_, &board_, "1.2.3", absl::Now()) {}

  void SetUp() override {
    TunnelSpec tunnel;
    tunnel.id = "a";
    tunnel.remote = *IpAddress::Parse("192.0.2.1");
    tunnel.tunnel_id = 1;
    ASSERT_TRUE(store_.PutTunnel(tunnel).ok());
    worker_.Start();
    ASSERT_TRUE(
        worker_.Apply("tunnels/a", absl::Now() + absl::Seconds(10)).ok());
    TunnelCounters counters;
    counters.rx_packets = 4711;
    tap_.SetCounters("a", counters);
    WorkersReading workers;
    workers.workers.resize(1);
    tap_.SetWorkers(workers);
    auto server =
        MetricsServer::Start("127.0.0.1:0", [this] { return source_.Take(); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  UniqueFd Connect() const {
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(server_->port()));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(
        connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof(to)),
        0);
    return fd;
  }

  // The whole answer.
  std::string Get(const std::string& path) const {
    const UniqueFd fd = Connect();
    const std::string request = absl::StrCat(
        "GET ", path, " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(write(fd.get(), request.data(), request.size()),
              static_cast<ssize_t>(request.size()));
    std::string answer;
    char buffer[4096];
    for (ssize_t n; (n = read(fd.get(), buffer, sizeof(buffer))) > 0;) {
      answer.append(buffer, static_cast<size_t>(n));
    }
    return answer;
  }

  FakeKernel kernel_;
  FakeLinks links_;
  FakeDatapath tap_;
  MemoryStore store_;
  StatusBoard board_;
  ReconcileWorker worker_;
  MetricsSource source_;
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(MetricsServerTest, AnswersAScrape) {
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain"));
  for (const char* line :
       {"eoip_agent_build_info{version=\"1.2.3\"} 1\n", "eoip_tapd_up 1\n",
        "eoip_tunnel_up{tunnel=\"a\"} 1\n",
        "eoip_tunnel_rx_frames_total{tunnel=\"a\"} 4711\n",
        "eoip_datapath_tunnels{datapath=\"tap\"} 1\n"}) {
    EXPECT_THAT(answer, HasSubstr(line));
  }
  EXPECT_THAT(Get("/"), StartsWith("HTTP/1.1 404"));
}

TEST_F(MetricsServerTest, ShowsWhatIsWantedAndNotLookedAtYetAsPending) {
  worker_.Stop();
  NetworkSpec network;
  network.id = "lan";
  ASSERT_TRUE(store_.PutNetwork(network).ok());
  AttachmentSpec attachment;
  attachment.network = "lan";
  attachment.id = "pod";
  ASSERT_TRUE(store_.PutAttachment(attachment).ok());
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, HasSubstr("eoip_network_ready{network=\"lan\"} 0\n"));
  EXPECT_THAT(
      answer,
      HasSubstr("eoip_attachments{network=\"lan\",state=\"PENDING\"} 1\n"));
}

TEST_F(MetricsServerTest, ForgetsWhatWasDeleted) {
  ASSERT_TRUE(store_.DeleteTunnel("a").ok());
  EXPECT_THAT(Get("/metrics"), Not(HasSubstr("tunnel=\"a\"")));
}

TEST_F(MetricsServerTest, LosesOnlyTapdsOwnMetricsWithTapd) {
  tap_.SetAvailable(false, "it hangs", /*lists=*/false);
  const std::string answer = Get("/metrics");
  EXPECT_THAT(answer, HasSubstr("eoip_tapd_up 0\n"));
  EXPECT_THAT(answer, HasSubstr("eoip_tunnel_up{tunnel=\"a\"} 1\n"));
  EXPECT_THAT(answer, Not(HasSubstr("eoip_tunnel_rx_frames")));
}

TEST_F(MetricsServerTest, ConnectionsThatSayNothingKeepNobodyOut) {
  const UniqueFd one = Connect();
  const UniqueFd two = Connect();
  const UniqueFd three = Connect();
  const absl::Time start = absl::Now();
  EXPECT_THAT(Get("/metrics"), StartsWith("HTTP/1.1 200"));
  EXPECT_LT(absl::Now() - start, absl::Seconds(4));
}

TEST_F(MetricsServerTest, SaysThatItCannotListen) {
  const auto second =
      MetricsServer::Start(absl::StrCat("127.0.0.1:", server_->port()),
                           [] { return MetricsSample(); });
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()),
              HasSubstr(absl::StrCat("'127.0.0.1:", server_->port(),
                                     "': cannot listen")));
}

}  // namespace
}  // namespace eoip
