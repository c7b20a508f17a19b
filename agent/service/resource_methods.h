// SPDX-License-Identifier: Apache-2.0
//
// The methods that tunnels, networks and attachments share: checks, store,
// watchers, one attempt to apply. Thread-safe.
#ifndef EOIP_SERVICE_RESOURCE_METHODS_H_
#define EOIP_SERVICE_RESOURCE_METHODS_H_

#include <google/protobuf/field_mask.pb.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "base/log.h"
#include "base/status.h"
#include "dhcp/lease_keeper.h"
#include "reconcile/reconciler.h"
#include "reconcile/status_board.h"
#include "service/checks.h"
#include "service/convert.h"
#include "service/field_mask.h"
#include "service/pages.h"
#include "service/traits.h"
#include "service/watch_hub.h"
#include "store/store.h"

namespace eoip {

// What the services work on; all of it outlives them.
struct Backend {
  Store* store;
  Applier* applier;
  const StatusBoard* board;
  // Held from the checks between resources until the store has the change.
  absl::Mutex* changes;
  // Null: no attachment can ask for a lease.
  LeaseKeeper* leases = nullptr;
};

template <typename Traits>
class ResourceMethods {
 public:
  using Key = typename Traits::Key;
  using Spec = typename Traits::Spec;
  using Proto = typename Traits::Proto;
  using Hub = WatchHub<Traits>;

  struct Page {
    std::vector<Proto> resources;
    std::string next_token;
  };
  // A record as Create or Update left it.
  struct Written {
    Key key;
    std::string etag;
    // False: it was exactly so before, nothing was written.
    bool changed = false;
    bool created = false;
    Proto proto;  // of validate_only: as it would be
  };

  ResourceMethods(const Backend& backend, const WatchLimits& limits)
      : backend_(backend),
        hub_(
            limits, [this](const std::string& name) { return Load(name); },
            [this] { return LoadAll(); }) {}

  Hub& hub() { return hub_; }
  const Backend& backend() const { return backend_; }

  absl::StatusOr<Proto> Get(const std::string& name) const {
    EOIP_ASSIGN_OR_RETURN(const Key key, Traits::ParseName("name", name));
    const auto record = Traits::Get(*backend_.store, key);
    if (record == nullptr) return NotFound(name);
    return Traits::View(*record, *backend_.board);
  }

  // Ordered by name. scope: what else than the kind of resource says what is
  // listed; filter: which of them.
  absl::StatusOr<Page> List(
      int32_t page_size, const std::string& page_token,
      const std::string& scope,
      const std::function<bool(const Key&)>& filter) const {
    EOIP_ASSIGN_OR_RETURN(const size_t size, ReadPageSize(page_size));
    const std::string full_scope = absl::StrCat(Traits::kWord, ":", scope);
    EOIP_ASSIGN_OR_RETURN(const std::string after,
                          ReadPageToken(full_scope, page_token));
    const Desired desired = backend_.store->Snapshot();
    std::vector<std::pair<std::string, const Record<Spec>*>> found;
    for (const auto& [key, record] : Traits::RecordsOf(desired)) {
      std::string name = Traits::NameOf(key);
      if (name > after && filter(key)) {
        found.emplace_back(std::move(name), record.get());
      }
    }
    // Keys of two parts are not in the order of their names.
    std::sort(found.begin(), found.end());
    Page page;
    for (const auto& [name, record] : found) {
      if (page.resources.size() == size) {
        page.next_token =
            MakePageToken(full_scope, page.resources.back().name());
        break;
      }
      page.resources.push_back(Traits::View(*record, *backend_.board));
    }
    return page;
  }

  // As Get, for the answer to a change.
  absl::StatusOr<Proto> Now(const Written& written) const {
    if (!written.changed && !written.proto.name().empty()) {
      return written.proto;
    }
    return Get(Traits::NameOf(written.key));
  }

  // What else a Create has to check or to store, under the lock of changes.
  struct Companions {
    // Before the resource is checked against the state.
    std::function<absl::Status(State* state)> check;
    // After it was stored, also when it was there. An error undoes it.
    std::function<absl::Status()> store;
  };

  // Until the change is durable; the caller applies it (Apply). The same
  // again: ALREADY_EXISTS, or OK and unchanged where repeat_is_ok.
  absl::StatusOr<Written> Create(const Proto& proto, bool validate_only,
                                 bool repeat_is_ok,
                                 const Companions& with = {}) {
    EOIP_ASSIGN_OR_RETURN(const Spec spec, Read(proto));
    absl::MutexLock lock(backend_.changes);
    State state = StateNow();
    if (with.check) EOIP_RETURN_IF_ERROR(with.check(&state));
    EOIP_ASSIGN_OR_RETURN(
        Written written,
        CreateLocked(state, spec, validate_only, repeat_is_ok));
    if (validate_only || !with.store) return written;
    const absl::Status stored = with.store();
    if (stored.ok()) return written;
    if (written.created)
      Traits::Delete(*backend_.store, written.key).IgnoreError();
    return stored;
  }

  absl::StatusOr<Written> Update(const Proto& proto,
                                 const google::protobuf::FieldMask& mask,
                                 bool allow_missing, bool validate_only) {
    EOIP_ASSIGN_OR_RETURN(
        const Key key,
        Traits::ParseName(absl::StrCat(Traits::kWord, ".name"), proto.name()));
    EOIP_RETURN_IF_ERROR(
        RefuseUnknownFields(std::string(Traits::kWord), proto));
    absl::MutexLock lock(backend_.changes);
    const auto record = Traits::Get(*backend_.store, key);
    if (record == nullptr) {
      if (!allow_missing) return NotFound(proto.name());
      if (!proto.etag().empty()) return EtagMismatch(proto.etag());
      EOIP_ASSIGN_OR_RETURN(const Spec spec, Read(proto));
      return CreateLocked(StateNow(), spec, validate_only,
                          /*repeat_is_ok=*/false);
    }
    if (!proto.etag().empty() && proto.etag() != record->etag) {
      return EtagMismatch(proto.etag());
    }
    Proto merged = ToProto(record->spec);
    EOIP_RETURN_IF_ERROR(
        ApplyFieldMask(mask, Traits::OutputFields(), proto, &merged));
    // What is immutable is named first: a changed kind makes other fields,
    // which are not at fault, wrong too.
    EOIP_ASSIGN_OR_RETURN(Spec spec, FromProto(merged));
    EOIP_RETURN_IF_ERROR(
        Traits::PrepareUpdate(*backend_.board, record->spec, &spec));
    EOIP_RETURN_IF_ERROR(Traits::Validate(spec));
    EOIP_RETURN_IF_ERROR(Traits::Check(StateNow(), spec));
    Written written{key, record->etag};
    if (validate_only) {
      written.proto = Traits::View({spec, ""}, *backend_.board);
      return written;
    }
    if (spec == record->spec) return written;
    EOIP_ASSIGN_OR_RETURN(written.etag, Traits::Put(*backend_.store, spec));
    written.changed = true;
    return written;
  }

  // OK with changed false: there was nothing to delete.
  absl::StatusOr<Written> Delete(const std::string& name,
                                 const std::string& etag, bool allow_missing,
                                 bool validate_only) {
    EOIP_ASSIGN_OR_RETURN(const Key key, Traits::ParseName("name", name));
    absl::MutexLock lock(backend_.changes);
    const auto record = Traits::Get(*backend_.store, key);
    const State state = StateNow();
    const bool set_aside =
        std::any_of(state.set_aside.begin(), state.set_aside.end(),
                    [&](const SetAside& a) { return a.resource == name; });
    Written written{key, ""};
    if (record == nullptr && !set_aside) {
      if (!allow_missing) return NotFound(name);
      return written;
    }
    if (!etag.empty() && (record == nullptr || etag != record->etag)) {
      return EtagMismatch(etag);
    }
    EOIP_RETURN_IF_ERROR(Traits::CheckDelete(state, key));
    if (validate_only) return written;
    EOIP_RETURN_IF_ERROR(Traits::Delete(*backend_.store, key));
    written.changed = true;
    return written;
  }

  // Tells the watchers and tries once. How it went is on the board; an error
  // says only that the attempt has not ended.
  absl::Status Apply(absl::string_view verb, const Key& key,
                     absl::Time deadline) {
    const std::string name = Traits::NameOf(key);
    LogInfo(verb, " ", name);
    hub_.Notify(name);
    return backend_.applier->Apply(name, deadline);
  }

 private:
  static absl::Status NotFound(const std::string& name) {
    return absl::NotFoundError(
        absl::StrCat("name: '", name, "': there is no such ", Traits::kWord));
  }
  static absl::Status EtagMismatch(const std::string& etag) {
    // Any text may come in; ABORTED with FieldError's form.
    return absl::AbortedError(
        FieldError("etag", etag, "the present one; read the resource again")
            .message());
  }

  static absl::StatusOr<Spec> Read(const Proto& proto) {
    EOIP_ASSIGN_OR_RETURN(Spec spec, FromProto(proto));
    EOIP_RETURN_IF_ERROR(Traits::Validate(spec));
    return spec;
  }

  State StateNow() const {
    return {backend_.store->Snapshot(), backend_.store->set_aside()};
  }

  absl::StatusOr<Written> CreateLocked(const State& state, const Spec& spec,
                                       bool validate_only, bool repeat_is_ok) {
    const Key key = Traits::KeyOf(spec);
    if (const auto record = Traits::Get(*backend_.store, key);
        record != nullptr) {
      if (repeat_is_ok && record->spec == spec) {
        return Written{key, record->etag, false, false,
                       Traits::View(*record, *backend_.board)};
      }
      return absl::AlreadyExistsError(absl::StrCat(
          Traits::kWord, ".name: '", Traits::NameOf(key), "': exists already"));
    }
    EOIP_RETURN_IF_ERROR(Traits::Check(state, spec));
    Written written{key, ""};
    if (validate_only) {
      written.proto = Traits::View({spec, ""}, *backend_.board);
      return written;
    }
    EOIP_ASSIGN_OR_RETURN(written.etag, Traits::Put(*backend_.store, spec));
    written.changed = written.created = true;
    return written;
  }

  typename Hub::Shared Load(const std::string& name) const {
    const auto key = Traits::ParseName("name", name);
    const auto record = key.ok() ? Traits::Get(*backend_.store, *key) : nullptr;
    if (record == nullptr) return nullptr;
    return std::make_shared<const Proto>(
        Traits::View(*record, *backend_.board));
  }

  std::map<std::string, typename Hub::Shared> LoadAll() const {
    std::map<std::string, typename Hub::Shared> all;
    const Desired desired = backend_.store->Snapshot();
    for (const auto& [key, record] : Traits::RecordsOf(desired)) {
      all[Traits::NameOf(key)] =
          std::make_shared<const Proto>(Traits::View(*record, *backend_.board));
    }
    return all;
  }

  const Backend backend_;
  Hub hub_;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_RESOURCE_METHODS_H_
