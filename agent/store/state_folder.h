// SPDX-License-Identifier: Apache-2.0
//
// One folder of state files: read all, replace one atomically, delete one.
// Not thread-safe.
#ifndef EOIP_STORE_STATE_FOLDER_H_
#define EOIP_STORE_STATE_FOLDER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"

namespace eoip {

// What a change outlives once it was reported as done.
enum class Durability {
  kPowerLoss,   // fsync of file and folder
  kProcessEnd,  // the kernel has it
};

class StateFolder {
 public:
  // Makes the folder (mode 0700) where it is missing; its parent must exist.
  static absl::StatusOr<StateFolder> Open(
      const std::string& path, Durability durability = Durability::kPowerLoss);

  const std::string& path() const { return path_; }

  // Names of all regular files, sorted. Removes temporary files that a crash
  // left.
  absl::StatusOr<std::vector<std::string>> List();
  absl::StatusOr<std::string> Read(const std::string& file) const;
  // When the file came to its present name (ctime), or now.
  absl::Time ChangedAt(const std::string& file) const;

  // Replaces or creates the file; durable when it returns OK. UNAVAILABLE: not
  // done, the old file is as it was.
  absl::Status Write(const std::string& file, absl::string_view bytes);
  // Durable; a missing file is no error. UNAVAILABLE as in Write.
  absl::Status Remove(const std::string& file);
  // Moves the file to another folder of the same file system; durable.
  absl::Status MoveTo(const std::string& file, StateFolder& to,
                      const std::string& as);

 private:
  StateFolder(std::string path, UniqueFd fd, Durability durability)
      : path_(std::move(path)), fd_(std::move(fd)), durability_(durability) {}
  // 0 or -1 with errno, as fsync; nothing where no power loss is outlived.
  int Sync(int fd) const;
  absl::Status WriteTemporary(const std::string& name, absl::string_view bytes);
  absl::Status Failed(absl::string_view what, const std::string& file,
                      int error) const;

  std::string path_;
  UniqueFd fd_;
  Durability durability_;
};

}  // namespace eoip

#endif  // EOIP_STORE_STATE_FOLDER_H_
