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

TEST(JsonReader, NumbersAreExactOrRefused) {
  const auto number = [](std::string_view text) {
    const auto document = JsonDocument::parse(text);
    EXPECT_TRUE(document) << text;
    return document->root().as_number();
  };
  EXPECT_EQ(number("0.0e61"), 0.0);
  EXPECT_EQ(number("-0"), 0.0);
  EXPECT_EQ(number("1e-999"), 0.0);
  EXPECT_EQ(number("0.1"), 0.1);
  EXPECT_EQ(number("1.7976931348623157e308"), 1.7976931348623157e308);
  const auto largest =
      JsonDocument::parse("[18446744073709551615,-9223372036854775808,18446744073709551616]");
  ASSERT_TRUE(largest);
  const auto elements = largest->root().elements();
  EXPECT_EQ(std::get<std::uint64_t>(elements[0].value), 18446744073709551615U);
  EXPECT_EQ(JsonValue(&elements[1]).as_integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(JsonValue(&elements[2]).as_number(), 18446744073709551616.0);
  for (std::string_view bad : {"1e999", "-1e999", "01", "1.", ".5", "+1", "1e", "0x10", "NaN"})
    EXPECT_FALSE(JsonDocument::parse(bad)) << bad;
}

TEST(Json, NoByteOrderMarkNorAPieceOfOne) {
  for (std::string_view bad : {"\xef\xbb\xbf{}", "\xef{}", "\xbb{}", "\xbf{}", "\xef\xbb\xbf"})
    EXPECT_FALSE(JsonDocument::parse(bad)) << bad;
}

}  // namespace
}  // namespace agentsh
