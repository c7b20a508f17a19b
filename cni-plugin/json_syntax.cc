// SPDX-License-Identifier: Apache-2.0
#include "json_syntax.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace eoip::cni {
namespace {

constexpr int kMaxDepth = 100;  // protobuf's, too

// Each function moves past what it is named after, or notes the first problem.
class Scanner {
 public:
  explicit Scanner(absl::string_view text) : text_(text) {}

  absl::Status Run() {
    if (Value(0)) {
      Space();
      if (at_ != text_.size()) Fail("something follows the value");
    }
    if (problem_ == nullptr) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(problem_, " at byte ", at_));
  }

 private:
  bool Fail(const char* problem) {
    if (problem_ == nullptr) problem_ = problem;
    return false;
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool Take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void Space() {
    while (at_ < text_.size() && (Peek() == ' ' || Peek() == '\t' ||
                                  Peek() == '\n' || Peek() == '\r')) {
      ++at_;
    }
  }

  bool Value(int depth) {
    if (depth > kMaxDepth) return Fail("too many levels");
    Space();
    switch (Peek()) {
      case '{':
        return Object(depth);
      case '[':
        return Array(depth);
      case '"':
        return String();
      case 't':
        return Word("true");
      case 'f':
        return Word("false");
      case 'n':
        return Word("null");
      default:
        return Number();
    }
  }

  bool Word(absl::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Fail("no JSON value");
    at_ += word.size();
    return true;
  }

  bool Object(int depth) {
    Take('{');
    Space();
    if (Take('}')) return true;
    while (true) {
      Space();
      if (Peek() != '"') return Fail("no key in quotes");
      if (!String()) return false;
      Space();
      if (!Take(':')) return Fail("no ':' after a key");
      if (!Value(depth + 1)) return false;
      Space();
      if (Take('}')) return true;
      if (!Take(',')) return Fail("no ',' or '}'");
    }
  }

  bool Array(int depth) {
    Take('[');
    Space();
    if (Take(']')) return true;
    while (true) {
      if (!Value(depth + 1)) return false;
      Space();
      if (Take(']')) return true;
      if (!Take(',')) return Fail("no ',' or ']'");
    }
  }

  bool String() {
    Take('"');
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (static_cast<unsigned char>(c) < 0x20) {
        return Fail("control character in a string");
      }
      ++at_;
      if (c == '"') return true;
      if (c == '\\' && !Escape()) return false;
    }
    return Fail("string without end");
  }

  bool Escape() {
    constexpr absl::string_view kSimple = "\"\\/bfnrt";
    if (Take('u')) {
      for (int i = 0; i < 4; ++i, ++at_) {
        if (!absl::ascii_isxdigit(Peek())) return Fail("bad \\u escape");
      }
      return true;
    }
    if (Peek() == '\0' || kSimple.find(Peek()) == absl::string_view::npos) {
      return Fail("bad escape");
    }
    ++at_;
    return true;
  }

  bool Digits() {
    if (!absl::ascii_isdigit(Peek())) return Fail("no JSON value");
    while (absl::ascii_isdigit(Peek())) ++at_;
    return true;
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return false;
    if (Take('.') && !Digits()) return false;
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      return Digits();
    }
    return true;
  }

  const absl::string_view text_;
  size_t at_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace

absl::Status CheckJsonSyntax(absl::string_view text) {
  return Scanner(text).Run();
}

}  // namespace eoip::cni
