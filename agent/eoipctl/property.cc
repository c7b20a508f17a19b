// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/property.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

using google::protobuf::Duration;
using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;

absl::Status Malformed() { return absl::InvalidArgumentError("malformed"); }

// The leaf field of path, and the message in the tree of *message that has it.
struct Leaf {
  Message* owner;
  const FieldDescriptor* field;
};

Leaf FindLeaf(absl::string_view path, Message* message) {
  const std::vector<std::string> names = absl::StrSplit(path, '.');
  for (size_t i = 0;; ++i) {
    const FieldDescriptor* field =
        message->GetDescriptor()->FindFieldByName(names[i]);
    if (i + 1 == names.size()) return {message, field};
    message = message->GetReflection()->MutableMessage(message, field);
  }
}

absl::Status SetEnum(absl::string_view value, const Leaf& leaf) {
  const EnumDescriptor* type = leaf.field->enum_type();
  // Number 0 is UNSPECIFIED: the default, which is said by leaving it out.
  for (int i = 1; i < type->value_count(); ++i) {
    if (EnumWord(*type->value(i)) == value) {
      leaf.owner->GetReflection()->SetEnum(leaf.owner, leaf.field,
                                           type->value(i));
      return absl::OkStatus();
    }
  }
  return Malformed();
}

absl::Status SetString(absl::string_view value, const Leaf& leaf) {
  const auto* reflection = leaf.owner->GetReflection();
  if (!leaf.field->is_repeated()) {
    reflection->SetString(leaf.owner, leaf.field, std::string(value));
    return absl::OkStatus();
  }
  for (absl::string_view item : absl::StrSplit(value, ',')) {
    if (item.empty()) return Malformed();
    reflection->AddString(leaf.owner, leaf.field, std::string(item));
  }
  return absl::OkStatus();
}

absl::Status SetByType(absl::string_view value, const Leaf& leaf) {
  const auto* reflection = leaf.owner->GetReflection();
  switch (leaf.field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return SetString(value, leaf);
    case FieldDescriptor::CPPTYPE_BOOL: {
      EOIP_ASSIGN_OR_RETURN(const bool parsed, ParseBool(value));
      reflection->SetBool(leaf.owner, leaf.field, parsed);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_UINT32: {
      EOIP_ASSIGN_OR_RETURN(const uint32_t parsed, ParseUint32(value));
      reflection->SetUInt32(leaf.owner, leaf.field, parsed);
      return absl::OkStatus();
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(value, leaf);
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      EOIP_ASSIGN_OR_RETURN(const absl::Duration parsed, ParseTime(value));
      auto* duration = static_cast<Duration*>(
          reflection->MutableMessage(leaf.owner, leaf.field));
      const int64_t seconds = absl::ToInt64Seconds(parsed);
      duration->set_seconds(seconds);
      duration->set_nanos(static_cast<int32_t>(
          absl::ToInt64Nanoseconds(parsed - absl::Seconds(seconds))));
      return absl::OkStatus();
    }
    default:
      return absl::InternalError(
          absl::StrCat(leaf.field->full_name(), " has no general parser"));
  }
}

std::string FormatByType(const Message& owner, const FieldDescriptor* field) {
  const auto* reflection = owner.GetReflection();
  if (field->is_repeated()) {
    std::vector<std::string> items;
    for (int i = 0; i < reflection->FieldSize(owner, field); ++i) {
      items.push_back(reflection->GetRepeatedString(owner, field, i));
    }
    return absl::StrJoin(items, ",");
  }
  if (!reflection->HasField(owner, field)) return "";
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(owner, field);
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(owner, field) ? "yes" : "no";
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(owner, field));
    case FieldDescriptor::CPPTYPE_ENUM:
      return EnumWord(*reflection->GetEnum(owner, field));
    default: {
      const auto& duration =
          static_cast<const Duration&>(reflection->GetMessage(owner, field));
      return FormatTime(absl::Seconds(duration.seconds()) +
                        absl::Nanoseconds(duration.nanos()));
    }
  }
}

const Property* FindProperty(const std::vector<Property>& properties,
                             absl::string_view typed) {
  const std::string word = absl::StrReplaceAll(typed, {{"_", "-"}});
  for (const Property& property : properties) {
    if (property.word == word ||
        std::count(property.aliases.begin(), property.aliases.end(), word) >
            0 ||
        property.path == typed) {
      return &property;
    }
  }
  return nullptr;
}

absl::Status UnknownWord(const std::vector<Property>& properties,
                         absl::string_view word) {
  std::vector<std::string> known = {"name"};
  for (const Property& property : properties) {
    known.push_back(property.word);
    known.insert(known.end(), property.aliases.begin(), property.aliases.end());
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown property '",
                                                 absl::Utf8SafeCEscape(word),
                                                 "'", Suggestion(word, known)));
}

// Whether the field at path is outer or a part of it.
bool IsInside(absl::string_view path, absl::string_view outer) {
  return absl::ConsumePrefix(&path, outer) &&
         (path.empty() || path[0] == '.' || path[0] == '[');
}

absl::Status SetName(absl::string_view name, Arguments* arguments) {
  if (name.empty()) return absl::InvalidArgumentError("name: it is empty");
  if (!arguments->name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "name: '", absl::Utf8SafeCEscape(name), "': '", arguments->name,
        "' is the name already; properties are word=value"));
  }
  arguments->name = std::string(name);
  return absl::OkStatus();
}

}  // namespace

std::string EnumWord(const EnumValueDescriptor& value) {
  // DontFragment -> DONT_FRAGMENT_
  std::string prefix;
  for (const char c : value.type()->name()) {
    if (absl::ascii_isupper(c) && !prefix.empty()) prefix.push_back('_');
    prefix.push_back(absl::ascii_toupper(c));
  }
  prefix.push_back('_');
  return absl::StrReplaceAll(
      absl::AsciiStrToLower(absl::StripPrefix(value.name(), prefix)),
      {{"_", "-"}});
}

std::string FormatProperty(const Property& property, const Message& message) {
  if (property.format != nullptr) return property.format(message);
  const Message* owner = &message;
  const std::vector<std::string> names = absl::StrSplit(property.path, '.');
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    owner = &owner->GetReflection()->GetMessage(
        *owner, owner->GetDescriptor()->FindFieldByName(names[i]));
  }
  return FormatByType(*owner,
                      owner->GetDescriptor()->FindFieldByName(names.back()));
}

void ClearProperty(const Property& property, Message* message) {
  // The owner of a clear field may be absent, and must not appear then: its
  // presence has a meaning.
  if (FormatProperty(property, *message).empty()) return;
  const Leaf leaf = FindLeaf(property.path, message);
  leaf.owner->GetReflection()->ClearField(leaf.owner, leaf.field);
}

absl::StatusOr<Arguments> ParseArguments(
    const std::vector<Property>& properties,
    const std::vector<std::string>& args, Message* message) {
  Arguments arguments;
  for (const std::string& arg : args) {
    const bool negated = absl::StartsWith(arg, "!");
    const size_t equals = arg.find('=');
    if (!negated && equals == std::string::npos) {
      EOIP_RETURN_IF_ERROR(SetName(arg, &arguments));
      continue;
    }
    const std::string word = negated ? arg.substr(1) : arg.substr(0, equals);
    const std::string value = negated ? "" : arg.substr(equals + 1);
    if (!negated && word == "name") {
      EOIP_RETURN_IF_ERROR(SetName(value, &arguments));
      continue;
    }
    const Property* property = FindProperty(properties, word);
    if (property == nullptr) return UnknownWord(properties, word);
    if (std::count(arguments.mask.begin(), arguments.mask.end(),
                   property->path) > 0) {
      return absl::InvalidArgumentError(
          absl::StrCat(property->word, ": it is given twice"));
    }
    arguments.mask.push_back(property->path);
    ClearProperty(*property, message);
    if (negated) {
      if (property->negate != nullptr) property->negate(message);
      continue;
    }
    if (!property->default_word.empty() && value == property->default_word) {
      continue;
    }
    const absl::Status status =
        property->parse != nullptr
            ? property->parse(value, message)
            : SetByType(value, FindLeaf(property->path, message));
    if (!status.ok()) return BadValue(property->word, value, property->values);
  }
  return arguments;
}

std::string WordOfError(const std::vector<Property>& properties,
                        absl::string_view noun, absl::string_view message) {
  if (!absl::ConsumePrefix(&message, absl::StrCat(noun, "."))) return "";
  const absl::string_view path = message.substr(0, message.find(':'));
  for (const Property& property : properties) {
    // "keepalive.interval" is part of keepalive, "ports[0].pvid" of ports; and
    // loop-protect's "loop_protect.enabled" is part of "loop_protect".
    if (IsInside(path, property.path) || IsInside(property.path, path)) {
      return property.word;
    }
  }
  return "";
}

}  // namespace eoip::ctl
