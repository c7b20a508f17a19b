// SPDX-License-Identifier: Apache-2.0
#include "datapath/tap_datapath.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "datapath/tap_convert.h"
#include "eoip/tapd/v1/tapd.grpc.pb.h"
#include "grpcpp/grpcpp.h"

namespace eoip {
namespace {

constexpr absl::Duration kProbeTimeout = absl::Milliseconds(800);
constexpr absl::Duration kReadTimeout = absl::Seconds(2);
constexpr absl::Duration kCallTimeout = absl::Seconds(5);
// Deleting very many TAPs that could not be deleted by group takes its time.
constexpr absl::Duration kDeleteTimeout = absl::Seconds(60);
constexpr absl::Duration kGoodProbeAge = absl::Seconds(2);
constexpr absl::Duration kBadProbeAge = absl::Milliseconds(500);
constexpr int kReconnectMs = 100;

}  // namespace

// The calls, with deadlines and absl statuses. Thread-safe.
class TapDatapath::Client {
 public:
  explicit Client(const std::string& socket_path) : socket_path_(socket_path) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMs);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMs);
    // A list of very many tunnels is long.
    arguments.SetMaxReceiveMessageSize(-1);
    channel_ = grpc::CreateCustomChannel(absl::StrCat("unix:", socket_path),
                                         grpc::InsecureChannelCredentials(),
                                         arguments);
    stub_ = tapd::v1::TapdService::NewStub(channel_);
  }

  absl::StatusOr<tapd::v1::Info> GetInfo() {
    return Call<tapd::v1::Info>(&Stub::GetInfo, tapd::v1::GetInfoRequest(),
                                kProbeTimeout);
  }
  absl::StatusOr<tapd::v1::TapTunnel> Put(const TunnelConfig& config) {
    tapd::v1::PutTunnelRequest request;
    *request.mutable_config() = ToTapd(config);
    return Call<tapd::v1::TapTunnel>(&Stub::PutTunnel, request, kCallTimeout);
  }
  absl::Status Delete(const std::vector<std::string>& names) {
    tapd::v1::DeleteTunnelsRequest request;
    request.mutable_names()->Assign(names.begin(), names.end());
    return Call<tapd::v1::DeleteTunnelsResponse>(&Stub::DeleteTunnels, request,
                                                 kDeleteTimeout)
        .status();
  }
  // Empty: all.
  absl::StatusOr<tapd::v1::ListTunnelsResponse> List(
      const std::vector<std::string>& names,
      absl::Duration timeout = kCallTimeout) {
    tapd::v1::ListTunnelsRequest request;
    request.mutable_names()->Assign(names.begin(), names.end());
    return Call<tapd::v1::ListTunnelsResponse>(&Stub::ListTunnels, request,
                                               timeout);
  }
  // Nothing: no such tunnel.
  absl::StatusOr<std::optional<tapd::v1::TapTunnel>> Find(
      const std::string& name) {
    EOIP_ASSIGN_OR_RETURN(const auto list, List({name}));
    if (list.tunnels().empty()) return std::nullopt;
    return list.tunnels(0);
  }

 private:
  using Stub = tapd::v1::TapdService::Stub;

  template <typename Response, typename Request>
  absl::StatusOr<Response> Call(
      grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                   Response*),
      const Request& request, absl::Duration timeout) {
    Response response;
    grpc::Status status;
    // After a hot restart the first call meets the connection to the process
    // that is gone. All calls may be repeated.
    for (int i = 0; i < 2; ++i) {
      EOIP_RETURN_IF_ERROR(CheckSocket());
      grpc::ClientContext context;
      // gRPC connects only while a call waits for it.
      context.set_wait_for_ready(true);
      context.set_deadline(std::chrono::system_clock::now() +
                           absl::ToChronoMilliseconds(timeout));
      status = (stub_.get()->*method)(&context, request, &response);
      if (status.ok()) return response;
      if (status.error_code() != grpc::StatusCode::UNAVAILABLE) break;
    }
    // The codes of both are numbered alike.
    const auto code = static_cast<absl::StatusCode>(status.error_code());
    if (code == absl::StatusCode::kUnavailable ||
        code == absl::StatusCode::kDeadlineExceeded) {
      return NoAnswer(status.error_message());
    }
    return absl::Status(code,
                        absl::StrCat("eoip-tapd: ", status.error_message()));
  }

  absl::Status NoAnswer(absl::string_view why) const {
    return absl::UnavailableError(
        absl::StrCat("eoip-tapd does not answer on ", socket_path_, ": ", why));
  }

  // Where nobody listens a call would wait for its deadline in vain.
  absl::Status CheckSocket() const {
    if (channel_->GetState(/*try_to_connect=*/false) == GRPC_CHANNEL_READY) {
      return absl::OkStatus();
    }
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (socket_path_.size() >= sizeof(address.sun_path)) {
      return NoAnswer("the path is too long");
    }
    std::memcpy(address.sun_path, socket_path_.data(), socket_path_.size());
    // Where a hung eoip-tapd has a full backlog, connect would wait for ever.
    const UniqueFd fd(
        socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) != 0) {
      return NoAnswer(std::generic_category().message(errno));
    }
    return absl::OkStatus();
  }

  const std::string socket_path_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Stub> stub_;
};

TapDatapath::TapDatapath(Links* links, const std::string& socket_path)
    : links_(links), client_(std::make_unique<Client>(socket_path)) {}

TapDatapath::~TapDatapath() = default;

Availability TapDatapath::Probe() {
  const absl::Time now = absl::Now();
  const absl::Duration age = probe_.available ? kGoodProbeAge : kBadProbeAge;
  // A clock that was set back makes no answer last.
  if (probed_ <= now && now - probed_ <= age) return probe_;
  probed_ = now;
  const absl::StatusOr<tapd::v1::Info> info = client_->GetInfo();
  probe_ = Availability{};
  if (!info.ok()) {
    probe_.reason = std::string(info.status().message());
    return probe_;
  }
  if (started_ms_ != 0 && started_ms_ != info->start_time_ms()) {
    LogWarning("eoip-tapd was restarted; its tunnels are set up again");
  }
  started_ms_ = info->start_time_ms();
  probe_.available = true;
  probe_.reason = absl::StrCat("eoip-tapd ", info->version());
  probe_.kinds = {TunnelKind::kEoip, TunnelKind::kEoipV6};
  return probe_;
}

absl::StatusOr<std::vector<ObservedTunnel>> TapDatapath::List(
    const LinkTable& links) {
  auto list = client_->List({});
  if (!list.ok()) {
    probed_ = absl::InfinitePast();
    return list.status();
  }
  std::vector<ObservedTunnel> tunnels;
  for (const tapd::v1::TapTunnel& tunnel : list->tunnels()) {
    const auto link = links.find(tunnel.config().name());
    EOIP_ASSIGN_OR_RETURN(
        ObservedTunnel observed,
        FromTapd(tunnel, link == links.end() ? nullptr : &link->second));
    tunnels.push_back(std::move(observed));
  }
  return tunnels;
}

absl::StatusOr<ObservedTunnel> TapDatapath::Get(const std::string& name,
                                                const Link* link) {
  auto tunnel = client_->Find(name);
  if (!tunnel.ok()) {
    probed_ = absl::InfinitePast();
    return tunnel.status();
  }
  if (!tunnel->has_value()) {
    return absl::NotFoundError(absl::StrCat("no tunnel ", name));
  }
  return FromTapd(**tunnel, link);
}

absl::Status TapDatapath::Dress(const TunnelConfig& config, uint32_t ifindex) {
  EOIP_ASSIGN_OR_RETURN(const Link link, links_->Get(config.name));
  if (link.ifindex != ifindex) {
    return absl::UnavailableError(
        absl::StrCat("link ", config.name, " is not the one of eoip-tapd"));
  }
  LinkChange change;
  if (link.group != kOwnedGroup) change.group = kOwnedGroup;
  if (link.mtu != config.mtu) change.mtu = config.mtu;
  if (link.mac != config.mac) change.mac = config.mac;
  if (!change.group && !change.mtu && !change.mac) return absl::OkStatus();
  return links_->Change(ifindex, change);
}

absl::StatusOr<uint32_t> TapDatapath::Put(const TunnelConfig& config,
                                          bool create) {
  const std::string& name = config.name;
  if (!IsLayer2(config.kind)) {
    return absl::FailedPreconditionError(
        absl::StrCat("eoip-tapd does not carry ", ToString(config.kind)));
  }
  EOIP_ASSIGN_OR_RETURN(std::optional<tapd::v1::TapTunnel> known,
                        client_->Find(name));
  if (known) {
    const absl::StatusOr<Link> link = links_->Get(name);
    if (!link.ok() && !absl::IsNotFound(link.status())) return link.status();
    if (known->link_gone() || !link.ok() || link->ifindex != known->ifindex()) {
      if (create) EOIP_RETURN_IF_ERROR(client_->Delete({name}));
      known.reset();
    }
  }
  if (!create && !known) {
    return absl::NotFoundError(absl::StrCat("no tunnel ", name));
  }
  EOIP_ASSIGN_OR_RETURN(const tapd::v1::TapTunnel tunnel, client_->Put(config));
  if (absl::Status status = Dress(config, tunnel.ifindex()); !status.ok()) {
    if (!known) {
      if (absl::Status undo = client_->Delete({name}); !undo.ok()) {
        LogWarning("undo tunnel ", name, ": ", undo.message());
      }
    }
    return status;
  }
  return tunnel.ifindex();
}

absl::Status TapDatapath::Delete(const std::vector<std::string>& names) {
  if (names.empty()) return absl::OkStatus();
  EOIP_ASSIGN_OR_RETURN(const auto list, client_->List(names));
  EOIP_ASSIGN_OR_RETURN(const LinkTable links, GetLinks(*links_, names));
  std::vector<uint32_t> ifindexes;
  for (const tapd::v1::TapTunnel& tunnel : list.tunnels()) {
    // A TAP that was moved away may share its index with another link here.
    const auto link = links.find(tunnel.config().name());
    if (!tunnel.link_gone() && link != links.end() &&
        link->second.ifindex == tunnel.ifindex()) {
      ifindexes.push_back(tunnel.ifindex());
    }
  }
  // Only a short cut: eoip-tapd's own closing of the TAPs deletes them one by
  // one.
  if (absl::Status status = links_->Delete(ifindexes); !status.ok()) {
    LogInfo("delete TAPs by group: ", status.message());
  }
  return client_->Delete(names);
}

absl::StatusOr<std::map<std::string, TunnelReading>> TapDatapath::Read(
    const std::vector<std::string>& names) {
  std::map<std::string, TunnelReading> readings;
  if (names.empty()) return readings;
  EOIP_ASSIGN_OR_RETURN(const auto list, client_->List(names, kReadTimeout));
  for (const tapd::v1::TapTunnel& tunnel : list.tunnels()) {
    readings[tunnel.config().name()] = ReadingFromTapd(tunnel);
  }
  return readings;
}

absl::StatusOr<WorkersReading> TapDatapath::ReadWorkers() {
  EOIP_ASSIGN_OR_RETURN(const tapd::v1::Info info, client_->GetInfo());
  return WorkersFromTapd(info);
}

}  // namespace eoip
