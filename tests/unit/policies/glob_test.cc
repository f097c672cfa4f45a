#include "policies/glob.h"

#include "policies/glob_index.h"
#include "tests/fuzz/policies/glob_oracle.h"
#include "tests/unit/policies/case_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace agentsh::policy {
namespace {

bool matches(const Glob& glob, std::string_view text, GlobIndex::Limits limits = {}) {
  GlobIndex index({{glob, 0}}, 1, limits);
  return !index.match(text).empty();
}

TEST(Glob, TableOfCases) {
  CaseFile cases("globs.yaml");
  std::size_t checks = 0;
  for (std::size_t i = 0; i < cases.root().get("globs").size(); ++i) {
    YamlNode row = cases.root().get("globs").item(i);
    const std::string_view separator = row.get("separator").text();
    auto glob =
        Glob::parse(row.get("glob").text(), separator.empty() ? kNoSeparator : separator.front());
    ASSERT_TRUE(glob) << row.get("glob").text() << ": " << glob.error().what;
    for (const bool expected : {true, false}) {
      YamlNode texts = row.get(expected ? "matches" : "misses");
      for (std::size_t j = 0; j < texts.size(); ++j, ++checks) {
        const std::string_view text = texts.item(j).text();
        const auto what = fmt::format("{} on \"{}\"", glob->pattern(), text);
        EXPECT_EQ(matches(*glob, text), expected) << what;
        // The same without a stored state beyond the first.
        EXPECT_EQ(matches(*glob, text, {.automaton_bytes = 0}), expected) << what;
        EXPECT_EQ(oracle::matches(glob->pattern(), text, glob->separator()),
                  expected ? oracle::Answer::kYes : oracle::Answer::kNo)
            << what;
      }
    }
  }
  EXPECT_GE(checks, 150u);
}

TEST(Glob, RefusesWhatIsNone) {
  CaseFile cases("globs.yaml");
  YamlNode rows = cases.root().get("refused");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    auto glob = Glob::parse(rows.item(i).get("glob").text(), '/');
    ASSERT_FALSE(glob) << rows.item(i).get("glob").text();
    EXPECT_NE(glob.error().what.find(rows.item(i).get("reason").text()), std::string::npos)
        << glob.error().what;
  }
  EXPECT_FALSE(Glob::parse(std::string(5000, 'a'), '/'));
}

TEST(Glob, EscapingMakesAnyTextLiteral) {
  for (std::string_view text : {"/home/[u]/{a,b}*?\\", "plain", ""}) {
    auto glob = Glob::parse(escape_glob(text), '/');
    ASSERT_TRUE(glob);
    EXPECT_TRUE(glob->is_literal());
    EXPECT_TRUE(matches(*glob, text));
    EXPECT_TRUE(matches(Glob::literal(text), text));
  }
}

TEST(Glob, ChoicesDoNotExplode) {
  std::string pattern;
  for (int i = 0; i < 500; ++i) pattern += "{*,}";
  for (int i = 0; i < 200; ++i) pattern += "{a,}";
  auto glob = Glob::parse(pattern, '/');
  ASSERT_TRUE(glob);
  EXPECT_TRUE(matches(*glob, "aaaa"));
  EXPECT_FALSE(matches(*glob, "a/a"));
}

// Random globs over a small alphabet, so that they match now and then.
std::string random_glob(std::mt19937& random, int depth = 0) {
  static constexpr std::string_view kPieces[] = {"a",    "b",    ".",   "/", "*",    "**",    "?",
                                                 "[ab]", "[!a]", "\\*", "ü", "\xc3", "[a-b/]"};
  std::string glob;
  const int count = static_cast<int>(random() % 6);
  for (int i = 0; i < count; ++i) {
    if (depth < 2 && random() % 6 == 0) {
      glob += "{" + random_glob(random, depth + 1);
      for (unsigned more = random() % 3; more > 0; --more) {
        glob += "," + random_glob(random, depth + 1);
      }
      glob += "}";
    } else {
      glob += kPieces[random() % std::size(kPieces)];
    }
  }
  return glob;
}

std::string random_text(std::mt19937& random) {
  static constexpr std::string_view kPieces[] = {"a", "b", ".", "/", "*", "ü", "\xc3", "\xa9"};
  std::string text;
  for (unsigned i = random() % 7; i > 0; --i) text += kPieces[random() % std::size(kPieces)];
  return text;
}

TEST(GlobIndex, AgreesWithTheOracleOnManyGlobsAtOnce) {
  std::mt19937 random(20261124);
  for (int round = 0; round < 200; ++round) {
    const char separator = round % 3 == 0 ? '/' : round % 3 == 1 ? '.' : kNoSeparator;
    std::vector<GlobIndex::Entry> entries;
    for (std::uint32_t id = 0; id < 20; ++id) {
      auto glob = Glob::parse(random_glob(random), separator);
      ASSERT_TRUE(glob);
      entries.push_back({*glob, id});
    }
    const std::size_t bytes = round % 2 == 0 ? 1 << 20 : 600;
    GlobIndex index(entries, 20, {.automaton_bytes = bytes});
    for (int i = 0; i < 40; ++i) {
      const std::string text = random_text(random);
      auto match = index.match(text);
      Selector selector;
      match.add_to(selector);
      for (const auto& entry : entries) {
        const auto expected = oracle::matches(entry.glob.pattern(), text, separator);
        if (expected == oracle::Answer::kTooMuchWork) continue;
        EXPECT_EQ(selector.contains(entry.id), expected == oracle::Answer::kYes)
            << entry.glob.pattern() << " on \"" << text << "\" separator " << separator;
      }
    }
  }
}

TEST(GlobIndex, ManyNestedGlobsThatMatchAreAllFound) {
  std::vector<GlobIndex::Entry> entries;
  std::string directory;
  for (std::uint32_t id = 0; id < 40; ++id) {
    directory += "/d";
    entries.push_back({*Glob::parse(directory + "/**", '/'), id});
    // A rest that enough globs share to be matched apart.
    entries.push_back({*Glob::parse(directory + "/*x*/**", '/'), 40 + id});
  }
  const GlobIndex index(entries, 80);
  const std::string text = directory + "/axb/c";
  auto match = index.match(text);
  Selector selector;
  match.add_to(selector);
  for (const auto& entry : entries) {
    EXPECT_EQ(selector.contains(entry.id),
              oracle::matches(entry.glob.pattern(), text, '/') == oracle::Answer::kYes)
        << entry.glob.pattern();
  }
  EXPECT_TRUE(selector.contains(79));
  EXPECT_FALSE(selector.contains(41));
}

TEST(GlobIndex, ThreadsShareOneIndex) {
  std::vector<GlobIndex::Entry> entries;
  for (std::uint32_t id = 0; id < 500; ++id) {
    entries.push_back({*Glob::parse(fmt::format("*.host{}.example", id), '.'), id});
    entries.push_back({*Glob::parse(fmt::format("a{}.**", id), '.'), id});
  }
  const GlobIndex index(entries, 500, {.automaton_bytes = 256 << 10});
  std::vector<std::jthread> threads;
  std::atomic<int> wrong = 0;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 5000; ++i) {
        const std::uint32_t id = (i * 7 + t) % 500;
        auto match = index.match(fmt::format("a{}.host{}.example", id, 499 - id));
        Selector selector;
        match.add_to(selector);
        const bool good = selector.contains(id) && selector.contains(499 - id) &&
                          selector.sets().size() == 2 && selector.sets()[0]->size() == 1;
        if (!good) ++wrong;
      }
    });
  }
  threads.clear();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace agentsh::policy
