// SPDX-License-Identifier: Apache-2.0
#include "store/state_folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/status.h"

namespace eoip {
namespace {

// Resource names never start with a dot.
constexpr absl::string_view kTemporaryPrefix = ".new-";

absl::Status WriteAll(int fd, absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoToStatus(errno, "write");
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StateFolder> StateFolder::Open(const std::string& path,
                                              Durability durability) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoToStatus(errno, absl::StrCat("make state folder ", path));
  }
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return ErrnoToStatus(errno, absl::StrCat("open state folder ", path));
  }
  return StateFolder(path, std::move(fd), durability);
}

int StateFolder::Sync(int fd) const {
  return durability_ == Durability::kPowerLoss ? ::fsync(fd) : 0;
}

absl::Status StateFolder::Failed(absl::string_view what,
                                 const std::string& file, int error) const {
  return absl::UnavailableError(
      absl::StrCat(what, " ", path_, "/", file, ": ", std::strerror(error)));
}

absl::StatusOr<std::vector<std::string>> StateFolder::List() {
  // fdopendir takes the descriptor and moves its offset: a fresh one.
  const int fd = ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return ErrnoToStatus(errno, absl::StrCat("open ", path_));
  std::unique_ptr<DIR, int (*)(DIR*)> dir(::fdopendir(fd), &::closedir);
  if (dir == nullptr) {
    ::close(fd);
    return ErrnoToStatus(errno, absl::StrCat("list ", path_));
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = ::readdir(dir.get());
    if (entry == nullptr) break;
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (absl::StartsWith(name, kTemporaryPrefix)) {
      ::unlinkat(fd_.get(), entry->d_name, 0);
      continue;
    }
    struct stat info;
    if (::fstatat(fd_.get(), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) == 0 &&
        S_ISREG(info.st_mode)) {
      names.emplace_back(name);
    }
  }
  if (errno != 0) return ErrnoToStatus(errno, absl::StrCat("list ", path_));
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::string> StateFolder::Read(const std::string& file) const {
  UniqueFd fd(
      ::openat(fd_.get(), file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return Failed("open", file, errno);
  std::string bytes;
  char buffer[16384];
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("read", file, errno);
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(n));
  }
}

absl::Time StateFolder::ChangedAt(const std::string& file) const {
  struct stat info;
  if (::fstatat(fd_.get(), file.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
    return absl::Now();
  }
  return absl::TimeFromTimespec(info.st_ctim);
}

absl::Status StateFolder::WriteTemporary(const std::string& name,
                                         absl::string_view bytes) {
  UniqueFd fd(::openat(fd_.get(), name.c_str(),
                       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                       0600));
  if (!fd.valid()) return Failed("create", name, errno);
  if (absl::Status written = WriteAll(fd.get(), bytes); !written.ok()) {
    return absl::UnavailableError(
        absl::StrCat(path_, "/", name, ": ", written.message()));
  }
  if (Sync(fd.get()) != 0) return Failed("fsync", name, errno);
  return absl::OkStatus();
}

absl::Status StateFolder::Write(const std::string& file,
                                absl::string_view bytes) {
  const std::string temporary = absl::StrCat(kTemporaryPrefix, file);
  absl::Status status = WriteTemporary(temporary, bytes);
  if (status.ok() &&
      ::renameat(fd_.get(), temporary.c_str(), fd_.get(), file.c_str()) != 0) {
    status = Failed("rename", file, errno);
  }
  if (!status.ok()) {
    ::unlinkat(fd_.get(), temporary.c_str(), 0);
    return status;
  }
  if (Sync(fd_.get()) != 0) return Failed("fsync folder of", file, errno);
  return absl::OkStatus();
}

absl::Status StateFolder::Remove(const std::string& file) {
  if (::unlinkat(fd_.get(), file.c_str(), 0) != 0 && errno != ENOENT) {
    return Failed("delete", file, errno);
  }
  if (Sync(fd_.get()) != 0) return Failed("fsync folder of", file, errno);
  return absl::OkStatus();
}

absl::Status StateFolder::MoveTo(const std::string& file, StateFolder& to,
                                 const std::string& as) {
  if (::renameat(fd_.get(), file.c_str(), to.fd_.get(), as.c_str()) != 0) {
    return Failed("move", file, errno);
  }
  if (::fsync(to.fd_.get()) != 0 || ::fsync(fd_.get()) != 0) {
    return Failed("fsync folder of", file, errno);
  }
  return absl::OkStatus();
}

}  // namespace eoip
