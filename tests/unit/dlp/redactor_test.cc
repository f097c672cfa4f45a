#include "dlp/redactor.h"

#include "dlp/restorer.h"
#include "dlp/scanner.h"
#include "dlp/text_stream.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::dlp {
namespace {

const std::string kToken = "ghp_" + std::string(36, 'a');

std::string redacted(std::string_view text, const ProfileSettings& settings) {
  Redactor redactor(sample_profile(settings), std::make_shared<Vault>());
  return edit_text(redactor, text);
}

// `text` through the editor in pieces of up to `most` bytes.
std::string streamed(TextEditor& editor, std::string_view text, std::uint64_t seed,
                     std::size_t most) {
  std::mt19937_64 random(seed);
  TextStream stream(editor);
  std::string out;
  while (!text.empty()) {
    const std::size_t size = std::min<std::size_t>(text.size(), 1 + random() % most);
    stream.push(text.substr(0, size), out);
    text.remove_prefix(size);
  }
  stream.finish(out);
  return out;
}

TEST(Redactor, ModesOfDetectors) {
  const std::string text = "a " + kToken + " b";
  EXPECT_EQ(redacted(text, {.mode = Mode::kRedact}), "a [REDACTED:github_token] b");
  EXPECT_EQ(redacted(text, {.mode = Mode::kAudit}), text);
  EXPECT_EQ(redacted(text, {.mode = Mode::kDisabled}), text);
  EXPECT_EQ(
      redacted(text, {.mode = Mode::kDisabled, .detectors = {{"github_token", Mode::kRedact}}}),
      "a [REDACTED:github_token] b");
  const std::string tokenized = redacted(text, {.mode = Mode::kTokenize});
  EXPECT_TRUE(tokenized.starts_with("a TOK_GITHUBTOKEN_")) << tokenized;
  EXPECT_EQ(tokenized.size(), 4 + 4 + 11 + 1 + Vault::kDigits);
}

TEST(Redactor, BlocksAndSettlesNothingMore) {
  Redactor redactor(sample_profile({.detectors = {{"github_token", Mode::kBlock}}}), nullptr);
  TextStream stream(redactor);
  std::string out;
  stream.push("before " + kToken + " behind ", out);
  stream.push("and more. ", out);
  stream.finish(out);
  EXPECT_TRUE(redactor.blocked());
  EXPECT_EQ(redactor.blocked_by().id, "github_token");
  EXPECT_EQ(out, "before ");
}

TEST(Redactor, CountsFindingsWithoutTheirValues) {
  const auto vault = std::make_shared<Vault>();
  Redactor redactor(sample_profile({.detectors = {{"email", Mode::kAudit}}}), vault);
  edit_text(redactor, "x " + kToken + " " + kToken + " a@b.com");
  const auto& entries = redactor.findings().entries();
  ASSERT_EQ(entries.size(), 2u);
  EXPECT_EQ(entries[0].detector, *sample_scanner()->find("github_token"));
  EXPECT_EQ(entries[0].count, 2u);
  EXPECT_EQ(entries[0].offset, 2u);
  EXPECT_EQ(entries[0].digest, vault->digest(kToken));
  EXPECT_EQ(entries[1].detector, *sample_scanner()->find("email"));
  EXPECT_EQ(redactor.findings().total(), 3u);
  EXPECT_EQ(redactor.replaced(), 2u);
}

TEST(Redactor, FindingsAreBounded) {
  Findings findings;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    findings.add({.begin = i, .end = i + 1, .detector = i % 300}, std::to_string(i), 0);
  }
  EXPECT_LE(findings.entries().size(), 2 * Findings::kMaximum);
  EXPECT_EQ(findings.total(), 10'000u);
}

TEST(Redactor, ResponsesAreRestoredAndPlaceholdersHide) {
  const auto vault = std::make_shared<Vault>();
  Redactor out(sample_profile({.mode = Mode::kTokenize}), vault);
  const std::string sent = edit_text(out, "mail bob@example.com");
  Redactor back(sample_profile({.mode = Mode::kRedact}), vault, Placeholders::kRestore);
  // The model's own address is redacted, ours is put back and not looked at again.
  EXPECT_EQ(edit_text(back, sent + " or eve@example.com"),
            "mail bob@example.com or [REDACTED:email]");
}

TEST(Redactor, RestoreOfTokenizedIsTheTextForAnyChunks) {
  const auto profile = sample_profile({.mode = Mode::kTokenize});
  const auto audit = sample_profile({.mode = Mode::kAudit});
  std::uint64_t replaced = 0;
  for (std::uint64_t seed = 0; seed < 1500; ++seed) {
    const auto vault = std::make_shared<Vault>();
    Redactor redactor(profile, vault);
    std::string text = random_text(seed, 500);
    // Placeholders that were issued, in the text: they are text too.
    if (seed % 3 == 0) {
      text += edit_text(redactor, text.substr(0, 200));
      text += edit_text(redactor, "tok a@b.com ");
    }
    const std::string sent = edit_text(redactor, text);
    ASSERT_EQ(streamed(redactor, text, seed, 1), sent) << seed;
    ASSERT_EQ(streamed(redactor, text, seed, 50), sent) << seed;
    Restorer restorer(vault);
    ASSERT_EQ(edit_text(restorer, sent), text) << seed;
    ASSERT_EQ(streamed(restorer, sent, seed, 1), text) << seed;
    ASSERT_EQ(streamed(restorer, sent, seed, 50), text) << seed;
    Redactor look(audit, vault, Placeholders::kKeep);
    ASSERT_EQ(edit_text(look, sent), sent);
    ASSERT_TRUE(look.findings().empty())
        << seed << ": "
        << sample_scanner()->detectors()[look.findings().entries().front().detector].id << " in "
        << sent;
    replaced += redactor.replaced();
  }
  EXPECT_GT(replaced, 10'000u);
}

TEST(Restorer, HoldsOnlyWhatCouldBeAPlaceholderThatWasIssued) {
  const auto vault = std::make_shared<Vault>();
  Restorer restorer(vault);
  TextStream stream(restorer);
  std::string out;
  stream.push("some TOK_", out);
  EXPECT_EQ(out, "some TOK_");  // Nothing was issued.
  const std::string placeholder = *vault->placeholder_for("bob@example.com", "EMAIL");
  out.clear();
  stream.push("T", out);
  EXPECT_EQ(out, "");
  stream.push("OX", out);
  EXPECT_EQ(out, "TOX");
  stream.push(" TOK_EM", out);
  EXPECT_EQ(stream.held(), 6u);
  stream.push("U", out);
  EXPECT_EQ(out, "TOX TOK_EMU");
  out.clear();
  stream.push(placeholder.substr(0, 12), out);
  stream.push(placeholder.substr(12), out);
  EXPECT_EQ(out, "bob@example.com");
  out.clear();
  std::string lower = placeholder;
  for (char& byte : lower) byte = static_cast<char>(std::tolower(byte));
  stream.push(lower + "s", out);
  stream.finish(out);
  EXPECT_EQ(out, "bob@example.coms");
}

TEST(Restorer, QuotesForInnerJson) {
  const auto vault = std::make_shared<Vault>();
  const std::string placeholder = *vault->placeholder_for("a\"b\\c\n", "SECRET");
  Restorer inner(vault, 1);
  EXPECT_EQ(edit_text(inner, "{\"k\":\"" + placeholder + "\"}"), "{\"k\":\"a\\\"b\\\\c\\n\"}");
}

TEST(Vault, SameValueSamePlaceholder) {
  const Vault::Key key{1, 2, 3};
  Vault one(key);
  Vault other(key);
  EXPECT_EQ(one.placeholder_for("a", "X"), one.placeholder_for("a", "X"));
  other.placeholder_for("b", "X");
  EXPECT_EQ(one.placeholder_for("a", "X"), other.placeholder_for("a", "X"));
  EXPECT_NE(one.placeholder_for("a", "X"), one.placeholder_for("b", "X"));
  EXPECT_NE(one.placeholder_for("a", "X"), Vault().placeholder_for("a", "X"));
  EXPECT_NE(one.digest("a"), one.digest("b"));
}

TEST(Vault, IsWrittenAndRead) {
  Vault vault;
  const std::string value("\0\xff \"x\"", 7);
  const auto placeholder = vault.placeholder_for(value, "X");
  const auto read = Vault::from_json(vault.to_json());
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ((*read)->value_of(*placeholder), value);
  EXPECT_EQ((*read)->placeholder_for("new", "X"), vault.placeholder_for("new", "X"));
  for (const char* bad : {"", "{}", R"({"version":1,"key":"00","values":[]})",
                          R"({"version":1,"key":"00000000000000000000000000000000",)"
                          R"("values":[{"placeholder":"x","value":""}]})"}) {
    EXPECT_FALSE(Vault::from_json(bad)) << bad;
  }
}

TEST(Vault, IsBounded) {
  Vault vault;
  const std::string big(1 << 20, 'x');
  std::size_t issued = 0;
  for (int i = 0; i < 100; ++i) {
    if (vault.placeholder_for(big + std::to_string(i), "X")) ++issued;
  }
  EXPECT_LT(issued, 40u);
  EXPECT_GT(issued, 20u);
}

TEST(Vault, KnowsThePlaceholdersForm) {
  EXPECT_EQ(placeholder_length("TOK_A_0123456789"), 16u);
  EXPECT_EQ(placeholder_length("tok_email_abcdefghjk and"), 20u);
  EXPECT_EQ(placeholder_length("TOK_A_012345678"), 0u);
  EXPECT_EQ(placeholder_length("TOK__0123456789"), 0u);
  EXPECT_EQ(placeholder_length("TOK_ABCDEFGHIJKLM_0123456789"), 0u);
  EXPECT_EQ(placeholder_length("TOK_A_012345678O"), 0u);
  EXPECT_TRUE(may_begin_placeholder("T"));
  EXPECT_TRUE(may_begin_placeholder("tok_em"));
  EXPECT_FALSE(may_begin_placeholder("TOK_1"));
}

}  // namespace
}  // namespace agentsh::dlp
