// SPDX-License-Identifier: Apache-2.0
//
// For component tests: the real server on a unix socket in a folder of its
// own, with the real store, and an applier that the test steers.
#ifndef EOIP_SERVICE_SERVICE_FIXTURE_H_
#define EOIP_SERVICE_SERVICE_FIXTURE_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "eoip/v1/agent.grpc.pb.h"
#include "eoip/v1/attachment.grpc.pb.h"
#include "eoip/v1/network.grpc.pb.h"
#include "eoip/v1/tunnel.grpc.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "reconcile/reconciler.h"
#include "reconcile/status_board.h"
#include "service/server.h"
#include "store/file_store.h"

namespace eoip {

// Does as a worker would whose every attempt succeeds: what is stored becomes
// ACTIVE, what is not leaves the board.
class SteeredApplier : public Applier {
 public:
  // Replaces that for one resource; the status is Apply's answer.
  using Hook = std::function<absl::Status(const std::string& resource,
                                          absl::Time deadline)>;

  SteeredApplier(Store* store, StatusBoard* board)
      : store_(store), board_(board) {}

  void SetHook(Hook hook);
  void SetReadings(std::map<std::string, TunnelReading> readings);
  void SetReport(ReconcilerReport report);
  void SetWorkers(absl::StatusOr<WorkersReading> workers);
  // Resources of all calls of Apply, in order; names of the last Read.
  std::vector<std::string> applied() const;
  std::vector<std::string> last_read() const;

  absl::Status Apply(const std::string& resource, absl::Time deadline) override;
  ReconcilerReport Report() const override;
  std::map<std::string, TunnelReading> Read(
      const std::vector<std::string>& tunnels) override;
  absl::StatusOr<WorkersReading> ReadWorkers() override;

 private:
  Store* const store_;
  StatusBoard* const board_;
  mutable absl::Mutex mutex_;
  Hook hook_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, TunnelReading> readings_ ABSL_GUARDED_BY(mutex_);
  ReconcilerReport report_ ABSL_GUARDED_BY(mutex_);
  absl::StatusOr<WorkersReading> workers_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> applied_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> last_read_ ABSL_GUARDED_BY(mutex_);
};

class ServiceFixture : public ::testing::Test {
 protected:
  ServiceFixture();
  ~ServiceFixture() override;
  void SetUp() override { StartAgent(); }

  // Also ends the one before, as a restart does: the state stays.
  void StartAgent();
  void StopAgent();
  std::string SocketPath() const { return (root_ / "agent.sock").string(); }

  // Names and contents of all state files.
  std::map<std::string, std::string> StateOnDisk() const;

  grpc::Status Create(const v1::Tunnel& tunnel, v1::Tunnel* out = nullptr);
  grpc::Status Create(const v1::Network& network, v1::Network* out = nullptr);
  grpc::Status Create(const v1::Attachment& attachment,
                      v1::Attachment* out = nullptr);
  grpc::Status Get(const std::string& name, v1::Tunnel* out);
  grpc::Status DeleteTunnel(const std::string& name);

  std::filesystem::path root_;
  WatchLimits watch_limits_;
  std::unique_ptr<FileStore> store_;
  std::unique_ptr<StatusBoard> board_;
  std::unique_ptr<SteeredApplier> applier_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::TunnelService::Stub> tunnels_;
  std::unique_ptr<v1::NetworkService::Stub> networks_;
  std::unique_ptr<v1::AttachmentService::Stub> attachments_;
  std::unique_ptr<v1::AgentService::Stub> agent_;
};

// A context whose call ends within 20 s whatever happens.
class Context : public grpc::ClientContext {
 public:
  Context();
};

// "tunnels/ID" to 192.0.2.1 with that id.
v1::Tunnel MakeTunnel(const std::string& id, uint32_t tunnel_id);
v1::Network MakeNetwork(const std::string& id,
                        const std::vector<std::string>& tunnels = {});
v1::Attachment MakeAttachment(const std::string& network, const std::string& id,
                              const std::string& host_link);

MATCHER_P2(IsError, code, text, "") {
  *result_listener << arg.error_code() << " \"" << arg.error_message() << "\"";
  return arg.error_code() == code &&
         arg.error_message().find(text) != std::string::npos;
}
MATCHER(IsOk, "") {
  *result_listener << arg.error_code() << " \"" << arg.error_message() << "\"";
  return arg.ok();
}

}  // namespace eoip

#endif  // EOIP_SERVICE_SERVICE_FIXTURE_H_
