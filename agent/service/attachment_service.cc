// SPDX-License-Identifier: Apache-2.0
#include "service/attachment_service.h"

#include <algorithm>
#include <functional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/log.h"
#include "base/status.h"
#include "model/names.h"
#include "service/call.h"

namespace eoip {
namespace {

// "" and "networks/-": all.
absl::StatusOr<std::string> ParseParent(const std::string& parent) {
  if (parent.empty() || parent == "networks/-") return std::string();
  return ParseNetworkName("parent", parent);
}

// What the network has to say, where it may be the cause.
std::string NetworkTrouble(const StatusBoard& board, const std::string& id) {
  const NetworkStatus status = board.GetNetwork(id);
  if (status.state == NetworkState::kActive ||
      status.state == NetworkState::kDegraded) {
    return "";
  }
  return absl::StrCat("; ", NetworkName(id), " is ", ToString(status.state),
                      status.reason.empty() ? "" : ": ", status.reason);
}

}  // namespace

absl::Status AttachmentServiceImpl::ApplyToTheEnd(
    absl::string_view verb, const AttachmentKey& key,
    const grpc::ServerContext& context) {
  constexpr absl::Duration kLongestPause = absl::Milliseconds(100);
  const Backend& backend = methods_.backend();
  const absl::Time deadline = ApplyDeadline(context);
  absl::Status applied = methods_.Apply(verb, key, deadline);
  absl::Duration pause = absl::Milliseconds(1);
  while (applied.ok() && absl::Now() + pause < deadline &&
         backend.store->GetAttachment(key) != nullptr &&
         backend.board->GetAttachment(key).state == AttachmentState::kPending) {
    absl::SleepFor(pause);
    pause = std::min(pause * 2, kLongestPause);
    applied = backend.applier->Apply(AttachmentName(key), deadline);
  }
  return applied;
}

absl::Status AttachmentServiceImpl::Outcome(const Methods::Written& written,
                                            const std::string& host_link,
                                            const absl::Status& applied) const {
  const Backend& backend = methods_.backend();
  const std::string name = AttachmentName(written.key);
  if (!applied.ok()) return applied;
  const AttachmentStatus status = backend.board->GetAttachment(written.key);
  const std::string trouble =
      NetworkTrouble(*backend.board, written.key.network);
  switch (status.state) {
    case AttachmentState::kActive:
      break;
    case AttachmentState::kFailed:
      return absl::FailedPreconditionError(
          absl::StrCat(name, ": ", status.reason, trouble));
    case AttachmentState::kPending:
    case AttachmentState::kDeleting:
      if (backend.store->GetAttachment(written.key) != nullptr) {
        return absl::DeadlineExceededError(absl::StrCat(
            name, ": not applied in time: ", status.reason, trouble));
      }
      break;
  }
  // The worker forgets an attachment whose link is gone.
  if (backend.store->GetAttachment(written.key) == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("attachment.host_link: '", host_link,
                     "': there is no such link, so ", name, " is forgotten"));
  }
  return absl::OkStatus();
}

absl::Status AttachmentServiceImpl::AcquireLease(
    const AttachmentKey& key, const grpc::ServerContext& context) {
  constexpr absl::Duration kPatience = absl::Seconds(8);
  // So that the caller hears of it before its own patience ends.
  constexpr absl::Duration kMargin = absl::Milliseconds(200);
  const Backend& backend = methods_.backend();
  const auto record = backend.store->GetAttachment(key);
  if (record == nullptr || !record->spec.dhcp) return absl::OkStatus();
  if (backend.leases == nullptr) {
    return absl::FailedPreconditionError(
        "attachment.dhcp: this agent keeps no leases");
  }
  absl::Time deadline = absl::Now() + kPatience;
  if (context.deadline() < absl::ToChronoTime(deadline + kMargin)) {
    deadline = absl::FromChrono(context.deadline()) - kMargin;
  }
  return backend.leases->Acquire(record->spec, deadline);
}

void AttachmentServiceImpl::Undo(const Methods::Written& written) {
  const absl::Status deleted =
      methods_.backend().store->DeleteAttachment(written.key, written.etag);
  if (!deleted.ok()) {
    LogError("undo ", AttachmentName(written.key), ": ", deleted.message());
  }
  // Queued only: the caller has waited enough.
  methods_.Apply("undid", written.key, absl::Now()).IgnoreError();
}

grpc::Status AttachmentServiceImpl::Answer(
    const absl::StatusOr<Methods::Written>& written,
    const std::string& host_link, const grpc::ServerContext& context,
    v1::Attachment* response) {
  if (!written.ok()) return ToGrpc(written.status());
  if (written->changed) {
    const absl::Status applied = ApplyToTheEnd(
        written->created ? "created" : "updated", written->key, context);
    if (written->created) {
      absl::Status outcome = Outcome(*written, host_link, applied);
      if (outcome.ok()) outcome = AcquireLease(written->key, context);
      if (!outcome.ok()) {
        Undo(*written);
        return ToGrpc(outcome);
      }
    }
  }
  auto now = methods_.Now(*written);
  if (!now.ok()) return ToGrpc(now.status());
  *response = *std::move(now);
  return grpc::Status::OK;
}

absl::Status AttachmentServiceImpl::StoreInline(const InlineNetwork& wanted) {
  Store& store = *methods_.backend().store;
  // The attachment first, the tunnels last: at each moment something uses what
  // is there, or it would be forgotten.
  bool made = false;
  if (store.GetNetwork(wanted.network.id) == nullptr) {
    EOIP_RETURN_IF_ERROR(store.PutNetwork(wanted.network).status());
    made = true;
  }
  for (const TunnelSpec& tunnel : wanted.tunnels) {
    if (store.GetTunnel(tunnel.id) != nullptr) continue;
    EOIP_RETURN_IF_ERROR(store.PutTunnel(tunnel).status());
    // Queued only; the attachment's turn comes afterwards.
    tunnels_.Apply("created", tunnel.id, absl::InfinitePast()).IgnoreError();
    made = true;
  }
  if (made) {
    networks_.Apply("created", wanted.network.id, absl::InfinitePast())
        .IgnoreError();
  }
  return absl::OkStatus();
}

absl::StatusOr<AttachmentServiceImpl::Methods::Written>
AttachmentServiceImpl::CreateWithNetwork(
    const v1::CreateAttachmentRequest& request) {
  EOIP_ASSIGN_OR_RETURN(const InlineNetwork wanted,
                        ReadInlineNetwork(request.inline_network()));
  const std::string& name = request.attachment().name();
  const auto key = ParseAttachmentName("attachment.name", name);
  if (key.ok() && key->network != wanted.network.id) {
    return FieldError("inline_network.network.name",
                      NetworkName(wanted.network.id),
                      absl::StrCat("the network of ", name));
  }
  Methods::Companions with;
  with.check = [&](State* state) { return AddInlineNetwork(wanted, state); };
  with.store = [&] { return StoreInline(wanted); };
  return methods_.Create(request.attachment(), request.validate_only(),
                         /*repeat_is_ok=*/true, with);
}

grpc::Status AttachmentServiceImpl::CreateAttachment(
    grpc::ServerContext* context, const v1::CreateAttachmentRequest* request,
    v1::Attachment* response) {
  LogCall(*context, "CreateAttachment", request->attachment().name());
  const auto written =
      request->has_inline_network()
          ? CreateWithNetwork(*request)
          : methods_.Create(request->attachment(), request->validate_only(),
                            /*repeat_is_ok=*/true);
  if (!written.ok() || written->changed || request->validate_only()) {
    return Answer(written, request->attachment().host_link(), *context,
                  response);
  }
  // The same again: it is to hold now, but what was there before stays.
  absl::Status outcome =
      Outcome(*written, request->attachment().host_link(),
              ApplyToTheEnd("repeated", written->key, *context));
  if (outcome.ok()) outcome = AcquireLease(written->key, *context);
  if (!outcome.ok()) return ToGrpc(outcome);
  auto now = methods_.Get(AttachmentName(written->key));
  if (!now.ok()) return ToGrpc(now.status());
  *response = *std::move(now);
  return grpc::Status::OK;
}

grpc::Status AttachmentServiceImpl::GetAttachment(
    grpc::ServerContext* context, const v1::GetAttachmentRequest* request,
    v1::Attachment* response) {
  LogCall(*context, "GetAttachment", request->name());
  auto attachment = methods_.Get(request->name());
  if (!attachment.ok()) return ToGrpc(attachment.status());
  *response = *std::move(attachment);
  return grpc::Status::OK;
}

grpc::Status AttachmentServiceImpl::ListAttachments(
    grpc::ServerContext* context, const v1::ListAttachmentsRequest* request,
    v1::ListAttachmentsResponse* response) {
  LogCall(*context, "ListAttachments", request->parent());
  const auto network = ParseParent(request->parent());
  if (!network.ok()) return ToGrpc(network.status());
  auto page =
      methods_.List(request->page_size(), request->page_token(), *network,
                    [&](const AttachmentKey& key) {
                      return network->empty() || key.network == *network;
                    });
  if (!page.ok()) return ToGrpc(page.status());
  for (v1::Attachment& attachment : page->resources) {
    *response->add_attachments() = std::move(attachment);
  }
  response->set_next_page_token(page->next_token);
  return grpc::Status::OK;
}

grpc::Status AttachmentServiceImpl::UpdateAttachment(
    grpc::ServerContext* context, const v1::UpdateAttachmentRequest* request,
    v1::Attachment* response) {
  LogCall(*context, "UpdateAttachment", request->attachment().name());
  return Answer(
      methods_.Update(request->attachment(), request->update_mask(),
                      request->allow_missing(), request->validate_only()),
      request->attachment().host_link(), *context, response);
}

grpc::Status AttachmentServiceImpl::DeleteAttachment(
    grpc::ServerContext* context, const v1::DeleteAttachmentRequest* request,
    google::protobuf::Empty*) {
  LogCall(*context, "DeleteAttachment", request->name());
  const auto deleted =
      methods_.Delete(request->name(), request->etag(),
                      request->allow_missing(), request->validate_only());
  if (!deleted.ok()) return ToGrpc(deleted.status());
  if (deleted->changed) {
    methods_.Apply("deleted", deleted->key, ApplyDeadline(*context))
        .IgnoreError();
  }
  return grpc::Status::OK;
}

grpc::ServerWriteReactor<v1::WatchAttachmentsResponse>*
AttachmentServiceImpl::WatchAttachments(
    grpc::CallbackServerContext* context,
    const v1::WatchAttachmentsRequest* request) {
  LogCall(*context, "WatchAttachments", request->name());
  const auto parent = ParseParent(request->parent());
  if (!parent.ok()) {
    return new FailedWatch<v1::WatchAttachmentsResponse>(parent.status());
  }
  const std::string wanted = request->name();
  if (!wanted.empty()) {
    absl::Status status = ParseAttachmentName("name", wanted).status();
    if (status.ok() && !parent->empty()) {
      status = FieldError("parent", request->parent(), "not with name");
    }
    if (!status.ok()) {
      return new FailedWatch<v1::WatchAttachmentsResponse>(status);
    }
  }
  const std::string prefix =
      parent->empty() ? "" : absl::StrCat(NetworkName(*parent), "/");
  return methods_.hub().Watch([wanted, prefix](const std::string& name) {
    return wanted.empty() ? name.compare(0, prefix.size(), prefix) == 0
                          : name == wanted;
  });
}

}  // namespace eoip
