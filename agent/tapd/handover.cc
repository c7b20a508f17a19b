// SPDX-License-Identifier: Apache-2.0
#include "tapd/handover.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"

namespace eoip::tapd {
namespace {

// How long each side waits for a word of the other while nothing is forwarded.
// Common are milliseconds.
constexpr absl::Duration kTimeout = absl::Seconds(2);

// Of the network namespace of a socket; none: no socket, or before Linux 5.14.
std::optional<uint64_t> NetnsCookie(int fd) {
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (::getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) != 0) {
    return std::nullopt;
  }
  return cookie;
}

// A path says nothing of the network of who serves it. In another one this
// process would look for routes and neighbours that are not the tunnels'.
absl::Status CheckNetwork(const std::vector<UniqueFd>& descriptors) {
  const UniqueFd own(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const std::optional<uint64_t> here = NetnsCookie(own.get());
  for (const UniqueFd& fd : descriptors) {
    const std::optional<uint64_t> there = NetnsCookie(fd.get());
    if (there.has_value() && there != here) {
      return absl::FailedPreconditionError(
          "the process that serves the socket is in another network "
          "namespace");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<sockaddr_un> AddressOf(const std::string& socket) {
  const std::string path = absl::StrCat(socket, ".handover");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--socket ", socket, ": the path is too long"));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

}  // namespace

absl::Status HandoverListener::Open(const std::string& socket) {
  EOIP_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(socket));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  // One that nobody listens at, or the predecessor's.
  ::unlink(address.sun_path);
  const mode_t mask = ::umask(0177);
  const bool bound =
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
             sizeof(address)) == 0;
  const int error = errno;
  ::umask(mask);
  if (!bound || ::listen(fd.get(), 1) != 0) {
    return ErrnoToStatus(bound ? errno : error,
                         absl::StrCat("listen at ", address.sun_path));
  }
  fd_ = std::move(fd);
  path_ = address.sun_path;
  return absl::OkStatus();
}

HandoverListener::~HandoverListener() {
  if (fd_.valid() && !path_.empty()) ::unlink(path_.c_str());
}

absl::StatusOr<UniqueFd> HandoverListener::Connect(const std::string& socket) {
  EOIP_ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(socket));
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof(address)) == 0) {
    return fd;
  }
  if (errno == ENOENT || errno == ECONNREFUSED) return UniqueFd();
  return ErrnoToStatus(errno, absl::StrCat("connect to ", address.sun_path));
}

absl::StatusOr<Predecessor> Predecessor::Accept(
    const HandoverListener& listener) {
  UniqueFd fd(::accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC));
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (!fd.valid() ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoToStatus(errno, "accept a successor");
  }
  if (peer.uid != 0 && peer.uid != ::geteuid()) {
    return absl::PermissionDeniedError(
        absl::StrCat("a process of user ", peer.uid, " may not take over"));
  }
  return Predecessor(HandoverChannel(std::move(fd), kTimeout));
}

absl::StatusOr<Predecessor> Predecessor::Start(const Starter& starter) {
  EOIP_ASSIGN_OR_RETURN(auto ends, HandoverChannel::MakePair());
  EOIP_RETURN_IF_ERROR(starter.Start(std::move(ends.second)));
  return Predecessor(HandoverChannel(std::move(ends.first), kTimeout));
}

absl::StatusOr<pid_t> Predecessor::GiveTo(const Parts& parts) {
  EOIP_ASSIGN_OR_RETURN(const std::string text,
                        channel_.Receive(HandoverWord::kHello));
  v1::HandoverHello hello;
  if (!hello.ParseFromString(text) || hello.pid() <= 0) {
    return absl::InvalidArgumentError("the successor's hello cannot be read");
  }
  if (hello.format() < kHandoverFormat) {
    return absl::FailedPreconditionError(absl::StrCat(
        "eoip-tapd ", hello.version(), " reads formats up to ", hello.format(),
        ", this process writes ", kHandoverFormat));
  }
  const absl::Status given = Give(parts);
  if (!given.ok()) {
    parts.forwarder->Resume();
    return given;
  }
  parts.forwarder->HandedOver();
  parts.service->StopChanges();
  parts.server->LeavePath();
  return hello.pid();
}

absl::Status Predecessor::Give(const Parts& parts) {
  v1::Handover state;
  state.set_format(kHandoverFormat);
  state.set_version(EOIP_VERSION_STRING);
  state.set_start_time_ms(parts.service->start_time_ms());
  std::vector<int> descriptors = {parts.server->lock_fd()};
  state.set_lock(0);
  parts.forwarder->Pause(&state, &descriptors);
  state.set_descriptors(static_cast<uint32_t>(descriptors.size()));
  EOIP_RETURN_IF_ERROR(
      channel_.SendState(state.SerializeAsString(), descriptors));
  EOIP_RETURN_IF_ERROR(channel_.Receive(HandoverWord::kReady).status());
  return channel_.Send(HandoverWord::kGo);
}

absl::Status TakeOver(UniqueFd fd, const Parts& parts) {
  HandoverChannel channel(std::move(fd), kTimeout);
  v1::HandoverHello hello;
  hello.set_format(kHandoverFormat);
  hello.set_version(EOIP_VERSION_STRING);
  hello.set_pid(::getpid());
  EOIP_RETURN_IF_ERROR(
      channel.Send(HandoverWord::kHello, hello.SerializeAsString()));
  EOIP_ASSIGN_OR_RETURN(HandoverChannel::State received,
                        channel.ReceiveState());
  EOIP_ASSIGN_OR_RETURN(
      const HandoverState state,
      ParseHandover(received.bytes, received.descriptors.size(),
                    parts.forwarder->workers()));
  EOIP_RETURN_IF_ERROR(CheckNetwork(received.descriptors));
  EOIP_ASSIGN_OR_RETURN(std::vector<Forwarder::Running> tunnels,
                        Forwarder::Prepare(state, &received.descriptors));
  EOIP_RETURN_IF_ERROR(channel.Send(HandoverWord::kReady));
  EOIP_RETURN_IF_ERROR(channel.Receive(HandoverWord::kGo).status());

  parts.forwarder->Adopt(state, &received.descriptors, std::move(tunnels));
  const int64_t pause_us = (NowNs() - state.message.stopped_at_ns()) / 1000;
  parts.service->set_start_time_ms(state.message.start_time_ms());
  parts.server->HoldLock(std::move(received.descriptors[state.message.lock()]));
  // Without a path the agent cannot reach it; traffic goes on.
  const absl::Status published = parts.server->Publish();
  if (!published.ok()) LogError(published.message());
  LogInfo("took over ", state.configs.size(), " tunnels from eoip-tapd ",
          state.message.version(), " after a pause of ", pause_us, " us");
  return absl::OkStatus();
}

}  // namespace eoip::tapd
