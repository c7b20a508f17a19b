// SPDX-License-Identifier: Apache-2.0
#include "json_syntax.h"

#include <gtest/gtest.h>

#include <string>

namespace eoip::cni {
namespace {

TEST(JsonSyntaxTest, TakesJson) {
  for (const char* text :
       {"{}", " [ ] ", "null", "-0", "0.5e-7", "1E9", "\"\\u00fc\\n\\\"\"",
        R"({"a":[1,{"b":null}],"":true})", "\t{\r\n\"a\" : false }\n"}) {
    EXPECT_TRUE(CheckJsonSyntax(text).ok()) << text;
  }
}

TEST(JsonSyntaxTest, RefusesWhatOnlyLooksLikeJson) {
  for (const char* text :
       {"",      " ",          "{",    "}",         "[1",          "{'a':1}",
        "{a:1}", "{\"a\":1,}", "[1,]", "{\"a\" 1}", "{\"a\":}",    "{} {}",
        "nul",   "nulls",      "01",   "1.",        ".5",          "+1",
        "-",     "1e",         "\"a",  "\"\\x\"",   "\"\\u12g4\"", "\"a\nb\"",
        "\"\\",  "// x\n{}",   "NaN",  "[1 2]"}) {
    EXPECT_FALSE(CheckJsonSyntax(text).ok()) << text;
  }
}

TEST(JsonSyntaxTest, SaysWhere) {
  EXPECT_EQ(CheckJsonSyntax("{\"a\": 1,}").message(),
            "no key in quotes at byte 8");
}

TEST(JsonSyntaxTest, EndsAtAHundredLevels) {
  EXPECT_TRUE(
      CheckJsonSyntax(std::string(100, '[') + std::string(100, ']')).ok());
  EXPECT_FALSE(CheckJsonSyntax(std::string(100000, '[')).ok());
}

TEST(JsonSyntaxTest, TextNeedNotEndInNul) {
  EXPECT_FALSE(CheckJsonSyntax(absl::string_view("[1]x", 2)).ok());
  EXPECT_FALSE(CheckJsonSyntax(absl::string_view("{}\0", 3)).ok());
}

}  // namespace
}  // namespace eoip::cni
