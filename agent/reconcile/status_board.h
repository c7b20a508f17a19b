// SPDX-License-Identifier: Apache-2.0
//
// How every resource goes, written by the reconcile worker, read by the
// services. Thread-safe.
#ifndef EOIP_RECONCILE_STATUS_BOARD_H_
#define EOIP_RECONCILE_STATUS_BOARD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "model/attachment.h"
#include "model/names.h"
#include "model/network.h"
#include "model/tunnel.h"

namespace eoip {

class StatusBoard {
 public:
  // key is a resource name ("tunnels/x"). Called after each change that a
  // watcher should hear of, without the board's lock, from the thread that
  // made the change; must be quick.
  using Listener = std::function<void(const std::string& key)>;
  void SetListener(Listener listener);

  // last_change is set when the state differs from the one before.
  void SetTunnel(const std::string& id, TunnelStatus status);
  void SetNetwork(const std::string& id, NetworkStatus status);
  void SetAttachment(const AttachmentKey& key, AttachmentStatus status);
  // Kept apart from the rest of its status, which others write. Absent: none.
  void SetLease(const AttachmentKey& key, std::optional<LeaseStatus> lease);
  void EraseTunnel(const std::string& id);
  void EraseNetwork(const std::string& id);
  void EraseAttachment(const AttachmentKey& key);

  // PENDING for what is not known.
  TunnelStatus GetTunnel(const std::string& id) const;
  NetworkStatus GetNetwork(const std::string& id) const;
  AttachmentStatus GetAttachment(const AttachmentKey& key) const;
  std::map<std::string, TunnelStatus> Tunnels() const;
  std::map<std::string, NetworkStatus> Networks() const;
  std::map<AttachmentKey, AttachmentStatus> Attachments() const;  // no leases
  // Names of all resources it knows.
  std::set<std::string> Keys() const;

 private:
  void Notify(const std::string& key);

  mutable absl::Mutex mutex_;
  std::map<std::string, TunnelStatus> tunnels_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, NetworkStatus> networks_ ABSL_GUARDED_BY(mutex_);
  std::map<AttachmentKey, AttachmentStatus> attachments_
      ABSL_GUARDED_BY(mutex_);
  std::map<AttachmentKey, LeaseStatus> leases_ ABSL_GUARDED_BY(mutex_);
  Listener listener_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace eoip

#endif  // EOIP_RECONCILE_STATUS_BOARD_H_
