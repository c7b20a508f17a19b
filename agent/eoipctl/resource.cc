// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/resource.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;

const FieldDescriptor* FieldOf(const Message& message, const char* name) {
  return message.GetDescriptor()->FindFieldByName(name);
}

std::string StringOf(const Message& message, const char* field) {
  return message.GetReflection()->GetString(message, FieldOf(message, field));
}

const Message& StatusOf(const Message& resource) {
  return resource.GetReflection()->GetMessage(resource,
                                              FieldOf(resource, "status"));
}

}  // namespace

std::string NameOf(const Message& resource) {
  return StringOf(resource, "name");
}

void SetName(absl::string_view name, Message* resource) {
  resource->GetReflection()->SetString(resource, FieldOf(*resource, "name"),
                                       std::string(name));
}

std::string EtagOf(const Message& resource) {
  return StringOf(resource, "etag");
}

void SetEtag(absl::string_view etag, Message* resource) {
  resource->GetReflection()->SetString(resource, FieldOf(*resource, "etag"),
                                       std::string(etag));
}

std::string StateOf(const Message& resource) {
  const Message& status = StatusOf(resource);
  // Not GetEnum: a newer agent may know a state that has no name here.
  const int number =
      status.GetReflection()->GetEnumValue(status, FieldOf(status, "state"));
  const auto* value =
      FieldOf(status, "state")->enum_type()->FindValueByNumber(number);
  return value == nullptr || number == 0 ? "UNKNOWN" : value->name();
}

std::string ReasonOf(const Message& resource) {
  return StringOf(StatusOf(resource), "reason");
}

std::vector<std::string> StateWords(const Message& resource) {
  const EnumDescriptor* type =
      FieldOf(StatusOf(resource), "state")->enum_type();
  std::vector<std::string> words;
  for (int i = 1; i < type->value_count(); ++i) {
    words.push_back(EnumWord(*type->value(i)));
  }
  return words;
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) +
         absl::Nanoseconds(time.nanos());
}

std::string AgeOf(bool present, const google::protobuf::Timestamp& time,
                  absl::Time now) {
  return present ? FormatAge(now - ToTime(time)) : "-";
}

std::string FormatVlans(
    const google::protobuf::RepeatedPtrField<v1::VlanRange>& ranges,
    absl::string_view separator) {
  return absl::StrJoin(
      ranges, separator, [](std::string* out, const v1::VlanRange& range) {
        absl::StrAppend(out, range.first());
        if (range.last() != 0 && range.last() != range.first()) {
          absl::StrAppend(out, "-", range.last());
        }
      });
}

absl::Status ParseVlans(
    absl::string_view text, char separator,
    google::protobuf::RepeatedPtrField<v1::VlanRange>* ranges) {
  for (absl::string_view item : absl::StrSplit(text, separator)) {
    const std::vector<absl::string_view> ends =
        absl::StrSplit(item, absl::MaxSplits('-', 1));
    v1::VlanRange* range = ranges->Add();
    EOIP_ASSIGN_OR_RETURN(const uint32_t first, ParseUint32(ends.front()));
    EOIP_ASSIGN_OR_RETURN(const uint32_t last, ParseUint32(ends.back()));
    range->set_first(first);
    range->set_last(last);
  }
  return absl::OkStatus();
}

}  // namespace eoip::ctl
