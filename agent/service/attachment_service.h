// SPDX-License-Identifier: Apache-2.0
//
// eoip.v1.AttachmentService; the .proto says what its methods do. Thread-safe.
#ifndef EOIP_SERVICE_ATTACHMENT_SERVICE_H_
#define EOIP_SERVICE_ATTACHMENT_SERVICE_H_

#include <string>

#include "eoip/v1/attachment.grpc.pb.h"
#include "service/inline_network.h"
#include "service/resource_methods.h"

namespace eoip {

// Calls wait on threads of the server's own; a watch has none.
class AttachmentServiceImpl final
    : public v1::AttachmentService::WithCallbackMethod_WatchAttachments<
          v1::AttachmentService::Service> {
 public:
  using Methods = ResourceMethods<AttachmentTraits>;
  // networks and tunnels: for those that come with an attachment.
  AttachmentServiceImpl(Methods* methods,
                        ResourceMethods<NetworkTraits>* networks,
                        ResourceMethods<TunnelTraits>* tunnels)
      : methods_(*methods), networks_(*networks), tunnels_(*tunnels) {}

  grpc::Status CreateAttachment(grpc::ServerContext* context,
                                const v1::CreateAttachmentRequest* request,
                                v1::Attachment* response) override;
  grpc::Status GetAttachment(grpc::ServerContext* context,
                             const v1::GetAttachmentRequest* request,
                             v1::Attachment* response) override;
  grpc::Status ListAttachments(grpc::ServerContext* context,
                               const v1::ListAttachmentsRequest* request,
                               v1::ListAttachmentsResponse* response) override;
  grpc::Status UpdateAttachment(grpc::ServerContext* context,
                                const v1::UpdateAttachmentRequest* request,
                                v1::Attachment* response) override;
  grpc::Status DeleteAttachment(grpc::ServerContext* context,
                                const v1::DeleteAttachmentRequest* request,
                                google::protobuf::Empty* response) override;
  grpc::ServerWriteReactor<v1::WatchAttachmentsResponse>* WatchAttachments(
      grpc::CallbackServerContext* context,
      const v1::WatchAttachmentsRequest* request) override;

 private:
  // Until its port forwards, which the kernel lets it a moment after the bridge
  // or the link is up; at most as long as a call waits for its apply.
  absl::Status ApplyToTheEnd(absl::string_view verb, const AttachmentKey& key,
                             const grpc::ServerContext& context);
  // How the attempt to apply an attachment went, as the answer to its maker.
  absl::Status Outcome(const Methods::Written& written,
                       const std::string& host_link,
                       const absl::Status& applied) const;
  // OK where it asks for none.
  absl::Status AcquireLease(const AttachmentKey& key,
                            const grpc::ServerContext& context);
  // Forgets what written created; the bridge lets the port go later.
  void Undo(const Methods::Written& written);
  grpc::Status Answer(const absl::StatusOr<Methods::Written>& written,
                      const std::string& host_link,
                      const grpc::ServerContext& context,
                      v1::Attachment* response);

  absl::StatusOr<Methods::Written> CreateWithNetwork(
      const v1::CreateAttachmentRequest& request);
  // Stores what is missing of it.
  absl::Status StoreInline(const InlineNetwork& wanted);

  Methods& methods_;
  ResourceMethods<NetworkTraits>& networks_;
  ResourceMethods<TunnelTraits>& tunnels_;
};

}  // namespace eoip

#endif  // EOIP_SERVICE_ATTACHMENT_SERVICE_H_
