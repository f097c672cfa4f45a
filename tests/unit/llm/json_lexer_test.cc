// Tokens of JSON texts: their places, at every chunk border; what is refused; escapes.
#include "proxy/llm/json_lexer.h"

#include <gtest/gtest.h>

#include <tuple>

namespace agentsh::llm {
namespace {

using Seen = std::tuple<JsonKind, std::uint64_t, std::uint64_t, std::string, bool>;

struct Lexed {
  std::vector<Seen> tokens;
  bool valid = false;
  friend bool operator==(const Lexed&, const Lexed&) = default;
};

Lexed lex(const std::vector<std::string_view>& pieces) {
  JsonLexer lexer;
  JsonToken token;
  Lexed result;
  JsonStep step = JsonStep::kNeedMore;
  const auto keep = [&] {
    result.tokens.emplace_back(token.kind, token.begin, token.end, token.text, token.escaped);
  };
  for (std::string_view piece : pieces) {
    lexer.feed(piece);
    while ((step = lexer.next(token)) == JsonStep::kToken) keep();
    if (step == JsonStep::kInvalid) return result;
  }
  while ((step = lexer.finish(token)) == JsonStep::kToken) keep();
  result.valid = step == JsonStep::kNeedMore;
  return result;
}

Lexed lex_all_ways(std::string_view text) {
  const Lexed whole = lex({text});
  std::vector<std::string_view> bytes;
  for (std::size_t i = 0; i < text.size(); ++i) bytes.push_back(text.substr(i, 1));
  EXPECT_EQ(lex(bytes), whole) << text;
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    EXPECT_EQ(lex({text.substr(0, cut), text.substr(cut)}), whole) << text << " cut at " << cut;
  }
  return whole;
}

TEST(JsonLexer, GivesTokensWithTheirPlaces) {
  const std::string_view text = R"( {"a": [1, -2.5e3, "x\"y", true], "b\\": {}, "c":null} )";
  const Lexed lexed = lex_all_ways(text);
  ASSERT_TRUE(lexed.valid);
  std::string rebuilt;
  for (const auto& [kind, begin, end, body, escaped] : lexed.tokens) {
    rebuilt.append(text.substr(begin, end - begin)).append("|");
  }
  EXPECT_EQ(rebuilt, R"({|"a"|[|1|-2.5e3|"x\"y"|true|]|"b\\"|{|}|"c"|null|}|)");
}

TEST(JsonLexer, TakesAnyValueAsADocument) {
  for (std::string_view text :
       {"1", " \"x\" ", "true", "[]", "{}", "\"\\\\\"", "\"\\u0041\\\"\""}) {
    EXPECT_TRUE(lex_all_ways(text).valid) << text;
  }
}

TEST(JsonLexer, RefusesWhatIsNoJson) {
  for (std::string_view text :
       {"",      " ",     "{",    "[1,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{1:2}", "[1 2]", "1 2",  "{}{}", "]",       "{]",       "[}",
        "tru",   "truex", "nul",  "+1",   "\"a",     "\"\\\"",   "{\"a\" 1}",
        ",",     ":",     "[,1]", "NaN",  "'a'",     "[1}",      "{\"a\":1 \"b\":2}"}) {
    EXPECT_FALSE(lex_all_ways(text).valid) << text;
  }
}

TEST(JsonLexer, BoundsNesting) {
  EXPECT_TRUE(lex({std::string(512, '['), std::string(512, ']')}).valid);
  EXPECT_FALSE(lex({std::string(513, '['), std::string(513, ']')}).valid);
}

TEST(JsonLexer, KeepsTheFirstPartOfALongToken) {
  const std::string text = "\"" + std::string(200'000, 'x') + "\"";
  JsonLexer lexer;
  JsonToken token;
  lexer.feed(std::string_view(text).substr(0, 100'000));
  ASSERT_EQ(lexer.next(token), JsonStep::kNeedMore);
  EXPECT_EQ(lexer.pending_from(), 0U);
  lexer.feed(std::string_view(text).substr(100'000));
  ASSERT_EQ(lexer.next(token), JsonStep::kToken);
  EXPECT_TRUE(token.text_cut);
  EXPECT_EQ(token.text.size(), JsonLexer::kMaxSpilled);
  EXPECT_EQ(token.end, text.size());
}

TEST(JsonText, EscapesAndBack) {
  std::string out;
  EXPECT_TRUE(json_unescape(R"(a\u0040b\n\t\/\\\"\ud83d\ude00\u00e9\u20ac)", out));
  EXPECT_EQ(out, "a@b\n\t/\\\"😀é€");
  std::string escaped;
  json_escape(out, escaped);
  std::string again;
  EXPECT_TRUE(json_unescape(escaped, again));
  EXPECT_EQ(again, out);
}

TEST(JsonText, LoneSurrogatesSurvive) {
  std::string out;
  EXPECT_TRUE(json_unescape(R"(\ud83d x \ude00\ud83d)", out));
  std::string escaped;
  json_escape(out, escaped);
  EXPECT_EQ(escaped, R"(\ud83d x \ude00\ud83d)");
}

TEST(JsonText, MalformedEscapesAreRefused) {
  for (std::string_view raw : {R"(\)", R"(\x)", R"(\u12)", R"(\u12G4)", R"(a\u)"}) {
    std::string out;
    EXPECT_FALSE(json_unescape(raw, out)) << raw;
  }
}

}  // namespace
}  // namespace agentsh::llm
