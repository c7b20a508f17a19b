// SPDX-License-Identifier: Apache-2.0
#include "tapd/control_server.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status.h"

namespace eoip::tapd {
namespace {

// Idle clients do not hang up by themselves.
constexpr std::chrono::milliseconds kShutdownWait{200};

// Room for the suffix of the name under which gRPC binds.
constexpr size_t kMaxPath = sizeof(sockaddr_un{}.sun_path) - 12;

absl::Status CheckReplaceable(const std::string& path) {
  struct stat st;
  if (::lstat(path.c_str(), &st) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return ErrnoToStatus(errno, absl::StrCat("--socket ", path));
  }
  if (!S_ISSOCK(st.st_mode)) {
    return absl::AlreadyExistsError(
        absl::StrCat("--socket ", path, ": exists and is no socket"));
  }
  UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (::connect(probe.get(), reinterpret_cast<sockaddr*>(&address),
                sizeof(address)) == 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("--socket ", path, ": another process serves it"));
  }
  return absl::OkStatus();
}

// The lock file stays: removing it would race with the next holder.
absl::StatusOr<UniqueFd> Lock(const std::string& path) {
  const std::string lock_path = absl::StrCat(path, ".lock");
  UniqueFd fd(::open(lock_path.c_str(),
                     O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) {
    return ErrnoToStatus(errno, absl::StrCat("open ", lock_path));
  }
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::AlreadyExistsError(
        absl::StrCat("--socket ", path, ": another process serves it"));
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ControlServer>> ControlServer::Start(
    const std::string& path, grpc::Service* service, bool successor) {
  if (path.empty() || path.size() > kMaxPath) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--socket ", path, ": must be a path of 1..", kMaxPath, " bytes"));
  }
  std::unique_ptr<ControlServer> self(new ControlServer());
  self->path_ = path;
  if (!successor) {
    EOIP_ASSIGN_OR_RETURN(self->lock_, Lock(path));
    EOIP_RETURN_IF_ERROR(CheckReplaceable(path));
  }
  // gRPC removes the name that it bound when it ends, whoever has it by then:
  // the predecessor must not have bound the same. (In containers both have the
  // same process id.)
  const std::string temporary =
      successor ? absl::StrFormat("%s.%08x", path, std::random_device()())
                : absl::StrCat(path, ".new");
  ::unlink(temporary.c_str());

  grpc::ServerBuilder builder;
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.RegisterService(service);
  int bound = 0;
  builder.AddListeningPort(absl::StrCat("unix:", temporary),
                           grpc::InsecureServerCredentials(), &bound);
  const mode_t mask = ::umask(0177);
  self->server_ = builder.BuildAndStart();
  ::umask(mask);
  if (self->server_ == nullptr || bound == 0) {
    return absl::UnavailableError(
        absl::StrCat("--socket ", path, ": cannot listen"));
  }
  self->bound_ = temporary;
  return self;
}

absl::Status ControlServer::Publish() {
  if (::rename(bound_.c_str(), path_.c_str()) != 0) {
    return ErrnoToStatus(errno, absl::StrCat("--socket ", path_));
  }
  bound_ = path_;
  return absl::OkStatus();
}

ControlServer::~ControlServer() {
  if (!bound_.empty()) ::unlink(bound_.c_str());
  if (server_ != nullptr) {
    server_->Shutdown(std::chrono::system_clock::now() + kShutdownWait);
  }
}

}  // namespace eoip::tapd
