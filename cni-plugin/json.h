// SPDX-License-Identifier: Apache-2.0
//
// JSON of network configurations and results. nlohmann's parser takes RFC 8259
// and nothing else (protobuf's also takes keys without quotes and commas at the
// end, which the next plugin of the chain then refuses) and needs nothing at
// the start of a program. Pure.
#ifndef EOIP_CNI_JSON_H_
#define EOIP_CNI_JSON_H_

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace eoip::cni {

// Keys stay in the order in which they were set.
using Json = nlohmann::ordered_json;

// Parses one JSON value, at most 100 levels deep. Errors: code 6 "cannot decode
// the WHAT".
absl::StatusOr<Json> ParseJson(absl::string_view what, const std::string& text);
// On one line. Bytes that are no UTF-8 become U+FFFD.
std::string PrintJson(const Json& json);

// The value at a path of object keys; null where there is none.
const Json& At(const Json& root, std::initializer_list<const char*> path);
// "" for other kinds than strings.
const std::string& TextOf(const Json& value);

// Reads the keys of an object that have a type. An absent key and null change
// nothing; the first value of another type is the status.
class JsonReader {
 public:
  // path: in front of the keys in errors, "" or "routes[1]".
  explicit JsonReader(const Json& object, std::string path = "");

  // OK, or code 6 "PATH.KEY: 'VALUE': must be …".
  const absl::Status& status() const { return status_; }

  void Read(const char* key, std::string* value);
  void Read(const char* key, bool* value);
  void Read(const char* key, uint32_t* value);
  void Read(const char* key, std::optional<uint32_t>* value);
  void Read(const char* key, std::vector<std::string>* values);
  // A list of objects: read_item(JsonReader&, Item*) reads one.
  template <typename Item, typename ReadItem>
  void Read(const char* key, std::vector<Item>* items, ReadItem read_item) {
    for (JsonReader& reader : Objects(key)) {
      read_item(reader, &items->emplace_back());
      Note(reader.status_);
    }
  }
  // One object.
  template <typename Item, typename ReadItem>
  void Read(const char* key, Item* item, ReadItem read_item) {
    const Json* value = Find(key);
    if (value == nullptr) return;
    JsonReader reader(*value, PathOf(key));
    read_item(reader, item);
    Note(reader.status_);
  }

 private:
  // Null: absent, or null.
  const Json* Find(const char* key) const;
  std::string PathOf(const char* key) const;
  std::vector<JsonReader> Objects(const char* key);
  void Expect(const std::string& path, const Json& value,
              absl::string_view what);
  void Note(const absl::Status& status) {
    if (status_.ok()) status_ = status;
  }

  const Json& object_;
  std::string path_;
  absl::Status status_;
};

}  // namespace eoip::cni

#endif  // EOIP_CNI_JSON_H_
