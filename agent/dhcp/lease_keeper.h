// SPDX-License-Identifier: Apache-2.0
//
// Gets and keeps a DHCPv4 lease for every attachment that asks for one, on disk
// over restarts; gives it back when the attachment is gone. One thread does the
// work; every method is thread-safe and only Acquire waits.
#ifndef EOIP_DHCP_LEASE_KEEPER_H_
#define EOIP_DHCP_LEASE_KEEPER_H_

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/unique_fd.h"
#include "dhcp/lease_client.h"
#include "dhcp/lease_file.h"
#include "model/attachment.h"
#include "model/lease.h"
#include "model/names.h"
#include "store/state_folder.h"
#include "store/store.h"

namespace eoip {

class LeaseKeeper {
 public:
  struct Options {
    // Folder of the leases, made if absent; its parent must exist.
    std::string folder;
    // The CNI plugin, for what changes in a pod (pod_end.h).
    std::string plugin;
    // Whether frames of the network reach its site now.
    std::function<bool(const std::string& network)> reachable;
    // A lease changed; absent: there is none to tell of any more. Times are of
    // the wall clock. Called from the keeper's thread with its lock.
    std::function<void(const AttachmentKey&, const std::optional<LeaseStatus>&)>
        tell;
  };

  // Loads the leases. Files that cannot be read are set aside, logged and
  // reported by set_aside(). store outlives it. Other errors: the folder cannot
  // be made, listed or written.
  static absl::StatusOr<std::unique_ptr<LeaseKeeper>> Open(Options options,
                                                           Store* store);
  ~LeaseKeeper();

  void Start();
  // Leases stay as they are.
  void Stop();

  // Returns when the attachment, which is in the store and asks for a lease,
  // has one; the caller brings it to the pod. FAILED_PRECONDITION: no server
  // gave one before the deadline, or another attachment of the network has the
  // client id; the message says which. UNAVAILABLE: the lease cannot be
  // written to disk, or the agent is shutting down.
  absl::Status Acquire(const AttachmentSpec& attachment, absl::Time deadline);

  // Attachments may have gone. Never waits.
  void LookAtAll();

  std::vector<SetAside> set_aside() const;

 private:
  struct Entry {
    Entry(LeaseRecord made, std::function<uint32_t()> random)
        : record(std::move(made)),
          client(record.mac, record.spec, std::move(random)) {}

    LeaseRecord record;  // as on disk, with steady times
    LeaseClient client;
    AttachmentSpec attachment;  // while it is there
    bool wanted = false;        // the attachment is there
    bool adding = false;        // an ADD brings the lease to the pod
    bool pod_unknown = false;   // nobody knows what the pod has
    bool saved = false;         // record is on disk
    std::string write_trouble;
    UniqueFd socket;  // while the client listens
    absl::Time change_pod_at = absl::InfinitePast();
    absl::Duration change_delay = absl::Seconds(1);
    std::string pod_trouble;
    std::optional<LeaseStatus> told;
  };
  using Entries = std::map<AttachmentKey, std::unique_ptr<Entry>>;

  LeaseKeeper(Options options, Store* store, StateFolder folder,
              StateFolder corrupt);

  absl::Status Load();
  void LoadFile(const std::string& file);
  void Resume();

  void Run();
  void Wait();
  void Wake();
  void Work();
  void LookAtStore() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Serve(Entry& entry, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Exchange(Entry& entry, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // False: the entry is to be forgotten.
  bool Release(Entry& entry, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Save(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Forget(Entries::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool PodIsBehind(const Entry& entry) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void ChangeOnePod() ABSL_LOCKS_EXCLUDED(mutex_);

  // Makes the entry, taking over the address of one that had the client id
  // before.
  Entry& Begin(const AttachmentSpec& attachment, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  const Entry* OwnerOf(const AttachmentSpec& attachment) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Store* const store_;
  UniqueFd wake_;  // eventfd

  mutable absl::Mutex mutex_;
  std::random_device random_ ABSL_GUARDED_BY(mutex_);
  StateFolder folder_ ABSL_GUARDED_BY(mutex_);
  StateFolder corrupt_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time look_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  // Not under the mutex: told by listeners of what tell() changes.
  std::atomic<bool> look_now_ = false;
  Entries entries_ ABSL_GUARDED_BY(mutex_);
  std::vector<SetAside> set_aside_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;
};

}  // namespace eoip

#endif  // EOIP_DHCP_LEASE_KEEPER_H_
