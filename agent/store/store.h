// SPDX-License-Identifier: Apache-2.0
//
// Desired state: in memory, and on disk one file per resource. Thread-safe.
#ifndef EOIP_STORE_STORE_H_
#define EOIP_STORE_STORE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "model/attachment.h"
#include "model/names.h"
#include "model/network.h"
#include "model/tunnel.h"

namespace eoip {

// A resource as stored. etag changes with each Put.
template <typename Spec>
struct Record {
  Spec spec;
  std::string etag;
};
using TunnelRecord = Record<TunnelSpec>;
using NetworkRecord = Record<NetworkSpec>;
using AttachmentRecord = Record<AttachmentSpec>;

// All desired state at one moment. Records are immutable and shared.
struct Desired {
  std::map<std::string, std::shared_ptr<const TunnelRecord>> tunnels;
  std::map<std::string, std::shared_ptr<const NetworkRecord>> networks;
  std::map<AttachmentKey, std::shared_ptr<const AttachmentRecord>> attachments;
  // Link names of tunnels and networks whose state files, or those of one of
  // their attachments, were set aside as corrupt: nobody knows what was wanted,
  // so such links are left alone.
  std::vector<std::string> protected_links;
};

// A state file that could not be read and was set aside.
struct SetAside {
  std::string resource;  // "tunnels/x"
  std::string file;      // where it is now
  std::string reason;
  absl::Time time;  // when it was set aside
};

class Store {
 public:
  virtual ~Store() = default;

  // Durable (fsync of file and folder) when they return OK; on error the
  // previous state holds, in memory and on disk. UNAVAILABLE: cannot write.
  // Attachments outlive this process, not the boot: no link does, so no pod
  // waits for an fsync.
  // Each Put gives the record a new etag and returns it.
  virtual absl::StatusOr<std::string> PutTunnel(const TunnelSpec& spec) = 0;
  virtual absl::StatusOr<std::string> PutNetwork(const NetworkSpec& spec) = 0;
  virtual absl::StatusOr<std::string> PutAttachment(
      const AttachmentSpec& spec) = 0;
  // Deleting what is not there is OK. Ends the protection of a set-aside name.
  virtual absl::Status DeleteTunnel(const std::string& id) = 0;
  virtual absl::Status DeleteNetwork(const std::string& id) = 0;
  // With an etag: only if the record still has it (else OK, nothing is done).
  virtual absl::Status DeleteAttachment(const AttachmentKey& key,
                                        const std::string& etag = "") = 0;

  // The network of source "inline" that no attachment has, with its tunnels of
  // that source; all or, after a failure, the tunnels first. Says which tunnels
  // it deleted. Anything else is left alone.
  virtual absl::StatusOr<std::vector<std::string>> DeleteUnusedNetwork(
      const std::string& id) = 0;

  virtual Desired Snapshot() const = 0;
  // Null: no such resource.
  virtual std::shared_ptr<const TunnelRecord> GetTunnel(
      const std::string& id) const = 0;
  virtual std::shared_ptr<const NetworkRecord> GetNetwork(
      const std::string& id) const = 0;
  virtual std::shared_ptr<const AttachmentRecord> GetAttachment(
      const AttachmentKey& key) const = 0;
  virtual std::vector<SetAside> set_aside() const = 0;
};

}  // namespace eoip

#endif  // EOIP_STORE_STORE_H_
