#include "dlp/scanner.h"

#include "dlp/scan_stream.h"
#include "tests/unit/dlp/sample_detectors.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::dlp {
namespace {

const std::string kToken = "ghp_" + std::string(36, 'a');

std::string found_in(std::string_view text, const ProfileSettings& settings = {}) {
  return described(sample_scanner()->scan(text, *sample_profile(settings)), *sample_scanner());
}

struct Case {
  std::string_view what;
  std::string text;
  std::string_view hits;
};

TEST(Scanner, FindsValuesInText) {
  const Case cases[] = {
      {"nothing", "", ""},
      {"nothing to find", "plain words, 12:30", ""},
      {"a token", "t=" + kToken + ";", "github_token:2-42"},
      {"at both ends", kToken, "github_token:0-40"},
      {"within a longer word", "x" + kToken, ""},
      {"too long", kToken + "a", ""},
      {"two", kToken + " " + kToken, "github_token:0-40 github_token:41-81"},
      {"a group is the value", "password: hunter2hunter2", "password:10-24"},
      {"the longest match", "4111 1111 1111 1111 12", "card:0-22"},
      {"a value over line breaks", "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n",
       "pem:0-57"},
      {"bytes that are no UTF-8", "\xff\xfe" + kToken + "\xff", "github_token:2-42"},
      {"a NUL", std::string("\0", 1) + kToken, "github_token:1-41"},
      {"overlapping: joined, named by the surer", "postgres://me:secret@db.example.com/x",
       "url_password:14-35"},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(found_in(test.text), test.hits) << test.what << ": " << test.text;
  }
}

TEST(Scanner, ContextRaisesOrIsRequired) {
  const Case cases[] = {
      {"without a word", "12345678", ""},
      {"before", "account: 12345678", "account:9-17"},
      {"in any case", "ACCOUNT 12345678", "account:8-16"},
      {"behind", "12345678 is his konto", "account:0-8"},
      {"within a word", "accounts 12345678", ""},
      {"too far behind", "12345678" + std::string(30, ' ') + "konto", ""},
      {"required and there", "case AB123456", "case_number:5-13"},
      {"required and missing", "AB123456", ""},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(found_in(test.text), test.hits) << test.what << ": " << test.text;
  }
}

TEST(Scanner, ModesDecideWhatOverlaps) {
  const std::string text = "password=" + kToken;
  EXPECT_EQ(found_in(text), "github_token:9-49");
  EXPECT_EQ(found_in(text, {.detectors = {{"github_token", Mode::kDisabled}}}), "password:9-49");
  // What only counts does not hide what is replaced.
  EXPECT_EQ(found_in(text, {.detectors = {{"github_token", Mode::kAudit}}}), "password:9-49");
  EXPECT_EQ(found_in(text, {.detectors = {{"password", Mode::kBlock}}}), "password:9-49");
  EXPECT_EQ(found_in(text, {.mode = Mode::kAudit}), "github_token:9-49");
  EXPECT_EQ(found_in(text, {.mode = Mode::kDisabled}), "");
  EXPECT_EQ(found_in("password=hunter2hunter2", {.min_confidence = 0.8}), "");
}

TEST(Scanner, RefusesWhatCannotBeBuilt) {
  auto detectors = sample_detectors();
  detectors.push_back(detectors.front());
  EXPECT_EQ(Scanner::build(detectors).error().what, "detector github_token is there twice");
  detectors.back().id = "broken";
  detectors.back().patterns = {"(a"};
  EXPECT_EQ(Scanner::build(detectors).error().what, "detector broken: missing ): (a");
  detectors.back().patterns = {"a*"};
  EXPECT_EQ(Scanner::build(detectors).error().what,
            "detector broken: the pattern matches the empty text");
  EXPECT_FALSE(Profile::make(sample_scanner(), {.detectors = {{"nosuch", Mode::kAudit}}}));
}

std::vector<Hit> streamed(std::string_view text, const std::vector<std::size_t>& cuts,
                          const std::shared_ptr<const Profile>& profile) {
  ScanStream stream(profile);
  std::vector<Hit> hits;
  const auto receive = [&](const ScanStream::Found& found) {
    EXPECT_EQ(found.value, text.substr(found.hit.begin, found.hit.end - found.hit.begin));
    EXPECT_LE(found.hit.end, stream.settled());
    hits.push_back(found.hit);
  };
  stream.begin({});
  std::size_t at = 0;
  for (const std::size_t cut : cuts) {
    stream.push(text.substr(at, cut - at), receive);
    at = cut;
    EXPECT_LE(at - stream.settled(), ScanStream::kMaxHeld);
  }
  stream.finish(text.substr(at), receive);
  EXPECT_EQ(stream.settled(), text.size());
  return hits;
}

TEST(Scanner, HitsDoNotDependOnChunks) {
  const auto profile = sample_profile({.detectors = {{"password", Mode::kAudit}}});
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    const std::string text = random_text(seed, 400);
    const auto expected = streamed(text, {}, profile);
    const std::string wanted = described(expected, *sample_scanner());
    std::vector<std::size_t> every(text.size());
    for (std::size_t i = 0; i < every.size(); ++i) every[i] = i;
    ASSERT_EQ(described(streamed(text, every, profile), *sample_scanner()), wanted) << seed;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      ASSERT_EQ(described(streamed(text, {cut}, profile), *sample_scanner()), wanted)
          << seed << " at " << cut;
    }
  }
}

TEST(Scanner, LongTextsInRandomChunks) {
  const auto profile = sample_profile();
  for (std::uint64_t seed = 1000; seed < 1003; ++seed) {
    std::string text = random_text(seed, 200'000);
    // Chains of overlapping matches, longer than what is held.
    text.insert(text.size() / 2, std::string(100'000, '7'));
    for (int i = 0; i < 3000; ++i) text += "12345678 account ";
    const auto expected = streamed(text, {}, profile);
    EXPECT_GT(expected.size(), 100u);
    std::mt19937_64 random(seed);
    for (const std::size_t most : {7u, 300u, 5000u, 70000u}) {
      std::vector<std::size_t> cuts;
      for (std::size_t at = random() % most; at < text.size(); at += 1 + random() % most) {
        cuts.push_back(at);
      }
      ASSERT_EQ(streamed(text, cuts, profile), expected) << seed << " up to " << most;
    }
  }
}

TEST(Scanner, HoldsOnlyWhatCouldBeOpen) {
  ScanStream stream(sample_profile());
  const auto nothing = [](const ScanStream::Found&) {};
  struct {
    std::string_view text;
    std::size_t held;
  } const cases[] = {
      {"Hello, world. ", 0},   {"some word", 4},  // The beginning of an e-mail address.
      {"call 4111 1111 ", 10}, {"-----BEGIN ", 11}, {"a -", 1}, {"!!!", 0}};
  for (const auto& test : cases) {
    stream.begin({});
    stream.push(test.text, nothing);
    EXPECT_EQ(test.text.size() - stream.settled(), test.held) << test.text;
  }
}

TEST(Scanner, LeftContextCountsAndIsNoHit) {
  ScanStream stream(sample_profile());
  std::vector<Hit> hits;
  const auto receive = [&](const ScanStream::Found& found) { hits.push_back(found.hit); };
  stream.begin("password: ");
  stream.finish("hunter2hunter2", receive);
  // The match begins in the context, its value in the text.
  EXPECT_EQ(described(hits, *sample_scanner()), "password:0-14");
}

}  // namespace
}  // namespace agentsh::dlp
