// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cni_error.h"

namespace eoip::cni {
namespace {

constexpr int kMaxDepth = 100;
constexpr size_t kMaxQuoted = 40;  // of a value in an error

// What the library says, without its own name and without the input's text,
// which may not even be text.
std::string Reason(const Json::exception& error) {
  absl::string_view what = error.what();
  what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
  return std::string(what.substr(0, what.find("; last read")));
}

// Whole numbers only, however they are written.
std::optional<uint32_t> Uint32Of(const Json& value) {
  if (!value.is_number()) return std::nullopt;
  const auto number = value.get<double>();
  if (number < 0 || number > std::numeric_limits<uint32_t>::max() ||
      number != std::floor(number)) {
    return std::nullopt;
  }
  return static_cast<uint32_t>(number);
}

}  // namespace

absl::StatusOr<Json> ParseJson(absl::string_view what,
                               const std::string& text) {
  const std::string error = absl::StrCat("cannot decode the ", what);
  // The library takes it for the end.
  if (text.find('\0') != std::string::npos) {
    return CniError(CniCode::kDecode, error, "a NUL is no JSON");
  }
  bool too_deep = false;
  const auto limit = [&too_deep](int depth, Json::parse_event_t event, Json&) {
    using Event = Json::parse_event_t;
    const bool opens =
        event == Event::object_start || event == Event::array_start;
    too_deep = too_deep || (opens && depth >= kMaxDepth);
    return !too_deep;
  };
  try {
    Json json = Json::parse(text, limit);
    if (!too_deep) return json;
  } catch (const Json::exception& problem) {
    return CniError(CniCode::kDecode, error, Reason(problem));
  }
  return CniError(CniCode::kDecode, error,
                  absl::StrCat("more than ", kMaxDepth, " levels"));
}

std::string PrintJson(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

const Json& At(const Json& root, std::initializer_list<const char*> path) {
  static const auto* const none = new Json();
  const Json* value = &root;
  for (const char* key : path) {
    const auto it = value->find(key);
    if (it == value->end()) return *none;
    value = &*it;
  }
  return *value;
}

const std::string& TextOf(const Json& value) {
  static const auto* const none = new std::string();
  const auto* text = value.get_ptr<const std::string*>();
  return text == nullptr ? *none : *text;
}

JsonReader::JsonReader(const Json& object, std::string path)
    : object_(object), path_(std::move(path)) {
  if (!object_.is_object()) Expect(path_, object_, "an object");
}

void JsonReader::Read(const char* key, std::string* value) {
  const Json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_string()) return Expect(PathOf(key), *found, "a string");
  *value = TextOf(*found);
}

void JsonReader::Read(const char* key, bool* value) {
  const Json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) return Expect(PathOf(key), *found, "true or false");
  *value = found->get<bool>();
}

void JsonReader::Read(const char* key, uint32_t* value) {
  std::optional<uint32_t> number = *value;
  Read(key, &number);
  *value = *number;
}

void JsonReader::Read(const char* key, std::optional<uint32_t>* value) {
  const Json* found = Find(key);
  if (found == nullptr) return;
  const std::optional<uint32_t> number = Uint32Of(*found);
  if (!number) return Expect(PathOf(key), *found, "a number 0 to 4294967295");
  *value = number;
}

void JsonReader::Read(const char* key, std::vector<std::string>* values) {
  const Json* found = Find(key);
  if (found == nullptr) return;
  if (!found->is_array()) return Expect(PathOf(key), *found, "a list");
  for (const Json& item : *found) {
    if (!item.is_string()) {
      return Expect(PathOf(key), item, "a list of strings");
    }
    values->push_back(TextOf(item));
  }
}

const Json* JsonReader::Find(const char* key) const {
  const auto it = object_.find(key);
  return it == object_.end() || it->is_null() ? nullptr : &*it;
}

std::string JsonReader::PathOf(const char* key) const {
  return path_.empty() ? key : absl::StrCat(path_, ".", key);
}

std::vector<JsonReader> JsonReader::Objects(const char* key) {
  std::vector<JsonReader> readers;
  const Json* found = Find(key);
  if (found == nullptr) return readers;
  if (!found->is_array()) {
    Expect(PathOf(key), *found, "a list of objects");
    return readers;
  }
  for (const Json& item : *found) {
    readers.emplace_back(item,
                         absl::StrCat(PathOf(key), "[", readers.size(), "]"));
  }
  return readers;
}

void JsonReader::Expect(const std::string& path, const Json& value,
                        absl::string_view what) {
  const std::string quoted = PrintJson(value).substr(0, kMaxQuoted);
  Note(CniError(CniCode::kDecode, absl::StrCat(path, path.empty() ? "" : ": ",
                                               quoted, ": must be ", what)));
}

}  // namespace eoip::cni
