// SPDX-License-Identifier: Apache-2.0
#include "service/field_mask.h"

#include <google/protobuf/descriptor.h>

#include <memory>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "model/names.h"

namespace eoip {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using FieldPath = std::vector<const FieldDescriptor*>;

constexpr char kMask[] = "update_mask";

bool IsSet(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  return field->is_repeated() ? reflection->FieldSize(message, field) > 0
                              : reflection->HasField(message, field);
}

void CopyField(const Message& from, const FieldDescriptor* field, Message* to) {
  to->GetReflection()->ClearField(to, field);
  if (!IsSet(from, field)) return;
  std::unique_ptr<Message> only(from.New());
  only->CopyFrom(from);
  std::vector<const FieldDescriptor*> fields;
  only->GetReflection()->ListFields(*only, &fields);
  for (const FieldDescriptor* other : fields) {
    if (other != field) only->GetReflection()->ClearField(only.get(), other);
  }
  to->MergeFrom(*only);
}

// Messages of other packages (durations) are values, not things with fields.
bool HasPaths(const FieldDescriptor* field, const Descriptor* root) {
  return !field->is_repeated() && field->message_type() != nullptr &&
         field->message_type()->file()->package() == root->file()->package();
}

absl::StatusOr<FieldPath> Resolve(const std::string& path,
                                  const std::set<std::string>& output_fields,
                                  const Descriptor* root) {
  FieldPath fields;
  const Descriptor* descriptor = root;
  for (const absl::string_view part : absl::StrSplit(path, '.')) {
    const FieldDescriptor* field =
        descriptor == nullptr ? nullptr
                              : descriptor->FindFieldByName(std::string(part));
    if (field == nullptr) {
      return FieldError(kMask, path, "paths of fields of the resource, or *");
    }
    if (fields.empty() && output_fields.count(field->name()) > 0) {
      return FieldError(kMask, path, "no output fields");
    }
    fields.push_back(field);
    descriptor = HasPaths(field, root) ? field->message_type() : nullptr;
  }
  return fields;
}

void Copy(const FieldPath& path, const Message& from, Message* to) {
  const Message* source = &from;
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    const FieldDescriptor* field = path[i];
    // An absent message has only absent fields: no need to make one.
    if (!IsSet(*source, field) && !IsSet(*to, field)) return;
    source = &source->GetReflection()->GetMessage(*source, field);
    to = to->GetReflection()->MutableMessage(to, field);
  }
  CopyField(*source, path.back(), to);
}

}  // namespace

absl::Status ApplyFieldMask(const google::protobuf::FieldMask& mask,
                            const std::set<std::string>& output_fields,
                            const Message& from, Message* to) {
  const Descriptor* root = from.GetDescriptor();
  const bool all = mask.paths_size() == 1 && mask.paths(0) == "*";
  if (mask.paths_size() == 0 || all) {
    for (int i = 0; i < root->field_count(); ++i) {
      const FieldDescriptor* field = root->field(i);
      if (output_fields.count(field->name()) > 0) continue;
      if (all || IsSet(from, field)) CopyField(from, field, to);
    }
    return absl::OkStatus();
  }
  std::vector<FieldPath> paths;
  for (const std::string& path : mask.paths()) {
    if (path == "*") return FieldError(kMask, path, "* alone, or paths");
    EOIP_ASSIGN_OR_RETURN(FieldPath fields, Resolve(path, output_fields, root));
    paths.push_back(std::move(fields));
  }
  for (const FieldPath& path : paths) Copy(path, from, to);
  return absl::OkStatus();
}

}  // namespace eoip
