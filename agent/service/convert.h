// SPDX-License-Identifier: Apache-2.0
//
// Between the API's messages and the model. convert*.cc are the only files
// that know the fields of both. Pure.
#ifndef EOIP_SERVICE_CONVERT_H_
#define EOIP_SERVICE_CONVERT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "eoip/v1/agent.pb.h"
#include "eoip/v1/attachment.pb.h"
#include "eoip/v1/network.pb.h"
#include "eoip/v1/tunnel.pb.h"
#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"
#include "model/attachment.h"
#include "model/network.h"
#include "model/tunnel.h"
#include "model/worker.h"

namespace eoip {

// UNIMPLEMENTED: a field number that this version does not know is set in the
// message or in one inside it (status excepted). What a newer client asks for
// must not be dropped in silence. path is that of the message.
absl::Status RefuseUnknownFields(const std::string& path,
                                 const google::protobuf::Message& message);

// Syntax only, the caller validates the spec (ValidateTunnel, ...). Output
// fields are ignored. INVALID_ARGUMENT: a field cannot be read, is an unknown
// enum number, or is missing where there is no value to stand for that.
// UNIMPLEMENTED: a field that this version does not build or know is set. The
// message starts with the field's path, as "tunnel.keepalive.interval".
absl::StatusOr<TunnelSpec> FromProto(const v1::Tunnel& proto);
absl::StatusOr<NetworkSpec> FromProto(const v1::Network& proto);
absl::StatusOr<AttachmentSpec> FromProto(const v1::Attachment& proto);

// Without etag and status. FromProto(ToProto(x)) gives x, except for source
// and a network's released_links, which are output.
v1::Tunnel ToProto(const TunnelSpec& spec);
v1::Network ToProto(const NetworkSpec& spec);
v1::Attachment ToProto(const AttachmentSpec& spec);

v1::TunnelStatus ToProto(const TunnelStatus& status);
v1::NetworkStatus ToProto(const NetworkStatus& status);
v1::AttachmentStatus ToProto(const AttachmentStatus& status);
v1::Counters ToProto(const TunnelCounters& counters);
v1::ListWorkersResponse ToProto(const WorkersReading& reading);
v1::Datapath ToProto(DatapathType type);
// Infinite times become the epoch.
google::protobuf::Timestamp ToProto(absl::Time time);

}  // namespace eoip

#endif  // EOIP_SERVICE_CONVERT_H_
