// SPDX-License-Identifier: Apache-2.0
#include "eoipctl/print.h"

#include <google/protobuf/util/json_util.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "eoipctl/values.h"

namespace eoip::ctl {
namespace {

using google::protobuf::FieldDescriptor;

// Characters, not bytes, so that columns stay straight.
size_t Width(absl::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  });
}

std::string Colored(absl::string_view state, absl::string_view cell) {
  absl::string_view code;
  if (state == "ACTIVE" || state == "yes") {
    code = "32";
  } else if (state == "FAILED") {
    code = "31";
  } else if (state == "PEER_DOWN" || state == "DEGRADED" ||
             state == "PENDING" || state == "DELETING") {
    code = "33";
  } else {
    return std::string(cell);
  }
  return absl::StrCat("\x1b[", code, "m", cell, "\x1b[0m");
}

// Whether YAML 1.1 and 1.2 both read the bare word as the same string.
bool IsPlainWord(const std::string& text) {
  if (text.empty() || !absl::ascii_isalpha(text[0])) return false;
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && !absl::StrContains("_./-", c)) return false;
  }
  static constexpr absl::string_view kTaken[] = {
      "y", "n", "yes", "no", "true", "false", "on", "off", "null"};
  const std::string lower = absl::AsciiStrToLower(text);
  return std::count(std::begin(kTaken), std::end(kTaken), lower) == 0;
}

void EmitYaml(const YAML::Node& node, YAML::Emitter& out) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      out << YAML::BeginMap;
      for (const auto& entry : node) {
        out << YAML::Key;
        EmitYaml(entry.first, out);
        out << YAML::Value;
        EmitYaml(entry.second, out);
      }
      out << YAML::EndMap;
      break;
    case YAML::NodeType::Sequence:
      out << YAML::BeginSeq;
      for (const YAML::Node& item : node) EmitYaml(item, out);
      out << YAML::EndSeq;
      break;
    case YAML::NodeType::Scalar:
      // In JSON only strings are quoted, and yaml-cpp tags quoted ones "!".
      if (node.Tag() == "!" && !IsPlainWord(node.Scalar())) {
        out << YAML::DoubleQuoted;
      }
      out << node.Scalar();
      break;
    default:
      out << YAML::Null;
  }
}

using Lines = std::vector<std::pair<std::string, std::string>>;

std::string FormatLines(const Lines& lines) {
  size_t width = 0;
  for (const auto& [title, value] : lines) {
    width = std::max(width, title.size() + 2);
  }
  std::string text;
  for (const auto& [title, value] : lines) {
    std::string start = absl::StrCat(title, ":");
    if (!value.empty()) start.resize(width, ' ');
    absl::StrAppend(&text, start, Printable(value), "\n");
  }
  return text;
}

std::string TimeText(const google::protobuf::Timestamp& time, absl::Time now) {
  const absl::Duration age = now - ToTime(time);
  return absl::StrCat(
      absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", ToTime(time), absl::UTCTimeZone()),
      age < absl::ZeroDuration() ? absl::StrCat(" (in ", FormatAge(-age), ")")
                                 : absl::StrCat(" (", FormatAge(age), " ago)"));
}

// A map from text to numbers, one line each, in order of the keys.
void AddMap(const Message& message, const FieldDescriptor* field,
            absl::string_view title, Lines* lines) {
  const auto* reflection = message.GetReflection();
  const size_t start = lines->size();
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    const Message& entry = reflection->GetRepeatedMessage(message, field, i);
    const auto* type = entry.GetDescriptor();
    const auto* in_entry = entry.GetReflection();
    lines->emplace_back(
        absl::StrCat(title, ".", in_entry->GetString(entry, type->map_key())),
        absl::StrCat(in_entry->GetUInt64(entry, type->map_value())));
  }
  std::sort(lines->begin() + start, lines->end());
}

std::string ScalarText(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection->GetString(message, field);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection->GetEnum(message, field)->name();
    case FieldDescriptor::CPPTYPE_UINT32:
      return absl::StrCat(reflection->GetUInt32(message, field));
    case FieldDescriptor::CPPTYPE_UINT64:
      return absl::StrCat(reflection->GetUInt64(message, field));
    default:
      return reflection->GetBool(message, field) ? "yes" : "no";
  }
}

// Texts with ", " between them; of messages, their texts with blanks between.
std::string RepeatedText(const Message& message, const FieldDescriptor* field) {
  const auto* reflection = message.GetReflection();
  std::vector<std::string> items;
  for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      items.push_back(reflection->GetRepeatedString(message, field, i));
      continue;
    }
    const Message& item = reflection->GetRepeatedMessage(message, field, i);
    std::vector<const FieldDescriptor*> parts;
    item.GetReflection()->ListFields(item, &parts);
    items.push_back(absl::StrJoin(
        parts, " ", [&item](std::string* out, const FieldDescriptor* part) {
          out->append(ScalarText(item, part));
        }));
  }
  return absl::StrJoin(items, ", ");
}

// Fields of an output message by reflection, so that a status needs no words
// of its own: one line for each field that is set.
void AddFields(const Message& message, absl::string_view indent, absl::Time now,
               Lines* lines) {
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const std::string title =
        absl::StrCat(indent, absl::StrReplaceAll(field->name(), {{"_", "-"}}));
    if (field->is_map()) {
      AddMap(message, field, title, lines);
      continue;
    }
    if (field->is_repeated()) {
      lines->emplace_back(title, RepeatedText(message, field));
      continue;
    }
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      lines->emplace_back(title, ScalarText(message, field));
      continue;
    }
    const Message& inner = reflection->GetMessage(message, field);
    if (field->message_type()->full_name() == "google.protobuf.Timestamp") {
      lines->emplace_back(
          title,
          TimeText(static_cast<const google::protobuf::Timestamp&>(inner),
                   now));
    } else {
      lines->emplace_back(title, "");
      AddFields(inner, absl::StrCat(indent, "  "), now, lines);
    }
  }
}

}  // namespace

std::string FormatTable(const std::vector<std::string>& titles,
                        const std::vector<std::vector<std::string>>& rows,
                        bool color) {
  std::vector<std::vector<std::string>> lines = {titles};
  for (const auto& row : rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (const std::string& cell : row) {
      line.push_back(cell.empty() ? "-" : Printable(cell));
    }
  }
  std::vector<size_t> widths(titles.size());
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], Width(line[i]));
    }
  }
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < line.size(); ++i) {
      std::string cell = line[i];
      if (i + 1 < line.size()) {
        cell.append(widths[i] - Width(cell) + 2, ' ');
      }
      const bool is_state = color && &line != &lines[0] && titles[i] == "STATE";
      absl::StrAppend(&text, is_state ? Colored(line[i], cell) : cell);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

std::string ToJson(const Message& message, bool indented) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = indented;
  std::string json;
  // Our messages hold no Any, the only thing that can fail here.
  (void)google::protobuf::util::MessageToJsonString(message, &json, options);
  return std::string(absl::StripTrailingAsciiWhitespace(json));
}

std::string JsonToYaml(absl::string_view json) {
  YAML::Emitter out;
  EmitYaml(YAML::Load(std::string(json)), out);
  return out.c_str();
}

std::string Render(absl::string_view json, Output output) {
  return absl::StrCat(
      output == Output::kYaml ? JsonToYaml(json) : std::string(json), "\n");
}

std::string IndentJson(absl::string_view json) {
  return absl::StrReplaceAll(json, {{"\n", "\n "}});
}

std::string JsonArray(const Messages& messages) {
  if (messages.empty()) return "[]";
  std::vector<std::string> items;
  for (const auto& message : messages) {
    items.push_back(ToJson(*message, /*indented=*/true));
  }
  return absl::StrCat(
      IndentJson(absl::StrCat("[\n", absl::StrJoin(items, ",\n"))), "\n]");
}

std::string FormatList(const Resource& resource, const Messages& messages,
                       const Style& style) {
  if (style.output == Output::kJson || style.output == Output::kYaml) {
    return Render(JsonArray(messages), style.output);
  }
  if (messages.empty()) return absl::StrCat("no ", resource.plural, "\n");
  const bool wide = style.output == Output::kWide;
  std::vector<std::string> titles;
  for (const Column& column : resource.columns) {
    if (wide || !column.wide) titles.push_back(column.title);
  }
  std::vector<std::vector<std::string>> rows;
  for (const auto& message : messages) {
    std::vector<std::string>& row = rows.emplace_back();
    for (const Column& column : resource.columns) {
      if (wide || !column.wide) row.push_back(column.cell(*message, style.now));
    }
  }
  return FormatTable(titles, rows, style.color);
}

std::string FormatOne(const Resource& resource, const Message& message,
                      const Style& style) {
  if (style.output == Output::kJson || style.output == Output::kYaml) {
    return Render(ToJson(message, /*indented=*/true), style.output);
  }
  Lines lines = {{"name", resource.short_name(NameOf(message))}};
  for (const Property& property : resource.properties) {
    const std::string value = FormatProperty(property, message);
    if (!value.empty()) lines.emplace_back(property.word, value);
  }
  lines.emplace_back("etag", EtagOf(message));
  const auto* status = message.GetDescriptor()->FindFieldByName("status");
  if (message.GetReflection()->HasField(message, status)) {
    lines.emplace_back("status", "");
    AddFields(message.GetReflection()->GetMessage(message, status), "  ",
              style.now, &lines);
  }
  return FormatLines(lines);
}

std::string FormatAgent(const v1::AgentStatus& status, const Style& style) {
  if (style.output == Output::kJson || style.output == Output::kYaml) {
    return Render(ToJson(status, /*indented=*/true), style.output);
  }
  std::string text = absl::StrCat(
      "eoip-agent ", Printable(status.version()), " on ",
      Printable(status.node()), ", up ",
      status.has_start_time()
          ? FormatTime(absl::Trunc(style.now - ToTime(status.start_time()),
                                   absl::Seconds(1)))
          : "?",
      ", ",
      status.ready()
          ? std::string("ready")
          : absl::StrCat("NOT READY: ", Printable(status.ready_reason())),
      "\n");
  absl::StrAppend(&text, status.tunnels(), " tunnels");
  std::vector<std::string> states;
  for (const auto& [state, count] : status.tunnel_states()) {
    if (count > 0) states.push_back(absl::StrCat(count, " ", state));
  }
  std::sort(states.begin(), states.end());
  if (!states.empty()) {
    absl::StrAppend(&text, " (", absl::StrJoin(states, ", "), ")");
  }
  absl::StrAppend(&text, ", ", status.networks(), " networks, ",
                  status.attachments(), " attachments\n");
  for (const v1::Problem& problem : status.problems()) {
    absl::StrAppend(&text, "PROBLEM  ", Printable(problem.subject()), ": ",
                    Printable(problem.message()), "\n");
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::DatapathStatus& datapath : status.datapaths()) {
    rows.push_back(
        {absl::AsciiStrToLower(v1::Datapath_Name(datapath.datapath())),
         datapath.available() ? "yes" : "no", absl::StrCat(datapath.tunnels()),
         datapath.reason()});
  }
  if (!rows.empty()) {
    absl::StrAppend(&text, "\n",
                    FormatTable({"DATAPATH", "AVAILABLE", "TUNNELS", "REASON"},
                                rows, style.color));
  }
  return text;
}

}  // namespace eoip::ctl
