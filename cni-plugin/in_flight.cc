// SPDX-License-Identifier: Apache-2.0
#include "in_flight.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "cni_error.h"
#include "request.h"

namespace eoip::cni {
namespace {

constexpr absl::string_view kPrefix = "eoip-cni/";

}  // namespace

absl::StatusOr<UniqueFd> TakeAttachment(const std::string& host_link,
                                        absl::Duration wait) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoToStatus(errno, "open a unix socket");
  const std::string name = absl::StrCat(kPrefix, host_link);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  memcpy(address.sun_path + 1, name.data(), name.size());
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  const absl::Time deadline = absl::Now() + wait;
  while (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) !=
         0) {
    if (errno != EADDRINUSE) return ErrnoToStatus(errno, "bind a unix socket");
    if (absl::Now() >= deadline) {
      return CniError(
          CniCode::kTryAgain,
          absl::StrCat("another call of the plugin works on ", host_link));
    }
    absl::SleepFor(absl::Milliseconds(20));
  }
  return fd;
}

absl::StatusOr<std::set<std::string>> TakenAttachments() {
  constexpr char kFile[] = "/proc/thread-self/net/unix";
  UniqueFd fd(::open(kFile, O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoToStatus(errno, kFile);
  EOIP_ASSIGN_OR_RETURN(std::string text, ReadAll(fd.get()));
  std::set<std::string> taken;
  const std::string mark = absl::StrCat(" @", kPrefix);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const size_t at = line.find(mark);
    if (at != absl::string_view::npos) {
      taken.emplace(line.substr(at + mark.size()));
    }
  }
  return taken;
}

}  // namespace eoip::cni
