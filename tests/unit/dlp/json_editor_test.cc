#include "dlp/json_editor.h"

#include "base/json_reader.h"
#include "dlp/redactor.h"
#include "dlp/restorer.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::dlp {
namespace {

const std::string kToken = "ghp_" + std::string(36, 'a');

// Replaces every "x" by what it was made with.
class Replacer final : public TextEditor {
 public:
  explicit Replacer(std::string by) : by_(std::move(by)) {}
  void begin(const TextOrigin& origin) override {
    received_ = 0;
    texts.emplace_back();
    fields.push_back(origin.field == nullptr ? "" : origin.field->text());
    contexts.emplace_back(origin.left_context);
  }
  void push(std::string_view text, std::vector<Edit>& edits) override {
    texts.back() += text;
    for (const char byte : text) {
      if (byte == 'x') edits.push_back({received_, received_ + 1, by_});
      ++received_;
    }
  }
  void finish(std::string_view last, std::vector<Edit>& edits) override { push(last, edits); }
  std::uint64_t settled() const override { return received_; }

  std::vector<std::string> texts;
  std::vector<std::string> fields;
  std::vector<std::string> contexts;

 private:
  std::string by_;
  std::uint64_t received_ = 0;
};

// What comes out when `json` goes in by pieces of `size` bytes; the error's sentence otherwise.
std::string edited(TextEditor& editor, std::string_view json, std::size_t size,
                   JsonEditorOptions options = {}) {
  JsonEditor document(editor, options);
  std::string out;
  for (; !json.empty(); json.remove_prefix(std::min(size, json.size()))) {
    if (auto ok = document.push(json.substr(0, size), out); !ok) return ok.error().what;
  }
  if (auto ok = document.finish(out); !ok) return ok.error().what;
  return out;
}

std::string replaced(std::string_view json, std::string by = "y") {
  Replacer whole(by);
  const std::string out = edited(whole, json, json.size() + 1);
  for (std::size_t size = 1; size < 9; ++size) {
    Replacer piecewise(by);
    EXPECT_EQ(edited(piecewise, json, size), out) << json;
    EXPECT_EQ(piecewise.texts, whole.texts);
    EXPECT_EQ(piecewise.fields, whole.fields);
  }
  return out;
}

TEST(JsonEditor, ChangesOnlyWhatIsReplaced) {
  const struct {
    std::string_view in;
    std::string_view out;
  } cases[] = {
      {R"("x")", R"("y")"},
      {R"({"x":"axb"})", R"({"x":"ayb"})"},
      {" {\"a\" :\t[ 1e5 ,-0.50,true , null,\"\" ] }\r\n ",
       " {\"a\" :\t[ 1e5 ,-0.50,true , null,\"\" ] }\r\n "},
      {R"({"b":1,"a":2,"b":"x"})", R"({"b":1,"a":2,"b":"y"})"},
      {R"(12345678901234567890123)", R"(12345678901234567890123)"},
      {R"("\u0078\u0041x\/\"\\\n")", R"("y\u0041y\/\"\\\n")"},
      {R"("\ud83d\ude00x\ud83dx\ude00\ud83d\n")", R"("\ud83d\ude00y\ud83dy\ude00\ud83d\n")"},
      {"\"\xc3\xa9x\xff\"", "\"\xc3\xa9y\xff\""},
      {"[]", "[]"},
      {"{}", "{}"},
      {"[[],{}]", "[[],{}]"},
      {"0", "0"},
      {"false", "false"},
  };
  for (const auto& test : cases) EXPECT_EQ(replaced(test.in), test.out);
  EXPECT_EQ(replaced(R"(["x"])", "\"\\\n\x01"), R"(["\"\\\n\u0001"])");
}

TEST(JsonEditor, DecodesForTheEditor) {
  Replacer editor("");
  edited(editor, R"(["\u0061\n\u00e9\ud83d\ude00\ud800","\udc00\ud83d"])", 1000);
  EXPECT_EQ(editor.texts, (std::vector<std::string>{"a\n\xc3\xa9\xf0\x9f\x98\x80\xed\xa0\x80",
                                                    "\xed\xb0\x80\xed\xa0\xbd"}));
}

TEST(JsonEditor, TellsFieldAndContext) {
  Replacer editor("");
  edited(editor, R"({"messages":[{"role":"u"},{"content":[{"te xt":"a"}]}],"\u006b":"b"})", 3);
  EXPECT_EQ(editor.fields, (std::vector<std::string>{"messages[0].role",
                                                     "messages[1].content[0][\"te xt\"]", "k"}));
  EXPECT_EQ(editor.contexts, (std::vector<std::string>{"role: ", "te xt: ", "k: "}));
}

TEST(JsonEditor, NumbersAndKeys) {
  const auto profile = sample_profile();
  const auto redacted = [&](std::string_view json, JsonEditorOptions options = {}) {
    Redactor redactor(profile, nullptr);
    return edited(redactor, json, 7, options);
  };
  EXPECT_EQ(redacted(R"({"n":4111111111111111, "m":41111})"),
            R"({"n":"[REDACTED:card]", "m":41111})");
  const std::string keyed = R"({")" + kToken + R"(":1})";
  EXPECT_EQ(redacted(keyed), keyed);
  struct Keys final : JsonFilter {
    bool wants(const JsonPath&, JsonText what) override { return what == JsonText::kKey; }
  } keys;
  EXPECT_EQ(redacted(keyed, {.filter = &keys}), R"({"[REDACTED:github_token]":1})");
}

TEST(JsonEditor, FilterChoosesByPath) {
  struct Content final : JsonFilter {
    bool wants(const JsonPath& path, JsonText) override {
      constexpr std::string_view kContent[] = {"messages", "[]", "content", "**"};
      return path.matches(kContent);
    }
  } content;
  Replacer editor("y");
  EXPECT_EQ(
      edited(editor, R"({"x":"x","messages":[{"role":"x","content":"x"},{"content":[{"t":"x"}]}]})",
             100, {.filter = &content}),
      R"({"x":"x","messages":[{"role":"x","content":"y"},{"content":[{"t":"y"}]}]})");
}

TEST(JsonEditor, PathPatterns) {
  struct Probe final : JsonFilter {
    bool wants(const JsonPath& path, JsonText what) override {
      if (what == JsonText::kKey) return false;
      using Steps = std::vector<std::string_view>;
      for (const auto& [pattern, expected] :
           std::vector<std::pair<Steps, bool>>{{{"a", "[]", "b"}, true},
                                               {{"a", "[]", "*"}, true},
                                               {{"**", "b"}, true},
                                               {{"a", "**"}, true},
                                               {{"**"}, true},
                                               {{"a", "**", "b"}, true},
                                               {{"a", "[]"}, false},
                                               {{"a", "*", "b"}, false},
                                               {{"**", "c"}, false},
                                               {{}, false},
                                               {{"a", "[]", "b", "**"}, true},
                                               {{"b"}, false}}) {
        EXPECT_EQ(path.matches(pattern), expected) << pattern.size();
      }
      return true;
    }
  } probe;
  Replacer editor("");
  edited(editor, R"({"a":[{"b":"x"}]})", 100, {.filter = &probe});
}

TEST(JsonEditor, EscapesHideNothing) {
  std::string hidden = R"(["a\u0040b.com","password: hunter2\u0068unter2","\u0067hp_)" +
                       std::string(36, 'a') + R"("])";
  for (std::size_t size = 1; size < hidden.size(); ++size) {
    Redactor redactor(sample_profile(), nullptr);
    EXPECT_EQ(edited(redactor, hidden, size),
              R"(["[REDACTED:email]","password: [REDACTED:password]","[REDACTED:github_token]"])");
  }
}

TEST(JsonEditor, InvalidIsAnErrorForEveryChunking) {
  const std::string_view cases[] = {"",
                                    " ",
                                    "[",
                                    "{",
                                    "[1,]",
                                    "{,}",
                                    "{\"a\"}",
                                    "{\"a\":}",
                                    "{\"a\":1,}",
                                    "{a:1}",
                                    "[1 2]",
                                    "01",
                                    "1.",
                                    "-",
                                    ".5",
                                    "1e",
                                    "+1",
                                    "tru",
                                    "truex",
                                    "nul",
                                    "\"",
                                    "\"\\",
                                    "\"\\q\"",
                                    "\"\\u12\"",
                                    "\"\\u12g4\"",
                                    "\"\n\"",
                                    "1 2",
                                    "[]]",
                                    "{}}",
                                    "[}",
                                    "{]",
                                    "'a'",
                                    "\xef\xbb\xbf{}",
                                    "NaN",
                                    "[1,,2]",
                                    "{\"a\" 1}",
                                    "\x00",
                                    "/**/1",
                                    "\"a\" \"b\""};
  for (const std::string_view json : cases) {
    for (std::size_t size = 1; size <= json.size() + 1; ++size) {
      Replacer editor("y");
      JsonEditor document(editor);
      std::string out;
      bool good = true;
      for (std::string_view rest = json; good && !rest.empty();) {
        good = document.push(rest.substr(0, size), out).has_value();
        rest.remove_prefix(std::min(size, rest.size()));
      }
      EXPECT_FALSE(good && document.finish(out).has_value()) << json << " by " << size;
      EXPECT_FALSE(document.push("1", out)) << "an error stays";
    }
  }
}

TEST(JsonEditor, SaysWhereItIsWrong) {
  Replacer editor("");
  EXPECT_EQ(edited(editor, R"({"a":1 "b"})", 4), "invalid JSON at byte 7: a comma is missing");
  EXPECT_EQ(edited(editor, R"({"a)", 4), "invalid JSON at byte 3: it ends too early");
}

TEST(JsonEditor, DepthIsLimitedWithoutRecursion) {
  for (const std::string_view open : {"[", "{\"a\":"}) {
    std::string deep;
    for (int i = 0; i < 10'000; ++i) deep += open;
    Replacer editor("");
    EXPECT_TRUE(edited(editor, deep, 1 << 20).contains("nested more than 512 levels"));
    JsonEditor document(editor, {.max_depth = 20'000});
    std::string out;
    EXPECT_TRUE(document.push(deep, out));
    EXPECT_EQ(out, deep);
  }
}

TEST(JsonEditor, BlockingEndsIt) {
  Redactor redactor(sample_profile({.mode = Mode::kBlock}), nullptr);
  JsonEditor document(redactor);
  std::string out;
  const auto outcome = document.push(R"({"a":"b )" + kToken + R"(","c":1})", out);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, std::errc::permission_denied);
  EXPECT_TRUE(redactor.blocked());
  EXPECT_FALSE(out.contains("ghp_"));
}

// A document around the text, escaped at random.
std::string document_of(std::string_view text, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string json = R"({ "k": [1, {"content": ")";
  for (const char byte : text) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x20 || byte == '"' || byte == '\\' || (value < 0x80 && random() % 8 == 0)) {
      char escape[8];
      std::snprintf(escape, sizeof escape, random() % 2 == 0 ? "\\u%04x" : "\\u%04X", value);
      json += escape;
    } else {
      json += byte;
    }
  }
  return json + R"("}], "z": "4111 1111 1111 1111"})";
}

TEST(JsonEditor, TokenizedDocumentsAreRestoredForAnyChunks) {
  const auto profile = sample_profile({.mode = Mode::kTokenize});
  const auto text_of = [](std::string_view json) {
    auto document = JsonDocument::parse(json);
    EXPECT_TRUE(document) << json;
    if (!document) return std::string();
    const JsonValue inner(&document->root().member("k").elements()[1]);
    return std::string(inner.text("content"));
  };
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    std::string text;
    for (const char byte : random_text(seed, 400)) {
      if ((byte & 0x80) == 0) text += byte;  // The reader takes UTF-8 only.
    }
    const auto vault = std::make_shared<Vault>();
    const std::string json = document_of(text, seed);
    Redactor redactor(profile, vault);
    const std::string sent = edited(redactor, json, json.size());
    ASSERT_NE(sent, json);
    for (const std::size_t size : {1u, 2u, 5u, 33u}) {
      ASSERT_EQ(edited(redactor, json, size), sent) << seed;
    }
    Restorer restorer(vault);
    for (const std::size_t size : {1u, 7u, 100'000u}) {
      ASSERT_EQ(text_of(edited(restorer, sent, size)), text) << seed;
    }
  }
}

}  // namespace
}  // namespace agentsh::dlp
