// Places in documents by path: members, elements, wildcards, inheritance, spellings of keys.
#include "proxy/llm/field_map.h"

#include "proxy/llm/dialect_fields.h"

#include <gtest/gtest.h>

#include <map>

namespace agentsh::llm {
namespace {

// Of each scalar its text -> its place.
std::map<std::string, FieldReader::Token> read(const FieldMap& map, std::string_view text) {
  FieldReader reader(map);
  FieldReader::Token token;
  std::map<std::string, FieldReader::Token> found;
  reader.feed(text);
  while (reader.next(token) == JsonStep::kToken) found[std::string(token.text)] = token;
  return found;
}

constexpr FieldRule kRules[] = {
    {"", Field::kNone, TextUse::kText},
    {"model", Field::kModel, TextUse::kLeave},
    {"list[].id", Field::kNone, TextUse::kLeave},
    {"list[].*.x", Field::kToolName, TextUse::kInherit},
    {"deep", Field::kNone, TextUse::kLeave},
    {"deep.inner", Field::kNone, TextUse::kFree},
};

TEST(FieldMap, FindsPlaces) {
  const FieldMap map({{"", kRules}});
  const auto found = read(map, R"({"model":"m","list":[{"id":"i","any":{"x":"t","y":"u"}},"e"],
    "deep":{"other":"o","inner":{"a":["f"]}},"unknown":{"model":"n"}})");
  EXPECT_EQ(found.at("m").place.field, Field::kModel);
  EXPECT_EQ(found.at("m").place.text, TextUse::kLeave);
  EXPECT_EQ(found.at("i").place.text, TextUse::kLeave);
  EXPECT_EQ(found.at("t").place.field, Field::kToolName);
  EXPECT_EQ(found.at("u").place.text, TextUse::kText);
  EXPECT_EQ(found.at("e").place.text, TextUse::kText);
  EXPECT_EQ(found.at("o").place.text, TextUse::kLeave);
  EXPECT_EQ(found.at("f").place.text, TextUse::kFree);
  EXPECT_EQ(found.at("n").place.field, Field::kNone);
}

TEST(FieldMap, EscapedKeysAreTheSameKeys) {
  const FieldMap map({{"", kRules}});
  EXPECT_EQ(read(map, R"({"m\u006fdel":"m"})").at("m").place.field, Field::kModel);
}

TEST(FieldMap, TellsElements) {
  const FieldMap map({{"", kRules}});
  const auto found = read(map, R"([["a","b"],["c",["d","e"]],[],"f"])");
  using Pair = std::array<std::uint32_t, 2>;
  EXPECT_EQ(found.at("a").element, (Pair{0, 0}));
  EXPECT_EQ(found.at("b").element, (Pair{0, 1}));
  EXPECT_EQ(found.at("c").element, (Pair{1, 0}));
  EXPECT_EQ(found.at("e").element, (Pair{1, 1}));
  EXPECT_EQ(found.at("f").element, (Pair{3, 0}));
}

TEST(FieldMap, EveryDialectHasItsTables) {
  for (int i = 0; i <= static_cast<int>(Dialect::kInvokeModelStream); ++i) {
    const auto dialect = static_cast<Dialect>(i);
    const DialectFields& fields = fields_of(dialect, "anthropic.claude");
    EXPECT_EQ(fields.request.root().text, TextUse::kText) << to_string(dialect);
    EXPECT_EQ(fields.event.root().text, TextUse::kText) << to_string(dialect);
  }
}

TEST(FieldMap, ImagesAndIdsAreLeftAlone) {
  const auto chat = read(chat_fields().request, R"({"messages":[{"role":"tool","tool_call_id":"c1",
    "content":[{"type":"input_audio","input_audio":{"data":"AAAA"}},{"type":"text","text":"hi"},
    {"type":"image_url","image_url":{"url":"data:x"}}],"tool_calls":[{"id":"c2","function":
    {"name":"f","arguments":"{}"}}]}]})");
  EXPECT_EQ(chat.at("c1").place.text, TextUse::kLeave);
  EXPECT_EQ(chat.at("AAAA").place.text, TextUse::kLeave);
  EXPECT_EQ(chat.at("hi").place.text, TextUse::kText);
  EXPECT_EQ(chat.at("data:x").place.text, TextUse::kDataUrl);
  EXPECT_EQ(chat.at("{}").place.text, TextUse::kJson);
  const auto gemini = read(gemini_fields().request,
                           R"({"contents":[{"role":"user","parts":[{"inlineData":{"data":"BBBB"}},
    {"functionCall":{"name":"g","args":{"q":"free"}}},{"text":"hello"}]}]})");
  EXPECT_EQ(gemini.at("BBBB").place.text, TextUse::kLeave);
  EXPECT_EQ(gemini.at("free").place.text, TextUse::kFree);
  EXPECT_EQ(gemini.at("hello").place.text, TextUse::kText);
}

}  // namespace
}  // namespace agentsh::llm
