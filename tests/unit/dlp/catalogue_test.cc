#include "dlp/catalogue.h"

#include "dlp/profile.h"
#include "dlp/scanner.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

std::string error_of(std::string_view yaml) {
  const auto loaded = load_catalogue(yaml, "my.yaml");
  return loaded ? "" : loaded.error().what;
}

TEST(Catalogue, ReadsEveryKey) {
  const auto loaded = load_catalogue(R"(
detectors:
  - id: my_token
    kind: secret
    title: My token
    provider: me
    pattern: '\bmy_(\d{4})\b'
    keywords: [mine]
    validator: ['luhn', 'entropy(0)']
    context: {words: [Token, key], before: 10, after: 20, required: true, raises: 0.25}
    confidence: 0.5
    severity: low
    max_length: 100
    examples: ['key my_0000']
    counter_examples: [a, b]
  - {id: other, kind: personal, title: Other, patterns: [ab, cd], confidence: 1, examples: ab,
     counter_examples: x}
)",
                                     "my.yaml");
  ASSERT_TRUE(loaded) << loaded.error().what;
  const Detector& first = loaded->front();
  EXPECT_EQ(first.id, "my_token");
  EXPECT_EQ(first.kind, Kind::kSecret);
  EXPECT_EQ(first.severity, Severity::kLow);
  EXPECT_EQ(first.provider, "me");
  EXPECT_EQ(first.patterns, std::vector<std::string>{R"(\bmy_(\d{4})\b)"});
  EXPECT_EQ(first.validators.size(), 2u);
  EXPECT_EQ(first.context.words, (std::vector<std::string>{"token", "key"}));
  EXPECT_EQ(first.context.before, 10u);
  EXPECT_EQ(first.context.after, 20u);
  EXPECT_TRUE(first.context.required);
  EXPECT_EQ(first.context.raises, 0.25);
  EXPECT_EQ(first.confidence, 0.5);
  EXPECT_EQ(first.max_length, 100u);
  EXPECT_EQ(first.tag(), "MYTOKEN");
  const Detector& second = loaded->back();
  EXPECT_EQ(second.severity, Severity::kMedium);
  EXPECT_EQ(second.patterns.size(), 2u);
  EXPECT_EQ(second.max_length, 512u);
}

TEST(Catalogue, SaysWhatIsWrongAndWhere) {
  const auto detector = [](std::string_view more) {
    return fmt::format(
        "detectors:\n"
        "  - id: a\n    kind: secret\n    title: A\n    confidence: 1\n    examples: a\n"
        "    counter_examples: b\n    {}\n",
        more);
  };
  const struct {
    std::string yaml;
    std::string_view error;
  } cases[] = {
      {"", "my.yaml"},
      {"a: [", "my.yaml:1"},
      {"detektors: []", "my.yaml:1:1: unknown key detektors; did you mean detectors?"},
      {"detectors: {}", "detectors must be a list"},
      {"detectors: [1]", "a detector is a map"},
      {detector("patern: a"), "my.yaml:8:5: unknown key patern; did you mean pattern?"},
      {detector("provider: x"), "pattern is missing"},
      {detector("pattern: a\n    patterns: [b]"), "either pattern or patterns"},
      {detector("pattern: a\n    pattern: b"), "key pattern is there twice"},
      {detector("pattern: a\n    validator: lunh"), "my.yaml:9:16: "},
      {detector("pattern: a\n    severity: huge"), "severity must be one of low, medium"},
      {detector("pattern: a\n    max_length: 20000"),
       "max_length must be a number from 1 to 16384"},
      {detector("pattern: a\n    max_length: x"), "max_length must be a number"},
      {detector("pattern: a\n    context: {words: []}"), "words are missing"},
      {detector("pattern: a\n    context: {words: [x], required: maybe}"), "true or false"},
      {detector("pattern: ''"), "pattern must not hold an empty text"},
      {"detectors: [{id: A}]", "an id is made of"},
      {"detectors: [{id: a, kind: other}]", "kind must be one of secret, personal"},
      {detector("pattern: a") +
           "  - {id: a, kind: secret, title: t, pattern: a, confidence: 1, examples: a,"
           " counter_examples: b}\n",
       "detector a is there twice"},
  };
  for (const auto& test : cases) {
    EXPECT_TRUE(error_of(test.yaml).contains(test.error)) << test.yaml << "\n"
                                                          << error_of(test.yaml);
  }
}

std::size_t hits_of(const Detector& detector, std::string_view text) {
  const auto scanner = Scanner::build({detector});
  EXPECT_TRUE(scanner) << scanner.error().what;
  return (*scanner)->scan(text, **Profile::make(*scanner, {})).size();
}

TEST(Catalogue, Dictionaries) {
  const auto words = dictionary_detector(
      {.name = "names", .words = {"Bob", "Project X!", "a.b", "M\xc3\xbcller"}});
  ASSERT_TRUE(words);
  EXPECT_EQ(hits_of(*words, "bob, BOB; Bobby project x! a.b axb M\xc3\xbcller"), 5u);
  const auto exact = dictionary_detector(
      {.name = "names", .words = {"Bob"}, .case_sensitive = true, .whole_words = false});
  EXPECT_EQ(hits_of(*exact, "bob Bobby"), 1u);
  EXPECT_FALSE(dictionary_detector({.name = "none"}));
  EXPECT_FALSE(dictionary_detector({.name = "none", .words = {""}}));
}

TEST(Catalogue, CustomPatterns) {
  const Detector custom = custom_detector("ticket", "", "TICKET-[0-9]+");
  EXPECT_EQ(custom.title, "ticket");
  EXPECT_EQ(hits_of(custom, "see TICKET-12 and TICKET-3."), 2u);
}

}  // namespace
}  // namespace agentsh::dlp
