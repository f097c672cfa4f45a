// Editing JSON inside strings: escapes, keys, numbers, text that is no JSON; for every chunking.
#include "proxy/llm/nested_json.h"

#include "dlp/redactor.h"
#include "dlp/restorer.h"
#include "dlp/text_stream.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::llm {
namespace {

std::string edited(dlp::TextEditor& editor, const std::vector<std::string_view>& pieces) {
  NestedJson nested(editor);
  dlp::TextStream stream(nested);
  std::string out;
  for (std::string_view piece : pieces) stream.push(piece, out);
  stream.finish(out);
  return out;
}

std::string redacted(std::string_view text) {
  dlp::Redactor redactor(dlp::sample_profile({.mode = dlp::Mode::kRedact}), nullptr);
  const std::string whole = edited(redactor, {text});
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    dlp::Redactor again(dlp::sample_profile({.mode = dlp::Mode::kRedact}), nullptr);
    EXPECT_EQ(edited(again, {text.substr(0, cut), text.substr(cut)}), whole) << cut;
  }
  return whole;
}

TEST(NestedJson, DecodesWhatItShowsAndEscapesWhatItPuts) {
  EXPECT_EQ(redacted(R"({"to":"x\na@b.example\n","also":"a\u0040b.example"})"),
            R"({"to":"x\n[REDACTED:email]\n","also":"[REDACTED:email]"})");
  EXPECT_EQ(redacted(R"({"emoji":"\ud83d\ude00 a@b.example \\"})"),
            R"({"emoji":"\ud83d\ude00 [REDACTED:email] \\"})");
}

TEST(NestedJson, KeysAreContext) {
  EXPECT_EQ(redacted(R"({"password":"correct-horse"})"), R"({"password":"[REDACTED:password]"})");
}

TEST(NestedJson, NumbersBecomeStrings) {
  EXPECT_EQ(redacted(R"({"card": 4111111111111111, "n": 1})"),
            R"({"card": "[REDACTED:card]", "n": 1})");
}

TEST(NestedJson, WhatIsNoJsonHidesNothing) {
  EXPECT_EQ(redacted("send it to a@b.example, now"), "send it to [REDACTED:email], now");
  EXPECT_EQ(redacted(R"(it's "a@b.example)"), R"(it's "[REDACTED:email])");
  EXPECT_EQ(redacted("\"\\"), "\"\\");
  EXPECT_EQ(redacted(R"("\ud83d)"), R"("\ud83d)");
}

TEST(NestedJson, TokenizedTextComesBack) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto vault = std::make_shared<dlp::Vault>();
    const auto profile = dlp::sample_profile({.mode = dlp::Mode::kTokenize});
    std::string text = dlp::random_text(seed, 400);
    dlp::Redactor redactor(profile, vault);
    std::mt19937 random(static_cast<unsigned>(seed));
    // A JSON string of it, so that only escapes and strings are met.
    std::string quoted = "{\"a\":\"";
    for (char c : text) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    quoted += "\"}";
    const std::string tokenized = edited(redactor, {quoted});
    dlp::Restorer restorer(vault);
    std::vector<std::string_view> pieces;
    for (std::string_view rest = tokenized; !rest.empty();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 9, rest.size());
      pieces.push_back(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    EXPECT_EQ(edited(restorer, pieces), quoted) << seed;
  }
}

}  // namespace
}  // namespace agentsh::llm
