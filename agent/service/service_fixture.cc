// SPDX-License-Identifier: Apache-2.0
#include "service/service_fixture.h"

#include <grpcpp/create_channel.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "model/names.h"
#include "service/proto_codec.h"

namespace eoip {

namespace fs = std::filesystem;

void SteeredApplier::SetHook(Hook hook) {
  absl::MutexLock lock(&mutex_);
  hook_ = std::move(hook);
}

void SteeredApplier::SetReadings(
    std::map<std::string, TunnelReading> readings) {
  absl::MutexLock lock(&mutex_);
  readings_ = std::move(readings);
}

void SteeredApplier::SetReport(ReconcilerReport report) {
  absl::MutexLock lock(&mutex_);
  report_ = std::move(report);
}

void SteeredApplier::SetWorkers(absl::StatusOr<WorkersReading> workers) {
  absl::MutexLock lock(&mutex_);
  workers_ = std::move(workers);
}

absl::StatusOr<WorkersReading> SteeredApplier::ReadWorkers() {
  absl::MutexLock lock(&mutex_);
  return workers_;
}

std::vector<std::string> SteeredApplier::applied() const {
  absl::MutexLock lock(&mutex_);
  return applied_;
}

std::vector<std::string> SteeredApplier::last_read() const {
  absl::MutexLock lock(&mutex_);
  return last_read_;
}

absl::Status SteeredApplier::Apply(const std::string& resource,
                                   absl::Time deadline) {
  Hook hook;
  {
    absl::MutexLock lock(&mutex_);
    applied_.push_back(resource);
    hook = hook_;
  }
  if (hook) return hook(resource, deadline);
  if (const auto id = ParseTunnelName("", resource); id.ok()) {
    if (store_->GetTunnel(*id) == nullptr) {
      board_->EraseTunnel(*id);
    } else {
      board_->SetTunnel(*id, {.state = TunnelState::kActive});
    }
  } else if (const auto net = ParseNetworkName("", resource); net.ok()) {
    if (store_->GetNetwork(*net) == nullptr) {
      board_->EraseNetwork(*net);
    } else {
      board_->SetNetwork(*net, {.state = NetworkState::kActive});
    }
  } else if (const auto key = ParseAttachmentName("", resource); key.ok()) {
    if (store_->GetAttachment(*key) == nullptr) {
      board_->EraseAttachment(*key);
    } else {
      board_->SetAttachment(*key, {.state = AttachmentState::kActive});
    }
  }
  return absl::OkStatus();
}

ReconcilerReport SteeredApplier::Report() const {
  absl::MutexLock lock(&mutex_);
  return report_;
}

std::map<std::string, TunnelReading> SteeredApplier::Read(
    const std::vector<std::string>& tunnels) {
  absl::MutexLock lock(&mutex_);
  last_read_ = tunnels;
  std::map<std::string, TunnelReading> found;
  for (const std::string& id : tunnels) {
    const auto it = readings_.find(id);
    if (it != readings_.end()) found.insert(*it);
  }
  return found;
}

ServiceFixture::ServiceFixture() {
  std::string name = (fs::temp_directory_path() / "service-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) std::abort();
  root_ = name;
}

ServiceFixture::~ServiceFixture() {
  StopAgent();
  fs::remove_all(root_);
}

void ServiceFixture::StopAgent() {
  tunnels_.reset();
  networks_.reset();
  attachments_.reset();
  agent_.reset();
  channel_.reset();
  server_.reset();
  applier_.reset();
  board_.reset();
  store_.reset();
}

void ServiceFixture::StartAgent() {
  StopAgent();
  auto store = FileStore::Open((root_ / "state").string(),
                               std::make_unique<ProtoCodec>());
  ASSERT_TRUE(store.ok()) << store.status();
  store_ = *std::move(store);
  board_ = std::make_unique<StatusBoard>();
  applier_ = std::make_unique<SteeredApplier>(store_.get(), board_.get());
  Server::Options options;
  options.socket = SocketPath();
  options.node = "node-1";
  options.version = "9.8.7";
  options.watch_limits = watch_limits_;
  auto server =
      Server::Start(options, store_.get(), applier_.get(), board_.get());
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  // Its own connection, not one that an earlier agent's channel left.
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(
      "unix:" + SocketPath(), grpc::InsecureChannelCredentials(), arguments);
  tunnels_ = v1::TunnelService::NewStub(channel_);
  networks_ = v1::NetworkService::NewStub(channel_);
  attachments_ = v1::AttachmentService::NewStub(channel_);
  agent_ = v1::AgentService::NewStub(channel_);
}

std::map<std::string, std::string> ServiceFixture::StateOnDisk() const {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(root_ / "state")) {
    if (!entry.is_regular_file()) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    files[fs::relative(entry.path(), root_ / "state").string()] = bytes.str();
  }
  return files;
}

grpc::Status ServiceFixture::Create(const v1::Tunnel& tunnel, v1::Tunnel* out) {
  Context context;
  v1::CreateTunnelRequest request;
  *request.mutable_tunnel() = tunnel;
  v1::Tunnel response;
  return tunnels_->CreateTunnel(&context, request,
                                out == nullptr ? &response : out);
}

grpc::Status ServiceFixture::Create(const v1::Network& network,
                                    v1::Network* out) {
  Context context;
  v1::CreateNetworkRequest request;
  *request.mutable_network() = network;
  v1::Network response;
  return networks_->CreateNetwork(&context, request,
                                  out == nullptr ? &response : out);
}

grpc::Status ServiceFixture::Create(const v1::Attachment& attachment,
                                    v1::Attachment* out) {
  Context context;
  v1::CreateAttachmentRequest request;
  *request.mutable_attachment() = attachment;
  v1::Attachment response;
  return attachments_->CreateAttachment(&context, request,
                                        out == nullptr ? &response : out);
}

grpc::Status ServiceFixture::Get(const std::string& name, v1::Tunnel* out) {
  Context context;
  v1::GetTunnelRequest request;
  request.set_name(name);
  return tunnels_->GetTunnel(&context, request, out);
}

grpc::Status ServiceFixture::DeleteTunnel(const std::string& name) {
  Context context;
  v1::DeleteTunnelRequest request;
  request.set_name(name);
  google::protobuf::Empty response;
  return tunnels_->DeleteTunnel(&context, request, &response);
}

Context::Context() {
  set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
  set_wait_for_ready(true);
}

v1::Tunnel MakeTunnel(const std::string& id, uint32_t tunnel_id) {
  v1::Tunnel tunnel;
  tunnel.set_name(TunnelName(id));
  tunnel.set_kind(v1::EOIP);
  tunnel.set_remote("192.0.2.1");
  tunnel.set_tunnel_id(tunnel_id);
  return tunnel;
}

v1::Network MakeNetwork(const std::string& id,
                        const std::vector<std::string>& tunnels) {
  v1::Network network;
  network.set_name(NetworkName(id));
  for (const std::string& tunnel : tunnels) {
    network.add_ports()->set_tunnel(TunnelName(tunnel));
  }
  return network;
}

v1::Attachment MakeAttachment(const std::string& network, const std::string& id,
                              const std::string& host_link) {
  v1::Attachment attachment;
  attachment.set_name(AttachmentName({network, id}));
  attachment.set_host_link(host_link);
  return attachment;
}

}  // namespace eoip
