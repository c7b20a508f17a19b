// SPDX-License-Identifier: Apache-2.0
#include "json.h"

#include <gtest/gtest.h>

#include <string>

#include "cni_error.h"

namespace eoip::cni {
namespace {

bool IsJson(const std::string& text) { return ParseJson("test", text).ok(); }

TEST(ParseJsonTest, TakesJson) {
  for (const char* text :
       {"{}", " [ ] ", "null", "-0", "0.5e-7", "1E9", "\"\\u00fc\\n\\\"\"",
        R"({"a":[1,{"b":null}],"":true})", "\t{\r\n\"a\" : false }\n"}) {
    EXPECT_TRUE(IsJson(text)) << text;
  }
}

TEST(ParseJsonTest, RefusesWhatOnlyLooksLikeJson) {
  for (const char* text :
       {"",      " ",          "{",    "}",         "[1",          "{'a':1}",
        "{a:1}", "{\"a\":1,}", "[1,]", "{\"a\" 1}", "{\"a\":}",    "{} {}",
        "nul",   "nulls",      "01",   "1.",        ".5",          "+1",
        "-",     "1e",         "\"a",  "\"\\x\"",   "\"\\u12g4\"", "\"a\nb\"",
        "\"\\",  "// x\n{}",   "NaN",  "[1 2]",     "\"\xff\""}) {
    EXPECT_FALSE(IsJson(text)) << text;
  }
  EXPECT_FALSE(IsJson(std::string("{}\0", 3)));
  EXPECT_FALSE(IsJson("1e999"));  // fits no number
}

TEST(ParseJsonTest, SaysWhereAndWhyWithoutTheInput) {
  const absl::Status status = ParseJson("result", "{\"a\": 1,\x01}").status();
  EXPECT_EQ(CniCodeOf(status), 6u);
  EXPECT_EQ(status.message(), "cannot decode the result");
  EXPECT_EQ(CniDetailsOf(status),
            "parse error at line 1, column 9: syntax error while parsing "
            "object key - invalid literal");
}

TEST(ParseJsonTest, EndsAtAHundredLevels) {
  EXPECT_TRUE(IsJson(std::string(100, '[') + std::string(100, ']')));
  EXPECT_FALSE(IsJson(std::string(101, '[') + std::string(101, ']')));
  EXPECT_FALSE(IsJson(std::string(100000, '[') + std::string(100000, ']')));
}

TEST(PrintJsonTest, NeverFails) {
  EXPECT_EQ(PrintJson("a\xff\"\n"), "\"a\xef\xbf\xbd\\\"\\n\"");
}

TEST(AtTest, IsNullWhereThereIsNothing) {
  const Json json = *ParseJson("test", R"({"a":{"b":"x"},"c":[1]})");
  EXPECT_EQ(TextOf(At(json, {"a", "b"})), "x");
  EXPECT_TRUE(At(json, {"a", "b", "c"}).is_null());
  EXPECT_TRUE(At(json, {"c", "b"}).is_null());
  EXPECT_TRUE(At(Json(), {"a"}).is_null());
  EXPECT_EQ(TextOf(At(json, {"a"})), "");
}

// The error of reading a value of each type from key "k".
template <typename Value>
std::string ErrorOf(const std::string& text, Value* value) {
  const Json json = *ParseJson("test", text);
  JsonReader reader(json, "p");
  reader.Read("k", value);
  return std::string(reader.status().message());
}

TEST(JsonReaderTest, AbsentAndNullChangeNothing) {
  for (const char* text : {"{}", R"({"k":null})"}) {
    std::string text_value = "x";
    uint32_t number = 7;
    std::optional<uint32_t> optional;
    EXPECT_EQ(ErrorOf(text, &text_value), "");
    EXPECT_EQ(ErrorOf(text, &number), "");
    EXPECT_EQ(ErrorOf(text, &optional), "");
    EXPECT_EQ(text_value, "x");
    EXPECT_EQ(number, 7u);
    EXPECT_FALSE(optional);
  }
}

TEST(JsonReaderTest, NumbersAreWholeHoweverWritten) {
  uint32_t number = 0;
  EXPECT_EQ(ErrorOf(R"({"k":1.5e3})", &number), "");
  EXPECT_EQ(number, 1500u);
  EXPECT_EQ(ErrorOf(R"({"k":4294967295})", &number), "");
  EXPECT_EQ(number, 4294967295u);
  for (const char* text : {R"({"k":4294967296})", R"({"k":-1})", R"({"k":0.5})",
                           R"({"k":"1"})", R"({"k":1e999})"}) {
    if (!IsJson(text)) continue;  // a number beyond what fits
    EXPECT_NE(ErrorOf(text, &number), "") << text;
  }
}

TEST(JsonReaderTest, ErrorsNamePathValueAndWhatIsAllowed) {
  bool truth = false;
  std::vector<std::string> list;
  EXPECT_EQ(ErrorOf(R"({"k":"yes"})", &truth),
            "p.k: \"yes\": must be true or false");
  EXPECT_EQ(ErrorOf(R"({"k":["a",1]})", &list),
            "p.k: 1: must be a list of strings");
  EXPECT_EQ(ErrorOf("[]", &truth), "p: []: must be an object");
}

}  // namespace
}  // namespace eoip::cni
