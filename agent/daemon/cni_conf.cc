// SPDX-License-Identifier: Apache-2.0
#include "daemon/cni_conf.h"

#include <fcntl.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace eoip {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoToStatus(errno, path);
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoToStatus(errno, path);
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
  }
}

absl::Status WriteFile(const std::string& path, absl::string_view text) {
  UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd.valid()) return ErrnoToStatus(errno, path);
  while (!text.empty()) {
    const ssize_t n = ::write(fd.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoToStatus(errno, path);
    text.remove_prefix(static_cast<size_t>(n));
  }
  return ::fsync(fd.get()) == 0 ? absl::OkStatus() : ErrnoToStatus(errno, path);
}

absl::Status SyncFolder(const std::string& folder) {
  UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || ::fsync(fd.get()) != 0) {
    return ErrnoToStatus(errno, folder);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCniConf(const std::string& file) {
  if (!absl::EndsWith(file, ".conflist") && !absl::EndsWith(file, ".conf") &&
      !absl::EndsWith(file, ".json")) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", file,
                     "': a name that ends in .conflist, .conf or "
                     ".json, or runtimes do not read it"));
  }
  EOIP_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  google::protobuf::Struct object;
  const auto parsed =
      google::protobuf::util::JsonStringToMessage(text, &object);
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", file, "': is no JSON object: ",
        std::string(parsed.message().data(), parsed.message().size())));
  }
  return absl::OkStatus();
}

absl::Status InstallCniConf(const std::string& file,
                            const std::string& folder) {
  EOIP_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
  const std::string target = absl::StrCat(
      folder, "/", std::filesystem::path(file).filename().string());
  const auto present = ReadFile(target);
  if (present.ok() && *present == text) return absl::OkStatus();
  // Runtimes go by the end of the name.
  const std::string temporary = absl::StrCat(target, ".new");
  absl::Status status = WriteFile(temporary, text);
  if (status.ok() && ::rename(temporary.c_str(), target.c_str()) != 0) {
    status = ErrnoToStatus(errno, target);
  }
  if (!status.ok()) {
    ::unlink(temporary.c_str());
    return status;
  }
  return SyncFolder(folder);
}

}  // namespace eoip
