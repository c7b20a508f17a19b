// SPDX-License-Identifier: Apache-2.0
#include "service/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "service/agent_service.h"
#include "service/attachment_service.h"
#include "service/network_service.h"
#include "service/resource_methods.h"
#include "service/tunnel_service.h"

namespace eoip {
namespace {

constexpr mode_t kSocketMode = 0660;
// A network of 1023 ports with all their VLANs fits many times.
constexpr int kMaxRequestBytes = 1 << 20;
// Calls wait on these for their apply; more at once get RESOURCE_EXHAUSTED.
constexpr int kMaxThreads = 128;

absl::StatusOr<sockaddr_un> SocketAddress(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("socket: '", path, "': a path of 1 to ",
                     sizeof(address.sun_path) - 1, " bytes"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// OK: the path is free, or a dead socket's.
absl::Status CheckFree(const std::string& path) {
  EOIP_ASSIGN_OR_RETURN(const sockaddr_un address, SocketAddress(path));
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoToStatus(errno, path);
  }
  if (!S_ISSOCK(info.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat("socket: '", path, "': is there and no socket"));
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "socket");
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("socket: '", path, "': another agent answers on it"));
  }
  if (errno != ECONNREFUSED) return ErrnoToStatus(errno, path);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return ErrnoToStatus(errno, absl::StrCat("remove ", path));
  }
  return absl::OkStatus();
}

}  // namespace

class Server::Impl {
 public:
  Impl(const Options& options, const Backend& backend, StatusBoard* board)
      : options_(options),
        backend_(backend),
        board_(board),
        tunnels_(WithMutex(backend), options.watch_limits),
        networks_(WithMutex(backend), options.watch_limits),
        attachments_(WithMutex(backend), options.watch_limits),
        tunnel_service_(&tunnels_),
        network_service_(&networks_),
        attachment_service_(&attachments_, &networks_, &tunnels_),
        agent_service_(backend, options.node, options.version, absl::Now()) {}

  absl::Status Start() {
    EOIP_RETURN_IF_ERROR(CheckFree(options_.socket));
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    grpc::ResourceQuota quota("eoip-agent");
    quota.SetMaxThreads(kMaxThreads);
    builder.SetResourceQuota(quota);
    builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
    builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
    builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
    // SO_REUSEPORT means nothing here, and a second agent must not share.
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddListeningPort(absl::StrCat("unix:", options_.socket),
                             grpc::InsecureServerCredentials());
    builder.RegisterService(&tunnel_service_);
    builder.RegisterService(&network_service_);
    builder.RegisterService(&attachment_service_);
    builder.RegisterService(&agent_service_);
    // So that nobody can connect before the mode is right.
    const mode_t old_mask = ::umask(0777 & ~kSocketMode);
    server_ = builder.BuildAndStart();
    ::umask(old_mask);
    if (server_ == nullptr) {
      return absl::UnavailableError(
          absl::StrCat("socket: '", options_.socket, "': cannot listen on it"));
    }
    if (::chmod(options_.socket.c_str(), kSocketMode) != 0) {
      return ErrnoToStatus(errno, options_.socket);
    }
    board_->SetListener([this](const std::string& name) { Notify(name); });
    SetReady(false);
    ready_watcher_ = std::thread([this] { AwaitReady(); });
    return absl::OkStatus();
  }

  void Shutdown(absl::Time deadline) {
    if (server_ == nullptr) return;
    stop_.Notify();
    if (ready_watcher_.joinable()) ready_watcher_.join();
    if (auto* health = server_->GetHealthCheckService()) health->Shutdown();
    tunnels_.hub().Stop();
    networks_.hub().Stop();
    attachments_.hub().Stop();
    server_->Shutdown(absl::ToChronoTime(deadline));
    server_->Wait();
    tunnels_.hub().AwaitEmpty();
    networks_.hub().AwaitEmpty();
    attachments_.hub().AwaitEmpty();
    board_->SetListener(nullptr);
    server_.reset();
    // gRPC removes it too; where it did not, nobody else has it yet.
    ::unlink(options_.socket.c_str());
  }

 private:
  Backend WithMutex(Backend backend) {
    backend.changes = &changes_;
    return backend;
  }

  void Notify(const std::string& name) {
    if (absl::StartsWith(name, "tunnels/")) {
      tunnels_.hub().Notify(name);
    } else if (absl::StrContains(name, "/attachments/")) {
      attachments_.hub().Notify(name);
      if (backend_.leases != nullptr) backend_.leases->LookAtAll();
    } else {
      networks_.hub().Notify(name);
    }
  }

  void SetReady(bool ready) {
    auto* health = server_->GetHealthCheckService();
    if (health == nullptr) return;
    for (const std::string& service :
         {std::string(kReadinessService),
          std::string(v1::TunnelService::service_full_name()),
          std::string(v1::NetworkService::service_full_name()),
          std::string(v1::AttachmentService::service_full_name()),
          std::string(v1::AgentService::service_full_name())}) {
      health->SetServingStatus(service, ready);
    }
  }

  // Readiness comes once and stays.
  void AwaitReady() {
    constexpr absl::Duration kInterval = absl::Milliseconds(50);
    do {
      if (backend_.applier->Report().ready) {
        SetReady(true);
        if (options_.on_ready) options_.on_ready();
        return;
      }
    } while (!stop_.WaitForNotificationWithTimeout(kInterval));
  }

  const Options options_;
  const Backend backend_;
  StatusBoard* const board_;
  absl::Mutex changes_;
  ResourceMethods<TunnelTraits> tunnels_;
  ResourceMethods<NetworkTraits> networks_;
  ResourceMethods<AttachmentTraits> attachments_;
  TunnelServiceImpl tunnel_service_;
  NetworkServiceImpl network_service_;
  AttachmentServiceImpl attachment_service_;
  AgentServiceImpl agent_service_;
  absl::Notification stop_;
  std::thread ready_watcher_;
  std::unique_ptr<grpc::Server> server_;
};

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options,
                                                      Store* store,
                                                      Applier* applier,
                                                      StatusBoard* board) {
  auto impl = std::make_unique<Impl>(
      options, Backend{store, applier, board, nullptr, options.leases}, board);
  EOIP_RETURN_IF_ERROR(impl->Start());
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Server::~Server() { Shutdown(absl::Now()); }

void Server::Shutdown(absl::Time deadline) { impl_->Shutdown(deadline); }

}  // namespace eoip
