// PostgreSQL's own regression suite, as far as it is SQL: nothing that the grammar of libpg_query
// takes is unknown.
//
// Every tenth file; all with AGENTSH_LONG=1.
#include "psql_script.h"
#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/parse_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <string>

namespace agentsh::sql {
namespace {

std::vector<std::filesystem::path> scripts() {
  std::vector<std::filesystem::path> paths;
  const std::filesystem::path directory = AGENTSH_REGRESSION_SQL;
  if (!std::filesystem::is_directory(directory)) return paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory))
    paths.push_back(entry.path());
  std::ranges::sort(paths);
  return paths;
}

std::string contents(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_unknown(const Analysis& analysis) {
  return std::ranges::any_of(analysis.statements, [](const Statement& s) {
    return s.primary_group() == Group::kUnknown && !s.effects.empty();
  });
}

// Does the text hold SQL in a string (the body of a function) that does not parse?
bool has_broken_text(const Analysis& analysis) {
  return std::ranges::all_of(analysis.statements, [](const Statement& s) {
    return s.error.empty() || s.error.contains("(at ");
  });
}

TEST(RegressionSuite, NothingThatParsesIsUnknown) {
  const auto paths = scripts();
  if (paths.empty())
    GTEST_SKIP() << "the source package postgresql-15 is not here (see postgresql_source)";
  const std::size_t step = std::getenv("AGENTSH_LONG") != nullptr ? 1 : 10;
  std::size_t statements = 0;
  std::map<std::string, int> groups;
  std::vector<std::string> unparsed;
  for (std::size_t i = 0; i < paths.size(); i += step) {
    for (std::string& sql : statements_of_script(contents(paths[i]))) {
      ++statements;
      if (!ParseTree::parse(sql)) sql = without_variables(sql);
      const Analysis analysis = classify(sql, Dialect::kPostgres);
      for (const Statement& s : analysis.statements) {
        // EXECUTE does what was prepared.
        if (!s.effects.empty()) ++groups[std::string(name_of(s.primary_group()))];
        EXPECT_FALSE(s.raw_verb.empty()) << sql;
      }
      if (!is_unknown(analysis)) continue;
      if (!ParseTree::parse(sql)) {
        unparsed.push_back(paths[i].stem().string() + ": " + sql);
      } else {
        EXPECT_TRUE(has_broken_text(analysis)) << paths[i].filename() << ": " << sql << "\n"
                                               << analysis.statements[0].error;
      }
    }
  }
  std::cout << statements << " statements, " << unparsed.size() << " of them the parser refuses:\n";
  for (const std::string& text : unparsed) {
    std::string line = text.substr(0, 100);
    std::ranges::replace(line, '\n', ' ');
    std::cout << "  " << line << "\n";
  }
  for (const auto& [group, count] : groups) std::cout << "  " << group << " " << count << "\n";
  EXPECT_GT(statements, step == 1 ? 30'000u : 2'000u);
  // The suite tries syntax errors on purpose: about one statement in a hundred.
  EXPECT_LT(unparsed.size(), statements / 50);
  EXPECT_GE(groups.size(), step == 1 ? 17u : 10u);
}

TEST(PsqlScript, SplitsAsPsqlDoes) {
  const auto statements = statements_of_script(
      "select 1; select ';' ; \\set x y\n"
      "copy t from stdin;\n1;2\n\\.\n"
      "create function f() returns int begin atomic select case when a then 1 end; end;\n"
      "select 2 \\gset\nselect 3 \\; select 4;\n create rule r as on insert to t do (select 1; "
      "select 2);");
  ASSERT_EQ(statements.size(), 7u);
  EXPECT_EQ(statements[2], "copy t from stdin");
  EXPECT_EQ(statements[5], "select 3 ; select 4");
  EXPECT_EQ(without_variables("select :x, :'y', a::int, ':z'"), " select x, 'y', a::int, ':z'");
}

}  // namespace
}  // namespace agentsh::sql
