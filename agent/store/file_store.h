// SPDX-License-Identifier: Apache-2.0
//
// The store on disk; README.md has the layout and the rules. Thread-safe:
// writers wait for each other and for the disk, readers never for the disk.
#ifndef EOIP_STORE_FILE_STORE_H_
#define EOIP_STORE_FILE_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "base/unique_fd.h"
#include "store/codec.h"
#include "store/state_folder.h"
#include "store/store.h"

namespace eoip {

class FileStore : public Store {
 public:
  // Opens (or makes; its parent must exist) the state folder and loads all of
  // it. Damaged files are set aside, logged and reported by set_aside().
  // FAILED_PRECONDITION: another agent has the folder open, or a file is of a
  // newer version. Other codes: the folder cannot be made, listed or written.
  static absl::StatusOr<std::unique_ptr<FileStore>> Open(
      const std::string& folder, std::unique_ptr<const Codec> codec);

  absl::StatusOr<std::string> PutTunnel(const TunnelSpec& spec) override;
  absl::StatusOr<std::string> PutNetwork(const NetworkSpec& spec) override;
  absl::StatusOr<std::string> PutAttachment(
      const AttachmentSpec& spec) override;
  absl::Status DeleteTunnel(const std::string& id) override;
  absl::Status DeleteNetwork(const std::string& id) override;
  absl::Status DeleteAttachment(const AttachmentKey& key,
                                const std::string& etag = "") override;

  absl::StatusOr<std::vector<std::string>> DeleteUnusedNetwork(
      const std::string& id) override;

  Desired Snapshot() const override;
  std::shared_ptr<const TunnelRecord> GetTunnel(
      const std::string& id) const override;
  std::shared_ptr<const NetworkRecord> GetNetwork(
      const std::string& id) const override;
  std::shared_ptr<const AttachmentRecord> GetAttachment(
      const AttachmentKey& key) const override;
  // Without those whose resource exists again.
  std::vector<SetAside> set_aside() const override;

 private:
  template <typename Key, typename Spec>
  using Records = std::map<Key, std::shared_ptr<const Record<Spec>>>;

  FileStore(UniqueFd lock, std::unique_ptr<const Codec> codec,
            StateFolder tunnels, StateFolder networks, StateFolder attachments,
            StateFolder corrupt);

  absl::Status Load();
  template <typename Key, typename Spec>
  absl::Status LoadFolder(StateFolder& folder, Records<Key, Spec>& records);
  template <typename Key, typename Spec>
  absl::Status LoadFile(StateFolder& folder, const std::string& file,
                        Records<Key, Spec>& records);
  absl::Status LoadCorrupt();
  void SetFileAside(StateFolder& folder, const std::string& file,
                    const std::string& resource, const absl::Status& why);

  template <typename Key, typename Spec>
  absl::StatusOr<std::string> Put(StateFolder& folder,
                                  Records<Key, Spec>& records,
                                  const Spec& spec);
  template <typename Key, typename Spec>
  absl::Status Delete(StateFolder& folder, Records<Key, Spec>& records,
                      const Key& key, const std::string& etag);
  template <typename Key, typename Spec>
  std::shared_ptr<const Record<Spec>> Get(const Records<Key, Spec>& records,
                                          const Key& key) const;
  bool Exists(const std::string& resource) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const UniqueFd lock_;
  const std::unique_ptr<const Codec> codec_;

  // Held through a whole change; the folders are its. Taken before mutex_.
  absl::Mutex write_mutex_;
  StateFolder tunnel_folder_ ABSL_GUARDED_BY(write_mutex_);
  StateFolder network_folder_ ABSL_GUARDED_BY(write_mutex_);
  StateFolder attachment_folder_ ABSL_GUARDED_BY(write_mutex_);
  StateFolder corrupt_folder_ ABSL_GUARDED_BY(write_mutex_);

  mutable absl::Mutex mutex_;
  Desired desired_ ABSL_GUARDED_BY(mutex_);  // protected_links is not kept here
  std::vector<SetAside> set_aside_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace eoip

#endif  // EOIP_STORE_FILE_STORE_H_
