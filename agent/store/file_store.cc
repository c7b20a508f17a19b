// SPDX-License-Identifier: Apache-2.0
#include "store/file_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "store/envelope.h"

namespace eoip {
namespace {

constexpr absl::string_view kSuffix = ".json";

// What the three kinds of resources do not share.
std::string KeyOf(const TunnelSpec& spec) { return spec.id; }
std::string KeyOf(const NetworkSpec& spec) { return spec.id; }
AttachmentKey KeyOf(const AttachmentSpec& spec) {
  return {spec.network, spec.id};
}

absl::Status Validate(const TunnelSpec& spec) { return ValidateTunnel(spec); }
absl::Status Validate(const NetworkSpec& spec) { return ValidateNetwork(spec); }
absl::Status Validate(const AttachmentSpec& spec) {
  return ValidateAttachment(spec);
}

std::string FileOf(const std::string& id) { return absl::StrCat(id, kSuffix); }
std::string FileOf(const AttachmentKey& key) {
  return absl::StrCat(key.network, "@", key.attachment, kSuffix);
}

// The resource that a file of that folder ("tunnels", ...) is to hold, also
// for names that no resource can have.
std::string ResourceOf(absl::string_view folder, absl::string_view file) {
  const absl::string_view stem = absl::StripSuffix(file, kSuffix);
  const size_t at = stem.find('@');
  if (folder == "attachments" && at != absl::string_view::npos) {
    return AttachmentName(
        {std::string(stem.substr(0, at)), std::string(stem.substr(at + 1))});
  }
  return absl::StrCat(folder, "/", stem);
}

std::string NewEtag() {
  uint64_t random;
  // 8 bytes are never cut short, and the kernel's generator is seeded by the
  // time an agent starts (getrandom(2)).
  while (::getrandom(&random, sizeof(random), 0) != sizeof(random)) {
  }
  return absl::StrFormat("%016x", random);
}

std::string BaseName(absl::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

// Attachments of an earlier boot: their links are gone with it, and what a
// power loss left of their files may be anything. A state folder that does not
// know its boot is taken as one of now: nothing is dropped on a guess.
absl::Status DropOfEarlierBoot(StateFolder& root, StateFolder& attachments) {
  constexpr char kBoot[] = "boot";
  EOIP_ASSIGN_OR_RETURN(const StateFolder proc,
                        StateFolder::Open("/proc/sys/kernel/random"));
  EOIP_ASSIGN_OR_RETURN(const std::string now, proc.Read("boot_id"));
  const auto before = root.Read(kBoot);
  if (before.ok() && *before == now) return absl::OkStatus();
  if (before.ok()) {
    EOIP_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                          attachments.List());
    for (const std::string& file : files) {
      if (!absl::EndsWith(file, kSuffix)) continue;
      EOIP_RETURN_IF_ERROR(attachments.Remove(file));
    }
  }
  return root.Write(kBoot, now);
}

absl::StatusOr<UniqueFd> LockFolder(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/lock");
  UniqueFd fd(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return ErrnoToStatus(errno, absl::StrCat("open ", path));
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return ErrnoToStatus(errno, absl::StrCat("lock ", path));
    }
    return absl::FailedPreconditionError(
        absl::StrCat("state folder ", folder, ": another agent has it open"));
  }
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileStore>> FileStore::Open(
    const std::string& folder, std::unique_ptr<const Codec> codec) {
  EOIP_ASSIGN_OR_RETURN(StateFolder root, StateFolder::Open(folder));
  EOIP_ASSIGN_OR_RETURN(UniqueFd lock, LockFolder(folder));
  EOIP_ASSIGN_OR_RETURN(StateFolder tunnels,
                        StateFolder::Open(folder + "/tunnels"));
  EOIP_ASSIGN_OR_RETURN(StateFolder networks,
                        StateFolder::Open(folder + "/networks"));
  EOIP_ASSIGN_OR_RETURN(
      StateFolder attachments,
      StateFolder::Open(folder + "/attachments", Durability::kProcessEnd));
  // A full disk must not keep the agent from starting.
  if (absl::Status status = DropOfEarlierBoot(root, attachments);
      !status.ok()) {
    LogWarning("state folder: attachments of an earlier boot: ",
               status.message());
  }
  EOIP_ASSIGN_OR_RETURN(StateFolder corrupt,
                        StateFolder::Open(folder + "/corrupt"));
  auto store = std::unique_ptr<FileStore>(new FileStore(
      std::move(lock), std::move(codec), std::move(tunnels),
      std::move(networks), std::move(attachments), std::move(corrupt)));
  EOIP_RETURN_IF_ERROR(store->Load());
  return store;
}

FileStore::FileStore(UniqueFd lock, std::unique_ptr<const Codec> codec,
                     StateFolder tunnels, StateFolder networks,
                     StateFolder attachments, StateFolder corrupt)
    : lock_(std::move(lock)),
      codec_(std::move(codec)),
      tunnel_folder_(std::move(tunnels)),
      network_folder_(std::move(networks)),
      attachment_folder_(std::move(attachments)),
      corrupt_folder_(std::move(corrupt)) {}

absl::Status FileStore::Load() {
  absl::MutexLock write(&write_mutex_);
  EOIP_RETURN_IF_ERROR(LoadCorrupt());
  EOIP_RETURN_IF_ERROR(LoadFolder(tunnel_folder_, desired_.tunnels));
  EOIP_RETURN_IF_ERROR(LoadFolder(network_folder_, desired_.networks));
  return LoadFolder(attachment_folder_, desired_.attachments);
}

// What earlier starts set aside: "tunnels@x.json.1".
absl::Status FileStore::LoadCorrupt() {
  EOIP_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                        corrupt_folder_.List());
  absl::MutexLock lock(&mutex_);
  for (const std::string& file : files) {
    const size_t at = file.find('@');
    const size_t dot = file.rfind('.');
    if (at == std::string::npos || dot == std::string::npos || dot < at) {
      continue;
    }
    set_aside_.push_back(
        {ResourceOf(file.substr(0, at), file.substr(at + 1, dot - at - 1)),
         absl::StrCat(corrupt_folder_.path(), "/", file),
         "set aside at an earlier start", corrupt_folder_.ChangedAt(file)});
  }
  return absl::OkStatus();
}

template <typename Key, typename Spec>
absl::Status FileStore::LoadFolder(StateFolder& folder,
                                   Records<Key, Spec>& records) {
  EOIP_ASSIGN_OR_RETURN(const std::vector<std::string> files, folder.List());
  for (const std::string& file : files) {
    if (!absl::EndsWith(file, kSuffix)) {
      LogWarning("state folder: ", folder.path(), "/", file,
                 " is not a state file, it is left alone");
      continue;
    }
    const absl::Status loaded = LoadFile<Key, Spec>(folder, file, records);
    if (absl::IsFailedPrecondition(loaded)) return loaded;
    if (!loaded.ok()) {
      SetFileAside(folder, file, ResourceOf(BaseName(folder.path()), file),
                   loaded);
    }
  }
  return absl::OkStatus();
}

// FAILED_PRECONDITION: of a newer version. Any other error: to be set aside.
template <typename Key, typename Spec>
absl::Status FileStore::LoadFile(StateFolder& folder, const std::string& file,
                                 Records<Key, Spec>& records) {
  EOIP_ASSIGN_OR_RETURN(const std::string bytes, folder.Read(file));
  absl::StatusOr<Envelope> envelope = ParseEnvelope(bytes);
  if (absl::IsFailedPrecondition(envelope.status())) {
    return Annotate(envelope.status(), absl::StrCat(folder.path(), "/", file));
  }
  EOIP_RETURN_IF_ERROR(envelope.status());
  auto record = std::make_shared<Record<Spec>>();
  absl::Status status = codec_->Decode(envelope->payload, &record->spec);
  if (status.ok()) status = Validate(record->spec);
  if (!status.ok()) {
    // Whatever its code: this file cannot be used.
    return absl::DataLossError(status.message());
  }
  const Key key = KeyOf(record->spec);
  if (FileOf(key) != file) {
    return absl::DataLossError(
        absl::StrCat("holds another resource, that of ", FileOf(key)));
  }
  record->etag = std::move(envelope->etag);
  absl::MutexLock lock(&mutex_);
  records[key] = std::move(record);
  return absl::OkStatus();
}

void FileStore::SetFileAside(StateFolder& folder, const std::string& file,
                             const std::string& resource,
                             const absl::Status& why) {
  std::string path = absl::StrCat(folder.path(), "/", file);
  const std::vector<std::string> present =
      corrupt_folder_.List().value_or(std::vector<std::string>{});
  for (int n = 1;; ++n) {
    const std::string as =
        absl::StrCat(BaseName(folder.path()), "@", file, ".", n);
    if (std::find(present.begin(), present.end(), as) != present.end()) {
      continue;
    }
    const absl::Status moved = folder.MoveTo(file, corrupt_folder_, as);
    if (moved.ok()) {
      path = absl::StrCat(corrupt_folder_.path(), "/", as);
    } else {
      LogError("state folder: ", moved.message());
    }
    break;
  }
  LogError("state folder: ", resource, ": ", why.message(), "; now ", path);
  absl::MutexLock lock(&mutex_);
  set_aside_.push_back(
      {resource, std::move(path), std::string(why.message()), absl::Now()});
}

template <typename Key, typename Spec>
absl::StatusOr<std::string> FileStore::Put(StateFolder& folder,
                                           Records<Key, Spec>& records,
                                           const Spec& spec) {
  const Key key = KeyOf(spec);
  auto record = std::make_shared<Record<Spec>>();
  record->spec = spec;
  record->etag = NewEtag();
  const std::shared_ptr<const Record<Spec>> old = Get(records, key);
  const absl::Status written = folder.Write(
      FileOf(key), MakeEnvelope({record->etag, codec_->Encode(spec)}));
  if (!written.ok()) {
    // Only where the folder's fsync failed there is anything to restore; then
    // this is all that can be tried.
    if (old == nullptr) {
      folder.Remove(FileOf(key)).IgnoreError();
    } else {
      folder
          .Write(FileOf(key),
                 MakeEnvelope({old->etag, codec_->Encode(old->spec)}))
          .IgnoreError();
    }
    return written;
  }
  std::string etag = record->etag;
  absl::MutexLock lock(&mutex_);
  records[key] = std::move(record);
  return etag;
}

template <typename Key, typename Spec>
absl::Status FileStore::Delete(StateFolder& folder, Records<Key, Spec>& records,
                               const Key& key, const std::string& etag) {
  const std::shared_ptr<const Record<Spec>> old = Get(records, key);
  if (!etag.empty() && (old == nullptr || old->etag != etag)) {
    return absl::OkStatus();
  }
  const std::string resource = ResourceOf(BaseName(folder.path()), FileOf(key));
  std::vector<SetAside> set_aside;
  {
    absl::MutexLock lock(&mutex_);
    set_aside = set_aside_;
  }
  for (const SetAside& aside : set_aside) {
    if (aside.resource == resource) {
      EOIP_RETURN_IF_ERROR(corrupt_folder_.Remove(BaseName(aside.file)));
    }
  }
  if (absl::Status removed = folder.Remove(FileOf(key)); !removed.ok()) {
    if (old != nullptr) {
      folder
          .Write(FileOf(key),
                 MakeEnvelope({old->etag, codec_->Encode(old->spec)}))
          .IgnoreError();
    }
    return removed;
  }
  absl::MutexLock lock(&mutex_);
  records.erase(key);
  set_aside_.erase(std::remove_if(set_aside_.begin(), set_aside_.end(),
                                  [&](const SetAside& aside) {
                                    return aside.resource == resource;
                                  }),
                   set_aside_.end());
  return absl::OkStatus();
}

template <typename Key, typename Spec>
std::shared_ptr<const Record<Spec>> FileStore::Get(
    const Records<Key, Spec>& records, const Key& key) const {
  absl::MutexLock lock(&mutex_);
  auto it = records.find(key);
  return it == records.end() ? nullptr : it->second;
}

absl::StatusOr<std::string> FileStore::PutTunnel(const TunnelSpec& spec) {
  absl::MutexLock write(&write_mutex_);
  return Put(tunnel_folder_, desired_.tunnels, spec);
}

absl::StatusOr<std::string> FileStore::PutNetwork(const NetworkSpec& spec) {
  absl::MutexLock write(&write_mutex_);
  return Put(network_folder_, desired_.networks, spec);
}

absl::StatusOr<std::string> FileStore::PutAttachment(
    const AttachmentSpec& spec) {
  absl::MutexLock write(&write_mutex_);
  return Put(attachment_folder_, desired_.attachments, spec);
}

absl::Status FileStore::DeleteTunnel(const std::string& id) {
  absl::MutexLock write(&write_mutex_);
  return Delete(tunnel_folder_, desired_.tunnels, id, "");
}

absl::Status FileStore::DeleteNetwork(const std::string& id) {
  absl::MutexLock write(&write_mutex_);
  return Delete(network_folder_, desired_.networks, id, "");
}

absl::Status FileStore::DeleteAttachment(const AttachmentKey& key,
                                         const std::string& etag) {
  absl::MutexLock write(&write_mutex_);
  return Delete(attachment_folder_, desired_.attachments, key, etag);
}

absl::StatusOr<std::vector<std::string>> FileStore::DeleteUnusedNetwork(
    const std::string& id) {
  absl::MutexLock write(&write_mutex_);
  const Desired now = Snapshot();
  std::vector<std::string> deleted;
  const auto network = now.networks.find(id);
  if (network == now.networks.end() ||
      network->second->spec.source != kInlineSource) {
    return deleted;
  }
  const auto first = now.attachments.lower_bound(AttachmentKey{id, ""});
  if (first != now.attachments.end() && first->first.network == id) {
    return deleted;
  }
  for (const PortSpec& port : network->second->spec.ports) {
    const auto tunnel = now.tunnels.find(port.tunnel);
    if (tunnel == now.tunnels.end() ||
        tunnel->second->spec.source != kInlineSource) {
      continue;
    }
    EOIP_RETURN_IF_ERROR(
        Delete(tunnel_folder_, desired_.tunnels, port.tunnel, ""));
    deleted.push_back(port.tunnel);
  }
  EOIP_RETURN_IF_ERROR(Delete(network_folder_, desired_.networks, id, ""));
  return deleted;
}

Desired FileStore::Snapshot() const {
  absl::MutexLock lock(&mutex_);
  Desired snapshot = desired_;
  std::set<std::string> protected_links;
  for (const SetAside& aside : set_aside_) {
    if (const auto key = ParseAttachmentName("", aside.resource);
        key.ok() && !Exists(aside.resource)) {
      protected_links.insert(key->network);
    }
    absl::string_view id = aside.resource;
    if (!absl::ConsumePrefix(&id, "tunnels/") &&
        !absl::ConsumePrefix(&id, "networks/")) {
      continue;
    }
    // A path of an attachment, or a file that no resource can have made.
    if (!ValidateLinkName("", id).ok() || Exists(aside.resource)) continue;
    protected_links.emplace(id);
  }
  snapshot.protected_links.assign(protected_links.begin(),
                                  protected_links.end());
  return snapshot;
}

std::shared_ptr<const TunnelRecord> FileStore::GetTunnel(
    const std::string& id) const {
  return Get(desired_.tunnels, id);
}

std::shared_ptr<const NetworkRecord> FileStore::GetNetwork(
    const std::string& id) const {
  return Get(desired_.networks, id);
}

std::shared_ptr<const AttachmentRecord> FileStore::GetAttachment(
    const AttachmentKey& key) const {
  return Get(desired_.attachments, key);
}

bool FileStore::Exists(const std::string& resource) const {
  if (const auto id = ParseTunnelName("", resource); id.ok()) {
    return desired_.tunnels.count(*id) > 0;
  }
  if (const auto id = ParseNetworkName("", resource); id.ok()) {
    return desired_.networks.count(*id) > 0;
  }
  const auto key = ParseAttachmentName("", resource);
  return key.ok() && desired_.attachments.count(*key) > 0;
}

std::vector<SetAside> FileStore::set_aside() const {
  absl::MutexLock lock(&mutex_);
  std::vector<SetAside> result;
  for (const SetAside& aside : set_aside_) {
    if (!Exists(aside.resource)) result.push_back(aside);
  }
  return result;
}

}  // namespace eoip
