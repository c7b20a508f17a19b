// SPDX-License-Identifier: Apache-2.0
#include "dhcp/lease_keeper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "dhcp/packet_port.h"
#include "dhcp/pod_end.h"
#include "store/envelope.h"

namespace eoip {
namespace {

// How often attachments that are gone are looked for, and what failed is tried
// again.
constexpr absl::Duration kTick = absl::Seconds(1);
constexpr absl::Duration kFirstChangeDelay = absl::Seconds(1);
constexpr absl::Duration kLongestChangeDelay = absl::Seconds(60);
// After a restart of the agent: an ADD that it interrupted tries again for
// 5 s.
constexpr absl::Duration kAddMayReturn = absl::Seconds(10);
// Released leases that are remembered for their addresses.
constexpr size_t kMaxRemembered = 1024;

// The wall clock as it was when the process began, going on evenly, also
// through suspension: a lease does not end because somebody set the clock.
absl::Time SteadyNow() {
  const auto boot_time = [] {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return absl::DurationFromTimespec(now);
  };
  static const absl::Time base = absl::Now() - boot_time();
  return base + boot_time();
}

void Shift(Lease& lease, absl::Duration by) {
  for (absl::Time* time : {&lease.acquired_at, &lease.renew_at,
                           &lease.rebind_at, &lease.expires_at}) {
    *time += by;
  }
}

Lease ToWall(Lease lease) {
  Shift(lease, absl::Now() - SteadyNow());
  return lease;
}

// A lease from a time that is yet to come was written before the clock was set
// back.
Lease FromWall(Lease lease) {
  const absl::Time now = SteadyNow();
  Shift(lease, now - absl::Now());
  if (lease.acquired_at > now) Shift(lease, now - lease.acquired_at);
  return lease;
}

std::string FileOf(const AttachmentKey& key) {
  return absl::StrCat(key.network, "@", key.attachment, ".lease");
}

bool SameTimes(const std::optional<Lease>& a, const std::optional<Lease>& b) {
  return a.has_value() == b.has_value() &&
         (!a || (SameInPod(*a, *b) && a->expires_at == b->expires_at &&
                 a->server == b->server && a->server_mac == b->server_mac));
}

bool SamePod(const std::optional<Lease>& a, const std::optional<Lease>& b) {
  return a.has_value() == b.has_value() && (!a || SameInPod(*a, *b));
}

}  // namespace

LeaseKeeper::LeaseKeeper(Options options, Store* store, StateFolder folder,
                         StateFolder corrupt)
    : options_(std::move(options)),
      store_(store),
      folder_(std::move(folder)),
      corrupt_(std::move(corrupt)) {}

absl::StatusOr<std::unique_ptr<LeaseKeeper>> LeaseKeeper::Open(Options options,
                                                               Store* store) {
  EOIP_ASSIGN_OR_RETURN(StateFolder folder, StateFolder::Open(options.folder));
  EOIP_ASSIGN_OR_RETURN(StateFolder corrupt, StateFolder::Open(absl::StrCat(
                                                 options.folder, "/corrupt")));
  std::unique_ptr<LeaseKeeper> keeper(new LeaseKeeper(
      std::move(options), store, std::move(folder), std::move(corrupt)));
  keeper->wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!keeper->wake_.valid()) return ErrnoToStatus(errno, "eventfd");
  EOIP_RETURN_IF_ERROR(keeper->Load());
  keeper->Resume();
  return keeper;
}

LeaseKeeper::~LeaseKeeper() { Stop(); }

void LeaseKeeper::Start() {
  thread_ = std::thread([this] { Run(); });
}

void LeaseKeeper::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
}

void LeaseKeeper::Wake() {
  const uint64_t one = 1;
  // It can only fail when many wakes are pending.
  if (::write(wake_.get(), &one, sizeof(one)) < 0) return;
}

std::vector<SetAside> LeaseKeeper::set_aside() const {
  absl::MutexLock lock(&mutex_);
  return set_aside_;
}

absl::Status LeaseKeeper::Load() {
  std::vector<std::string> files;
  {
    absl::MutexLock lock(&mutex_);
    EOIP_ASSIGN_OR_RETURN(files, folder_.List());
  }
  for (const std::string& file : files) LoadFile(file);
  return absl::OkStatus();
}

void LeaseKeeper::LoadFile(const std::string& file) {
  absl::MutexLock lock(&mutex_);
  absl::Status status = [&]() -> absl::Status {
    mutex_.AssertHeld();
    EOIP_ASSIGN_OR_RETURN(const std::string bytes, folder_.Read(file));
    EOIP_ASSIGN_OR_RETURN(const Envelope envelope, ParseEnvelope(bytes));
    EOIP_ASSIGN_OR_RETURN(LeaseRecord record,
                          ParseLeaseRecord(envelope.payload));
    if (FileOf(record.key) != file) {
      return absl::DataLossError(
          absl::StrCat("holds another lease, that of ", FileOf(record.key)));
    }
    if (record.lease) record.lease = FromWall(*record.lease);
    if (record.in_pod) record.in_pod = FromWall(*record.in_pod);
    const AttachmentKey key = record.key;
    entries_[key] = std::make_unique<Entry>(
        std::move(record),
        [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return random_(); });
    entries_[key]->saved = true;
    return absl::OkStatus();
  }();
  if (status.ok()) return;
  // The server still knows the client by its id, so the address comes back.
  const std::string as =
      absl::StrCat(file, ".", absl::ToUnixSeconds(absl::Now()));
  const absl::Status moved = folder_.MoveTo(file, corrupt_, as);
  if (!moved.ok()) LogError("lease folder: ", moved.message());
  const std::string path =
      absl::StrCat(moved.ok() ? corrupt_.path() : folder_.path(), "/",
                   moved.ok() ? as : file);
  LogError("lease folder: ", file, ": ", status.message(), "; now ", path);
  set_aside_.push_back({absl::StrCat("lease ", file), path,
                        std::string(status.message()), absl::Now()});
}

// Goes on with every lease whose attachment is there.
void LeaseKeeper::Resume() {
  const Desired desired = store_->Snapshot();
  absl::MutexLock lock(&mutex_);
  const absl::Time now = SteadyNow();
  for (const auto& [key, attachment] : desired.attachments) {
    const AttachmentSpec& spec = attachment->spec;
    if (!spec.dhcp) continue;
    auto it = entries_.find(key);
    const bool known = it != entries_.end() && !it->second->record.released &&
                       it->second->record.spec == *spec.dhcp &&
                       it->second->record.mac == *spec.mac;
    if (!known) {
      if (it != entries_.end()) Forget(it);
      Entry& entry = Begin(spec, now);
      entry.pod_unknown = true;
      entry.change_pod_at = now + kAddMayReturn;
      continue;
    }
    Entry& entry = *it->second;
    entry.attachment = spec;
    entry.wanted = true;
    if (!entry.record.in_pod) entry.change_pod_at = now + kAddMayReturn;
    if (entry.record.lease) {
      entry.client.Adopt(*entry.record.lease, now);
    } else {
      entry.client.Start(now, std::nullopt);
    }
  }
}

const LeaseKeeper::Entry* LeaseKeeper::OwnerOf(
    const AttachmentSpec& attachment) const {
  for (const auto& [key, entry] : entries_) {
    if (entry->wanted && key.network == attachment.network &&
        key.attachment != attachment.id &&
        entry->record.spec.client_id == attachment.dhcp->client_id) {
      return entry.get();
    }
  }
  return nullptr;
}

LeaseKeeper::Entry& LeaseKeeper::Begin(const AttachmentSpec& attachment,
                                       absl::Time now) {
  std::optional<IpAddress> wanted;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto old = it++;
    const LeaseRecord& record = old->second->record;
    if (old->first.network != attachment.network || old->second->wanted ||
        record.spec.client_id != attachment.dhcp->client_id) {
      continue;
    }
    // Also one that waits for its release: the address is not given back and
    // asked for again.
    if (record.lease) wanted = record.lease->address;
    Forget(old);
  }
  const AttachmentKey key{attachment.network, attachment.id};
  LeaseRecord record{
      .key = key, .mac = *attachment.mac, .spec = *attachment.dhcp};
  auto& entry = entries_[key];
  entry = std::make_unique<Entry>(
      std::move(record),
      [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return random_(); });
  entry->attachment = attachment;
  entry->wanted = true;
  entry->client.Start(now, wanted);
  return *entry;
}

absl::Status LeaseKeeper::Acquire(const AttachmentSpec& attachment,
                                  absl::Time deadline) {
  const AttachmentKey key{attachment.network, attachment.id};
  absl::MutexLock lock(&mutex_);
  // The client id may be free for a moment only: that of a pod that just went.
  LookAtStore();
  if (const Entry* owner = OwnerOf(attachment); owner != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        AttachmentName(key), ": attachment.dhcp.client_id is that of ",
        AttachmentName(owner->record.key), ", which has not gone"));
  }
  auto found = entries_.find(key);
  if (found != entries_.end() && found->second->attachment != attachment) {
    found->second->wanted = false;  // another pod's, of the same name
  }
  if (found == entries_.end() || !found->second->wanted) {
    Begin(attachment, SteadyNow()).adding = true;
  } else {
    found->second->adding = true;
  }
  Wake();
  const auto done = [&] {
    mutex_.AssertReaderHeld();
    auto it = entries_.find(key);
    return stopping_ || it == entries_.end() ||
           (it->second->client.lease() && it->second->saved);
  };
  mutex_.AwaitWithDeadline(absl::Condition(&done), deadline);
  if (stopping_) return absl::UnavailableError("the agent is shutting down");
  auto it = entries_.find(key);
  if (it == entries_.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat(AttachmentName(key), ": it was deleted meanwhile"));
  }
  Entry& entry = *it->second;
  entry.adding = false;
  if (entry.client.lease() && entry.saved) {
    if (entry.pod_unknown ||
        !SamePod(entry.record.in_pod, entry.client.lease())) {
      entry.record.in_pod = entry.client.lease();
      entry.pod_unknown = false;
      Save(entry);
    }
    return absl::OkStatus();
  }
  entry.change_pod_at = SteadyNow() + kAddMayReturn;
  if (!entry.write_trouble.empty()) {
    return absl::UnavailableError(entry.write_trouble);
  }
  return absl::FailedPreconditionError(
      absl::StrCat(AttachmentName(key), ": DHCP: ",
                   entry.client.trouble().empty() ? "no DHCP server answers"
                                                  : entry.client.trouble()));
}

void LeaseKeeper::LookAtAll() {
  look_now_ = true;
  Wake();
}

void LeaseKeeper::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
    }
    Work();
    ChangeOnePod();
    Wait();
  }
}

void LeaseKeeper::Wait() {
  std::vector<pollfd> polls{{wake_.get(), POLLIN, 0}};
  absl::Duration wait = absl::InfiniteDuration();
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = SteadyNow();
    if (!entries_.empty()) wait = std::min(wait, look_at_ - now);
    for (const auto& [key, entry] : entries_) {
      if (entry->socket.valid()) {
        polls.push_back({entry->socket.get(), POLLIN, 0});
      }
      if (entry->wanted) wait = std::min(wait, entry->client.next() - now);
      if (PodIsBehind(*entry)) {
        wait = std::min(wait, entry->change_pod_at - now);
      }
    }
  }
  int timeout = -1;
  if (wait != absl::InfiniteDuration()) {
    timeout = static_cast<int>(
        std::max<int64_t>(absl::ToInt64Milliseconds(wait) + 1, 0));
  }
  ::poll(polls.data(), polls.size(), timeout);
  uint64_t count;
  if (::read(wake_.get(), &count, sizeof(count)) < 0) return;  // a timeout
}

void LeaseKeeper::Work() {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = SteadyNow();
  if (look_now_.exchange(false) || now >= look_at_) {
    LookAtStore();
    look_at_ = now + kTick;
  }
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (entry->second->wanted) {
      Serve(*entry->second, now);
    } else if (!Release(*entry->second, now)) {
      Forget(entry);
    }
  }
  size_t remembered = 0;
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto entry = it++;
    if (entry->second->record.released && ++remembered > kMaxRemembered) {
      Forget(entry);
    }
  }
}

void LeaseKeeper::LookAtStore() {
  std::vector<SetAside> aside;
  for (auto& [key, entry] : entries_) {
    if (!entry->wanted || store_->GetAttachment(key) != nullptr) continue;
    // Nobody knows whether an attachment with a damaged file is gone.
    if (aside.empty()) aside = store_->set_aside();
    const std::string name = AttachmentName(key);
    if (std::any_of(aside.begin(), aside.end(), [&](const SetAside& file) {
          return file.resource == name;
        })) {
      continue;
    }
    entry->wanted = false;
    entry->socket.reset();
    options_.tell(key, std::nullopt);
  }
}

void LeaseKeeper::Serve(Entry& entry, absl::Time now) {
  if (now >= entry.client.next()) entry.client.OnTime(now);
  Exchange(entry, now);
  const std::optional<Lease>& lease = entry.client.lease();
  if (!SameTimes(lease, entry.record.lease)) {
    if (!SamePod(lease, entry.record.lease)) {
      const std::string name = AttachmentName(entry.record.key);
      if (lease) {
        LogInfo(name, ": lease of ", lease->address.ToString(), "/",
                lease->prefix_length, " from ", lease->server.ToString());
      } else {
        LogWarning(name, ": ", entry.client.trouble());
      }
      entry.change_pod_at = std::max(now, entry.change_pod_at);
      entry.change_delay = kFirstChangeDelay;
    }
    entry.record.lease = lease;
    if (entry.adding && lease) {  // one write for both
      entry.record.in_pod = lease;
      entry.pod_unknown = false;
    }
    entry.saved = false;
  }
  if (!entry.saved) Save(entry);
  Tell(entry);
}

void LeaseKeeper::Exchange(Entry& entry, absl::Time now) {
  if (!entry.client.listening()) {
    entry.socket.reset();
  } else if (!entry.socket.valid()) {
    auto socket = ListenToPod(entry.attachment.host_link);
    if (socket.ok()) entry.socket = *std::move(socket);
  }
  if (entry.socket.valid()) {
    while (auto frame = Hear(entry.socket.get())) {
      entry.client.OnFrame(frame->bytes, frame->trust_checksum, now);
    }
  }
  for (const std::string& frame : entry.client.TakeFrames()) {
    const absl::Status sent = SendIntoBridge(entry.record.key.network, frame);
    if (!sent.ok()) {
      LogDebug(AttachmentName(entry.record.key), ": ", sent.message());
    }
  }
  if (!entry.client.listening()) entry.socket.reset();
}

bool LeaseKeeper::Release(Entry& entry, absl::Time now) {
  LeaseRecord& record = entry.record;
  if (!record.lease || record.lease->expires_at <= now) return false;
  if (record.released) {
    if (!entry.saved) Save(entry);
    return true;
  }
  if (!options_.reachable(record.key.network)) return true;  // later
  const absl::Status sent = SendIntoBridge(
      record.key.network, entry.client.MakeRelease(*record.lease));
  if (!sent.ok()) return true;
  LogInfo(AttachmentName(record.key), ": released ",
          record.lease->address.ToString());
  record.released = true;
  // A server that never takes leases back need not be remembered forever.
  record.lease->expires_at =
      std::min(record.lease->expires_at, now + absl::Hours(24));
  Save(entry);
  return true;
}

void LeaseKeeper::Save(Entry& entry) {
  LeaseRecord wall = entry.record;
  if (wall.lease) wall.lease = ToWall(*wall.lease);
  if (wall.in_pod) wall.in_pod = ToWall(*wall.in_pod);
  const absl::Status written = folder_.Write(
      FileOf(wall.key), MakeEnvelope({"1", PrintLeaseRecord(wall)}));
  entry.saved = written.ok();
  if (!written.ok() && entry.write_trouble != written.message()) {
    LogError(written.message());
  }
  entry.write_trouble = std::string(written.message());
}

void LeaseKeeper::Forget(Entries::iterator entry) {
  const absl::Status removed = folder_.Remove(FileOf(entry->first));
  if (!removed.ok()) LogError(removed.message());
  entries_.erase(entry);
}

void LeaseKeeper::Tell(Entry& entry) {
  LeaseStatus status;
  status.state = entry.client.state();
  status.lease = entry.client.lease();
  status.reason = !entry.pod_trouble.empty()     ? entry.pod_trouble
                  : !entry.write_trouble.empty() ? entry.write_trouble
                                                 : entry.client.trouble();
  if (entry.told && status.state == entry.told->state &&
      status.reason == entry.told->reason &&
      SameTimes(status.lease, entry.told->lease)) {
    return;
  }
  entry.told = status;
  if (status.lease) status.lease = ToWall(*status.lease);
  options_.tell(entry.record.key, status);
}

bool LeaseKeeper::PodIsBehind(const Entry& entry) const {
  if (!entry.wanted || entry.adding) return false;
  // Without a lease it is not known yet what is wrong in an unknown pod.
  if (entry.pod_unknown) return entry.client.lease().has_value();
  return !SamePod(entry.client.lease(), entry.record.in_pod);
}

void LeaseKeeper::ChangeOnePod() {
  PodChange change;
  AttachmentKey key;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = SteadyNow();
    auto it =
        std::find_if(entries_.begin(), entries_.end(), [&](const auto& each) {
          mutex_.AssertReaderHeld();
          return PodIsBehind(*each.second) && now >= each.second->change_pod_at;
        });
    if (it == entries_.end()) return;
    const Entry& entry = *it->second;
    key = it->first;
    change = {entry.attachment, entry.record.in_pod, entry.client.lease(),
              entry.pod_unknown};
  }
  const absl::Status changed = ChangePodEnd(options_.plugin, change);
  absl::MutexLock lock(&mutex_);
  auto it = entries_.find(key);
  if (it == entries_.end() || !it->second->wanted) return;
  Entry& entry = *it->second;
  if (!changed.ok()) {
    entry.pod_trouble = absl::StrCat(
        "the pod keeps ",
        change.before ? change.before->address.ToString() : "what it has", ": ",
        changed.message());
    LogWarning(AttachmentName(key), ": ", entry.pod_trouble);
    entry.change_pod_at = SteadyNow() + entry.change_delay;
    entry.change_delay = std::clamp(entry.change_delay * 2, kFirstChangeDelay,
                                    kLongestChangeDelay);
  } else {
    LogInfo(AttachmentName(key), ": the pod has ",
            change.after ? change.after->address.ToString() : "no lease",
            " now");
    entry.pod_trouble.clear();
    entry.pod_unknown = false;
    entry.record.in_pod = change.after;
    Save(entry);
  }
  Tell(entry);
}

}  // namespace eoip
