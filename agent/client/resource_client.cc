// SPDX-License-Identifier: Apache-2.0
#include "client/resource_client.h"

#include <google/protobuf/empty.pb.h>

#include <utility>

#include "absl/time/clock.h"
#include "eoip/v1/attachment.grpc.pb.h"
#include "eoip/v1/network.grpc.pb.h"
#include "eoip/v1/tunnel.grpc.pb.h"

namespace eoip::client {
namespace {

// The largest the agent gives.
constexpr int kPageSize = 1000;

// The names that the three services have for the same things.
#define EOIP_RESOURCE_API(Name, field)                          \
  struct Name##Api {                                            \
    using Resource = v1::Name;                                  \
    using Service = v1::Name##Service;                          \
    using Stub = Service::Stub;                                 \
    using CreateRequest = v1::Create##Name##Request;            \
    using GetRequest = v1::Get##Name##Request;                  \
    using ListRequest = v1::List##Name##sRequest;               \
    using ListResponse = v1::List##Name##sResponse;             \
    using UpdateRequest = v1::Update##Name##Request;            \
    using DeleteRequest = v1::Delete##Name##Request;            \
    using WatchRequest = v1::Watch##Name##sRequest;             \
    using WatchResponse = v1::Watch##Name##sResponse;           \
    static constexpr auto kCreate = &Stub::Create##Name;        \
    static constexpr auto kGet = &Stub::Get##Name;              \
    static constexpr auto kList = &Stub::List##Name##s;         \
    static constexpr auto kUpdate = &Stub::Update##Name;        \
    static constexpr auto kDelete = &Stub::Delete##Name;        \
    static auto Watch(Stub& stub, grpc::ClientContext* context, \
                      const WatchRequest& request) {            \
      return stub.Watch##Name##s(context, request);             \
    }                                                           \
    template <typename Request>                                 \
    static Resource* Mutable(Request& request) {                \
      return request.mutable_##field();                         \
    }                                                           \
    static const Resource* Of(const WatchResponse& event) {     \
      return event.has_##field() ? &event.field() : nullptr;    \
    }                                                           \
    static auto* Items(ListResponse& page) {                    \
      return page.mutable_##field##s();                         \
    }                                                           \
  };
EOIP_RESOURCE_API(Tunnel, tunnel)
EOIP_RESOURCE_API(Network, network)
EOIP_RESOURCE_API(Attachment, attachment)
#undef EOIP_RESOURCE_API

template <typename Api>
class GrpcResourceClient : public ResourceClient {
 public:
  using Resource = typename Api::Resource;

  GrpcResourceClient(std::shared_ptr<grpc::Channel> channel,
                     absl::string_view socket_path, absl::Duration timeout)
      : stub_(Api::Service::NewStub(std::move(channel))),
        path_(socket_path),
        timeout_(timeout) {}

  std::unique_ptr<Message> New() const override {
    return std::make_unique<Resource>();
  }

  absl::Status Create(bool validate_only, Message* resource) override {
    typename Api::CreateRequest request;
    *Api::Mutable(request) = Cast(*resource);
    request.set_validate_only(validate_only);
    return Call(Api::kCreate, request, &Cast(*resource));
  }

  absl::Status Update(const UpdateOptions& options,
                      Message* resource) override {
    typename Api::UpdateRequest request;
    *Api::Mutable(request) = Cast(*resource);
    for (const std::string& path : options.mask) {
      request.mutable_update_mask()->add_paths(path);
    }
    request.set_allow_missing(options.allow_missing);
    request.set_validate_only(options.validate_only);
    return Call(Api::kUpdate, request, &Cast(*resource));
  }

  absl::Status Get(absl::string_view name, Message* resource) override {
    typename Api::GetRequest request;
    request.set_name(std::string(name));
    return Call(Api::kGet, request, &Cast(*resource));
  }

  absl::Status List(absl::string_view parent,
                    std::vector<std::unique_ptr<Message>>* all) override {
    typename Api::ListRequest request;
    SetParent(parent, request);
    request.set_page_size(kPageSize);
    while (true) {
      typename Api::ListResponse page;
      if (absl::Status status = Call(Api::kList, request, &page);
          !status.ok()) {
        return status;
      }
      for (Resource& item : *Api::Items(page)) {
        all->push_back(std::make_unique<Resource>(std::move(item)));
      }
      if (page.next_page_token().empty()) return absl::OkStatus();
      request.set_page_token(page.next_page_token());
    }
  }

  absl::Status Delete(absl::string_view name,
                      const DeleteOptions& options) override {
    typename Api::DeleteRequest request;
    request.set_name(std::string(name));
    request.set_etag(options.etag);
    request.set_validate_only(options.validate_only);
    google::protobuf::Empty nothing;
    return Call(Api::kDelete, request, &nothing);
  }

  absl::Status Watch(
      absl::string_view name, absl::string_view parent, absl::Time deadline,
      const std::function<bool(const WatchEvent&)>& on_event) override {
    typename Api::WatchRequest request;
    request.set_name(std::string(name));
    SetParent(parent, request);
    grpc::ClientContext context;
    SetDeadline(deadline, &context);
    auto stream = Api::Watch(*stub_, &context, request);
    typename Api::WatchResponse event;
    while (stream->Read(&event)) {
      if (!on_event({event.type(), Api::Of(event)})) {
        context.TryCancel();
        while (stream->Read(&event)) {
        }
        stream->Finish();
        return absl::OkStatus();
      }
    }
    return ToStatus(stream->Finish(), path_);
  }

 private:
  static Resource& Cast(Message& resource) {
    return static_cast<Resource&>(resource);
  }

  template <typename Request>
  static void SetParent(absl::string_view parent, Request& request) {
    if constexpr (requires { request.set_parent(std::string()); }) {
      request.set_parent(std::string(parent));
    }
  }

  template <typename Method, typename Request, typename Response>
  absl::Status Call(Method method, const Request& request, Response* response) {
    grpc::ClientContext context;
    SetDeadline(absl::Now() + timeout_, &context);
    return ToStatus((stub_.get()->*method)(&context, request, response), path_);
  }

  const std::unique_ptr<typename Api::Stub> stub_;
  const std::string path_;
  const absl::Duration timeout_;
};

}  // namespace

std::unique_ptr<ResourceClient> MakeTunnelClient(
    std::shared_ptr<grpc::Channel> channel, absl::string_view socket_path,
    absl::Duration timeout) {
  return std::make_unique<GrpcResourceClient<TunnelApi>>(std::move(channel),
                                                         socket_path, timeout);
}

std::unique_ptr<ResourceClient> MakeNetworkClient(
    std::shared_ptr<grpc::Channel> channel, absl::string_view socket_path,
    absl::Duration timeout) {
  return std::make_unique<GrpcResourceClient<NetworkApi>>(std::move(channel),
                                                          socket_path, timeout);
}

std::unique_ptr<ResourceClient> MakeAttachmentClient(
    std::shared_ptr<grpc::Channel> channel, absl::string_view socket_path,
    absl::Duration timeout) {
  return std::make_unique<GrpcResourceClient<AttachmentApi>>(
      std::move(channel), socket_path, timeout);
}

}  // namespace eoip::client
