// The tables of tests/cases/sqlguard: one line each, "SQL ==> what it does" (describe.h).
//
// "@dialect NAME" holds for the lines that follow; "#" starts a comment.
#include "describe.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

namespace agentsh::sql {
namespace {

struct Case {
  std::string file;
  int line;
  Dialect dialect;
  std::string sql;
  std::string expected;
};

std::vector<Case> read_cases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::ifstream file(path);
  Dialect dialect = Dialect::kPostgres;
  int number = 0;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    if (line.starts_with("@dialect ")) {
      const auto named = dialect_named(line.substr(9));
      EXPECT_TRUE(named) << path << ":" << number;
      dialect = named.value_or(Dialect::kPostgres);
      continue;
    }
    const std::size_t arrow = line.rfind(" ==> ");
    if (arrow == std::string::npos) {
      ADD_FAILURE() << path << ":" << number << ": no ==>";
      continue;
    }
    cases.push_back(
        {path.filename(), number, dialect, line.substr(0, arrow), line.substr(arrow + 5)});
  }
  return cases;
}

std::vector<Case> all_cases() {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(AGENTSH_CASES)) {
    if (entry.path().extension() == ".txt") files.insert(entry.path());
  }
  std::vector<Case> cases;
  for (const auto& file : files) {
    for (Case& c : read_cases(file)) cases.push_back(std::move(c));
  }
  return cases;
}

TEST(ClassifierCases, AllFiles) {
  const auto cases = all_cases();
  std::set<std::string> seen;
  std::size_t smuggling = 0;
  for (const Case& c : cases) {
    EXPECT_EQ(describe(classify(c.sql, c.dialect)), c.expected)
        << c.file << ":" << c.line << ": " << c.sql;
    EXPECT_TRUE(seen.insert(c.file + std::string(name_of(c.dialect)) + c.sql).second)
        << c.file << ":" << c.line << " stands there twice";
    smuggling += c.file.starts_with("smuggling") ? 1 : 0;
  }
  EXPECT_GE(cases.size(), 400u);
  EXPECT_GE(smuggling, 150u);
}

// Without its effects an attempt to smuggle one would pass as SELECT 1 does.
TEST(ClassifierCases, NoSmuggledEffectPassesAsAReadOfNothing) {
  for (const Case& c : all_cases()) {
    if (!c.file.starts_with("smuggling")) continue;
    bool more = false;
    for (const Statement& s : classify(c.sql, c.dialect).statements) {
      for (const Effect& e : s.effects) {
        more = more || e.group != Group::kRead || !e.objects.empty() || !s.functions.empty();
      }
    }
    EXPECT_TRUE(more) << c.file << ":" << c.line << ": " << c.sql;
  }
}

// Blank space, comments and letter case around a statement change nothing.
TEST(ClassifierCases, CommentsAndSpaceChangeNothing) {
  for (const Case& c : all_cases()) {
    if (c.expected.starts_with("UNKNOWN")) continue;
    const std::string dressed = "/* a /* nested */ comment */ \n\t" + c.sql + " -- the end";
    EXPECT_EQ(describe(classify(dressed, c.dialect)), c.expected) << c.file << ":" << c.line;
  }
}

// A second statement hides nothing of the first, and the other way round.
TEST(ClassifierCases, EveryStatementOfATextCounts) {
  for (const Case& c : all_cases()) {
    if (c.expected.starts_with("UNKNOWN") || c.dialect != Dialect::kPostgres) continue;
    EXPECT_EQ(describe(classify("SELECT 1;" + c.sql + "\n; SELECT 2", c.dialect)),
              "SELECT: read | " + c.expected + (c.expected.empty() ? "" : " | ") + "SELECT: read")
        << c.file << ":" << c.line;
  }
}

}  // namespace
}  // namespace agentsh::sql
