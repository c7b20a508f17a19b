// SPDX-License-Identifier: Apache-2.0
//
// What the commands need to know of a kind of resource. There are three, made
// once: Tunnels(), Networks() and Attachments().
#ifndef EOIP_EOIPCTL_RESOURCE_H_
#define EOIP_EOIPCTL_RESOURCE_H_

#include <google/protobuf/timestamp.pb.h>

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/resource_client.h"
#include "eoip/v1/network.pb.h"
#include "eoipctl/property.h"

namespace eoip::ctl {

// One column of a list.
struct Column {
  std::string title;
  bool wide;  // only with -o wide
  std::string (*cell)(const Message& resource, absl::Time now);
};

struct Example {
  std::string verb;
  std::string text;  // lines to type
};

struct Resource {
  std::string noun;       // "tunnel"; also the first part of error paths
  std::string plural;     // "tunnels"
  std::string name_form;  // for help: "NAME", "NETWORK/NAME"
  std::string what;       // one line
  std::vector<Property> properties;
  std::vector<Column> columns;
  std::vector<Example> examples;
  // The resource's full name from the short or full one that was typed;
  // INVALID_ARGUMENT.
  absl::StatusOr<std::string> (*full_name)(absl::string_view typed);
  std::string (*short_name)(absl::string_view full);
  decltype(&client::MakeTunnelClient) make_client;
};

const Resource& Tunnels();
const Resource& Networks();
const Resource& Attachments();

// Parts that every resource's message has.
std::string NameOf(const Message& resource);
void SetName(absl::string_view name, Message* resource);
std::string EtagOf(const Message& resource);
void SetEtag(absl::string_view etag, Message* resource);
// "ACTIVE", "PENDING", …; "UNKNOWN" where the agent said none.
std::string StateOf(const Message& resource);
std::string ReasonOf(const Message& resource);
// All states that the kind of resource can have, as people type them:
// "active", "peer-down".
std::vector<std::string> StateWords(const Message& resource);

absl::Time ToTime(const google::protobuf::Timestamp& time);
// "3s" since time, "-" where it was never.
std::string AgeOf(bool present, const google::protobuf::Timestamp& time,
                  absl::Time now);

// "10,20-30" of ranges, and back (any separator).
std::string FormatVlans(
    const google::protobuf::RepeatedPtrField<v1::VlanRange>& ranges,
    absl::string_view separator);
absl::Status ParseVlans(
    absl::string_view text, char separator,
    google::protobuf::RepeatedPtrField<v1::VlanRange>* ranges);

// Makes a tunnel's port of each port that was typed as a plain NAME
// ("ports=eoip7") and that is_tunnel says is one; the others stay links.
absl::Status ResolvePorts(
    const std::function<absl::StatusOr<bool>(const std::string& id)>& is_tunnel,
    Message* network);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_RESOURCE_H_
