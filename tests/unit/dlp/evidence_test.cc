#include "dlp/evidence.h"

#include "dlp/catalogue.h"

#include <gtest/gtest.h>

#include <random>

namespace agentsh::dlp {
namespace {

std::optional<Evidence> evidence_in(std::string_view pattern) {
  const auto shape = shape_of(pattern);
  EXPECT_TRUE(shape) << pattern;
  return shape ? evidence_of(*shape) : std::nullopt;
}

TEST(Evidence, OfPatterns) {
  const struct {
    std::string_view pattern;
    std::optional<Evidence> evidence;
  } cases[] = {
      {R"(\b\d{3}-\d{2}-\d{4}\b)", Evidence::kDigits},
      {R"(\b(?:\d[ -]?){13,19}\b)", Evidence::kDigits},
      {R"((?:^|[^\w+])(\+[1-9](?:[ .()/\-]{0,2}\d){6,14})\b)", Evidence::kDigits},
      {R"((?i:tax)[^0-9]{0,40}\b(\d{11})\b)", Evidence::kDigits},
      {R"(\bghp_[A-Za-z0-9]{36}\b)", Evidence::kToken},
      {R"(\b[1-9]\d{6,18}-[A-Za-z0-9]{40}\b)", Evidence::kToken},
      {R"((?:\d{1,3}\.){3}\d{1,3})", Evidence::kFewDigits},
      {R"(\b[A-Za-z0-9_-]{40}\b)", std::nullopt},
      {R"(\d{4})", Evidence::kFewDigits},
      {R"(\d{3})", std::nullopt},
      {R"((?:\d{9}|[A-Z]{9}))", std::nullopt},
      {R"((?:\d{9})?x)", std::nullopt},
      {R"(\d.{0,100}\d{4}x)", Evidence::kFewDigits},
      {R"(\d\s{0,30}\d\s{0,30}\d\s{0,30}\d)", std::nullopt},
  };
  for (const auto& test : cases)
    EXPECT_EQ(evidence_in(test.pattern), test.evidence) << test.pattern;
}

TEST(Evidence, PlacesAreFoundByAnyCount) {
  struct Slow {
    Evidence kind;
    std::size_t count;
    std::size_t span;
    bool letters;
  };
  std::mt19937 random(1);
  for (const Slow& slow :
       {Slow{Evidence::kDigits, 5, 16, false}, Slow{Evidence::kFewDigits, 4, 8, false},
        Slow{Evidence::kToken, 20, 20, true}}) {
    for (int round = 0; round < 300; ++round) {
      const auto percent = random() % 100;
      std::string text;
      for (std::size_t i = 0; i < 50 + random() % 400; ++i) {
        text += random() % 100 < percent ? "0123456789azAZ"[random() % (slow.letters ? 14 : 10)]
                                         : " .-_@[`{/:"[random() % 10];
      }
      const std::size_t floor = random() % 20;
      std::vector<EvidenceRange> places;
      find_evidence(slow.kind, text, floor, places);
      std::vector<std::size_t> counted;
      for (std::size_t i = floor; i < text.size(); ++i) {
        const bool is_digit = text[i] >= '0' && text[i] <= '9';
        const bool is_letter =
            (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        if (!is_digit && !(slow.letters && is_letter)) continue;
        counted.push_back(i);
        if (counted.size() < slow.count || i - counted[counted.size() - slow.count] >= slow.span) {
          continue;
        }
        EXPECT_TRUE(std::ranges::any_of(
            places, [&](const EvidenceRange& range) { return range.begin <= i && i < range.end; }))
            << text << " at " << i;
      }
    }
  }
}

// What the catalogue's patterns find does not depend on where they are tried.
TEST(Evidence, IsInEveryExample) {
  const auto detectors = builtin_catalogue();
  ASSERT_TRUE(detectors) << detectors.error().what;
  std::size_t by_evidence = 0;
  for (const Detector& detector : *detectors) {
    for (const std::string& pattern : detector.patterns) {
      const auto shape = shape_of(pattern);
      ASSERT_TRUE(shape) << detector.id << ": " << pattern;
      if (evidence_of(*shape)) ++by_evidence;
    }
  }
  EXPECT_GT(by_evidence, 100u);
}

}  // namespace
}  // namespace agentsh::dlp
