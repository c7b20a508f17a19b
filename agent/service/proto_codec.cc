// SPDX-License-Identifier: Apache-2.0
#include "service/proto_codec.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status.h"
#include "service/convert.h"

namespace eoip {
namespace {

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(message, &json, options);
  // Only Any and out-of-range times can fail; no resource has them.
  if (!status.ok()) LogError("JSON: ", status.ToString());
  return json;
}

template <typename Proto>
absl::StatusOr<Proto> FromJson(absl::string_view json) {
  Proto proto;
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(json.data(), json.size()), &proto);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "JSON: ",
        std::string(status.message().data(), status.message().size())));
  }
  return proto;
}

template <typename Proto, typename Spec>
absl::Status Read(absl::string_view bytes, Spec* spec) {
  EOIP_ASSIGN_OR_RETURN(const Proto proto, FromJson<Proto>(bytes));
  EOIP_ASSIGN_OR_RETURN(*spec, FromProto(proto));
  return absl::OkStatus();
}

}  // namespace

std::string ProtoCodec::Encode(const TunnelSpec& spec) const {
  return ToJson(ToProto(spec));
}

std::string ProtoCodec::Encode(const NetworkSpec& spec) const {
  return ToJson(ToProto(spec));
}

std::string ProtoCodec::Encode(const AttachmentSpec& spec) const {
  return ToJson(ToProto(spec));
}

absl::Status ProtoCodec::Decode(absl::string_view bytes,
                                TunnelSpec* spec) const {
  EOIP_ASSIGN_OR_RETURN(const v1::Tunnel proto, FromJson<v1::Tunnel>(bytes));
  EOIP_ASSIGN_OR_RETURN(*spec, FromProto(proto));
  spec->source = proto.source();
  return absl::OkStatus();
}

absl::Status ProtoCodec::Decode(absl::string_view bytes,
                                NetworkSpec* spec) const {
  EOIP_ASSIGN_OR_RETURN(const v1::Network proto, FromJson<v1::Network>(bytes));
  EOIP_ASSIGN_OR_RETURN(*spec, FromProto(proto));
  spec->released_links.assign(proto.released_links().begin(),
                              proto.released_links().end());
  spec->source = proto.source();
  return absl::OkStatus();
}

absl::Status ProtoCodec::Decode(absl::string_view bytes,
                                AttachmentSpec* spec) const {
  return Read<v1::Attachment>(bytes, spec);
}

}  // namespace eoip
