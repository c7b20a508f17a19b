// SPDX-License-Identifier: Apache-2.0
//
// eoip-agent: flags, wiring, signals. The only place that names the concrete
// classes.
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "daemon/cni_conf.h"
#include "datapath/kernel_datapath.h"
#include "datapath/tap_datapath.h"
#include "dhcp/lease_keeper.h"
#include "metrics/metrics_server.h"
#include "metrics/metrics_source.h"
#include "netlink/links.h"
#include "netlink/monitor.h"
#include "netlink/netlink_links.h"
#include "reconcile/reconcile_worker.h"
#include "reconcile/status_board.h"
#include "service/proto_codec.h"
#include "service/server.h"
#include "store/file_store.h"

namespace eoip {
namespace {

struct Flags {
  std::string socket;
  std::string state_dir = "/var/lib/eoip";
  std::string runtime_dir = "/run/eoip";
  std::string sysctl_dir = "/proc/sys";
  std::string tapd_socket;
  std::string node;
  std::string cni_plugin = "/opt/cni/bin/eoip";
  std::string log_level = "info";
  std::string cni_conf;
  std::string cni_conf_dir = "/etc/cni/net.d";
  std::string metrics_address;
  int resync_seconds = 60;
};

// Exit codes: 0 asked to stop, 1 cannot run, 2 bad flags.
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

absl::Status MakeFolder(const std::string& path, mode_t mode) {
  std::error_code error;
  if (std::filesystem::create_directories(path, error)) {
    ::chmod(path.c_str(), mode);
  }
  if (error) return ErrnoToStatus(error.value(), path);
  return absl::OkStatus();
}

// SIGTERM and SIGINT are taken by sigwait in Run; every thread inherits the
// mask. A client that goes away must not end the agent by SIGPIPE.
sigset_t BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  // Nor may a limit of file sizes: the write fails and the caller is told.
  std::signal(SIGXFSZ, SIG_IGN);
  return set;
}

void PutCniConf(const Flags& flags) {
  const absl::Status status =
      InstallCniConf(flags.cni_conf, flags.cni_conf_dir);
  if (status.ok()) {
    LogInfo("ready; ", flags.cni_conf, " is in ", flags.cni_conf_dir);
  } else {
    LogError("--cni-conf: ", status.message());
  }
}

absl::StatusOr<std::unique_ptr<LeaseKeeper>> OpenLeases(const Flags& flags,
                                                        Store* store,
                                                        StatusBoard* board) {
  LeaseKeeper::Options options;
  options.folder = flags.state_dir + "/leases";
  options.plugin = flags.cni_plugin;
  options.reachable = [board](const std::string& network) {
    const NetworkStatus status = board->GetNetwork(network);
    return status.ifindex != 0 &&
           (status.tunnels == 0 || status.tunnels_active > 0);
  };
  options.tell = [board](const AttachmentKey& key,
                         const std::optional<LeaseStatus>& lease) {
    board->SetLease(key, lease);
  };
  return LeaseKeeper::Open(std::move(options), store);
}

// Null: not asked for.
absl::StatusOr<std::unique_ptr<MetricsServer>> StartMetrics(
    const Flags& flags, const Store* store, Applier* applier,
    const StatusBoard* board) {
  if (flags.metrics_address.empty()) return nullptr;
  auto source = std::make_shared<MetricsSource>(
      store, applier, board, EOIP_VERSION_STRING, absl::Now());
  auto server = MetricsServer::Start(flags.metrics_address,
                                     [source] { return source->Take(); });
  EOIP_RETURN_IF_ERROR(Annotate(server.status(), "--metrics-address"));
  LogInfo("metrics on http://", flags.metrics_address, "/metrics");
  return server;
}

absl::Status Run(const Flags& flags) {
  const sigset_t signals = BlockSignals();
  EOIP_RETURN_IF_ERROR(MakeFolder(flags.runtime_dir, 0755));
  EOIP_RETURN_IF_ERROR(MakeFolder(flags.state_dir, 0700));

  EOIP_ASSIGN_OR_RETURN(
      auto store,
      FileStore::Open(flags.state_dir, std::make_unique<ProtoCodec>()));
  EOIP_ASSIGN_OR_RETURN(auto links, NetlinkLinks::Open(flags.sysctl_dir));
  EOIP_ASSIGN_OR_RETURN(auto read_links, NetlinkLinks::Open());
  KernelDatapath kernel(links.get(), read_links.get());
  TapDatapath tap(links.get(), flags.tapd_socket);
  StatusBoard board;
  ReconcileWorker worker(
      {.node = flags.node,
       .resync_interval = absl::Seconds(flags.resync_seconds)},
      store.get(), links.get(), {&kernel, &tap}, &board);

  EOIP_ASSIGN_OR_RETURN(auto monitor, LinkMonitor::Start(
                                          [&worker](const std::string& name) {
                                            worker.LookAtLink(name);
                                          },
                                          [&worker] { worker.LookAtAll(); }));
  EOIP_ASSIGN_OR_RETURN(auto leases, OpenLeases(flags, store.get(), &board));
  Server::Options options;
  options.leases = leases.get();
  options.socket = flags.socket;
  options.node = flags.node;
  if (!flags.cni_conf.empty()) {
    EOIP_RETURN_IF_ERROR(Annotate(CheckCniConf(flags.cni_conf), "--cni-conf"));
    options.on_ready = [&flags] { PutCniConf(flags); };
  }
  EOIP_ASSIGN_OR_RETURN(auto server,
                        Server::Start(options, store.get(), &worker, &board));
  EOIP_ASSIGN_OR_RETURN(auto metrics,
                        StartMetrics(flags, store.get(), &worker, &board));
  worker.Start();
  leases->Start();
  LogInfo("eoip-agent ", EOIP_VERSION_STRING, " serves on ", flags.socket);
  sd_notify(0, "READY=1");

  int signal = 0;
  sigwait(&signals, &signal);
  LogInfo("stopping; tunnels and networks stay as they are");
  sd_notify(0, "STOPPING=1");
  leases->Stop();  // nobody waits for a lease any more
  server->Shutdown(absl::Now() + absl::Seconds(2));
  metrics.reset();
  monitor.reset();
  worker.Stop();
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  Flags flags;
  flags.node = HostName();
  CLI::App app{
      "The node agent: keeps tunnels, networks and attachments as asked for "
      "over gRPC."};
  app.name("eoip-agent");
  app.set_version_flag("--version", EOIP_VERSION_STRING);
  app.add_option("--runtime-dir", flags.runtime_dir,
                 "Folder of sockets, made if absent")
      ->capture_default_str();
  app.add_option(
      "--socket", flags.socket,
      "Unix socket to serve on, mode 0660 (default RUNTIME-DIR/agent.sock)");
  app.add_option("--state-dir", flags.state_dir,
                 "Folder of the desired state, one file per resource, made "
                 "with mode 0700")
      ->capture_default_str();
  app.add_option("--tapd-socket", flags.tapd_socket,
                 "eoip-tapd's socket (default RUNTIME-DIR/tapd.sock)");
  app.add_option("--node", flags.node,
                 "Name of this node; MAC addresses are derived from it, so it "
                 "must stay the same")
      ->capture_default_str();
  app.add_option(
         "--cni-plugin", flags.cni_plugin,
         "The CNI plugin's file, which is run when a DHCP lease changes "
         "in a pod")
      ->capture_default_str();
  app.add_option(
         "--sysctl-dir", flags.sysctl_dir,
         "Where sysctls can be written: on bridges that the agent makes "
         "it sets net.ipv6.conf.BRIDGE.accept_ra to 0")
      ->check([](const std::string& folder) {
        // Also where IPv6 is off.
        struct stat st;
        return stat((folder + "/net").c_str(), &st) == 0
                   ? std::string()
                   : folder + " has no folder \"net\"";
      })
      ->capture_default_str();
  app.add_option("--resync-interval", flags.resync_seconds,
                 "Seconds between complete looks at the kernel")
      ->check(CLI::Range(1, 3600))
      ->capture_default_str();
  app.add_option("--cni-conf", flags.cni_conf,
                 "Network configuration to put into CNI-CONF-DIR once the "
                 "agent is ready; it is never taken away");
  app.add_option("--cni-conf-dir", flags.cni_conf_dir,
                 "Folder where container runtimes look for it")
      ->capture_default_str();
  app.add_option(
         "--metrics-address", flags.metrics_address,
         "ADDRESS:PORT to serve Prometheus metrics on at /metrics, as "
         "127.0.0.1:9101 or [::1]:9101; without encryption. Default: none")
      ->check([](const std::string& address) {
        return std::string(CheckMetricsAddress(address).message());
      });
  app.add_option("--log-level", flags.log_level, "Lines on stderr")
      ->check(CLI::IsMember({"error", "warning", "info", "debug"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (flags.socket.empty()) flags.socket = flags.runtime_dir + "/agent.sock";
  if (flags.tapd_socket.empty())
    flags.tapd_socket = flags.runtime_dir + "/tapd.sock";
  SetLogLevel(flags.log_level);
  const absl::Status status = Run(flags);
  if (status.ok()) return 0;
  LogError("eoip-agent cannot run: ", status.message());
  return kExitFailed;
}

}  // namespace
}  // namespace eoip

int main(int argc, char** argv) { return eoip::Main(argc, argv); }
