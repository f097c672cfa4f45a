#include "base/json_reader.h"
#include "base/json_writer.h"

#include <gtest/gtest.h>

namespace agentsh {
namespace {

TEST(JsonWriter, WritesObjects) {
  JsonWriter json;
  json.begin_object()
      .field("a", 1)
      .field("b", "x\"y")
      .field("c", true)
      .key("d")
      .begin_array()
      .value(-5)
      .null();
  json.end_array().optional_field("e", "").key("f").raw("{\"g\":1}").end_object();
  EXPECT_EQ(json.take(), R"({"a":1,"b":"x\"y","c":true,"d":[-5,null],"f":{"g":1}})");
}

TEST(JsonWriter, MakesAnyBytesValid) {
  EXPECT_EQ(json_quoted("a\xff"
                        "b"),
            "\"a\xef\xbf\xbd"
            "b\"");
  EXPECT_TRUE(JsonDocument::parse(json_quoted(std::string("\x00\x01\xed\xa0\x80", 5))));
}

TEST(JsonReader, ReadsValues) {
  auto document = JsonDocument::parse(R"({"s":"x","n":5,"b":true,"l":["a","b",3],"o":{"k":null}})");
  ASSERT_TRUE(document) << document.error().what;
  JsonValue root = document->root();
  EXPECT_EQ(root.text("s"), "x");
  EXPECT_EQ(root.integer("n"), 5);
  EXPECT_TRUE(root.flag("b"));
  EXPECT_EQ(root.texts("l"), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(root.member("o").member("k").is_null());
  EXPECT_EQ(root.text("missing", "d"), "d");
  EXPECT_EQ(root.text("n", "d"), "d");
}

TEST(JsonReader, RefusesHostileInput) {
  EXPECT_FALSE(JsonDocument::parse(std::string(2 << 20, '[')));
  EXPECT_FALSE(JsonDocument::parse(R"({"a":1,"a":2})"));
  EXPECT_FALSE(JsonDocument::parse("{} x"));
  EXPECT_FALSE(JsonDocument::parse(""));
  EXPECT_FALSE(JsonDocument::parse("\"\xff\""));
  EXPECT_FALSE(JsonDocument::parse("[[[[]]]]", {.max_depth = 3}));
  EXPECT_TRUE(JsonDocument::parse("[[[[]]]]", {.max_depth = 4}));
  EXPECT_FALSE(JsonDocument::parse("[1,2,3]", {.max_bytes = 6}));
}

}  // namespace
}  // namespace agentsh
