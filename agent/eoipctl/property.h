// SPDX-License-Identifier: Apache-2.0
//
// Properties: the words of a resource as people type them (word=value, !word)
// and read them, each tied to one field of its message. Pure.
#ifndef EOIP_EOIPCTL_PROPERTY_H_
#define EOIP_EOIPCTL_PROPERTY_H_

#include <google/protobuf/message.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace eoip::ctl {

using google::protobuf::Message;

struct Property {
  std::string word;                  // "tunnel-id"
  std::vector<std::string> aliases;  // '_' always counts as '-'
  // Of the field, also in the update mask: "tunnel_id", "loop_protect.enabled".
  std::string path;
  std::string values;  // what is allowed, for help and errors: "0..65535"
  std::string help;    // one line
  // A value that means "the default" and clears the field, such as "auto".
  std::string default_word;
  // Reads value into a message in which the field is clear. An error needs no
  // text. nullptr: by the field's type (string, bool, uint32, enum, Duration,
  // and repeated string as a,b).
  absl::Status (*parse)(absl::string_view value, Message* message) = nullptr;
  // The field as parse takes it; empty: not set. nullptr: by type.
  std::string (*format)(const Message& message) = nullptr;
  // What !word does instead of clearing the field.
  void (*negate)(Message* message) = nullptr;
};

// The names of an enum's value as people type it: "DONT_FRAGMENT_INHERIT" of
// DontFragment is "inherit".
std::string EnumWord(const google::protobuf::EnumValueDescriptor& value);

// The value of property in message, or empty.
std::string FormatProperty(const Property& property, const Message& message);

// Removes property's field from message.
void ClearProperty(const Property& property, Message* message);

// What was typed after the command: one name and properties in any order.
struct Arguments {
  std::string name;               // empty: none given
  std::vector<std::string> mask;  // paths of the properties, as typed
};

// Reads args into *message (of the type that properties describe).
// INVALID_ARGUMENT, naming the word: unknown (with a suggestion), given twice,
// or a value it does not take.
absl::StatusOr<Arguments> ParseArguments(
    const std::vector<Property>& properties,
    const std::vector<std::string>& args, Message* message);

// The word of the property whose field the agent's error is about: message
// "tunnel.remote: ..." of noun "tunnel" gives "remote-address"; empty: none.
std::string WordOfError(const std::vector<Property>& properties,
                        absl::string_view noun, absl::string_view message);

}  // namespace eoip::ctl

#endif  // EOIP_EOIPCTL_PROPERTY_H_
