#include "sqlguard/classifier/text_scan.h"

#include "sqlguard/classifier/classify.h"

#include <gtest/gtest.h>

#include <string>

namespace agentsh::sql {
namespace {

std::string repeated(std::string_view text, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += text;
  return result;
}

struct Deep {
  const char* name;
  std::string (*make)(int levels);
};

// Every way that the grammar has to build a tree that is as deep as its text is long.
const Deep kDeep[] = {
    {"parentheses", [](int n) { return "select " + repeated("(", n) + "1" + repeated(")", n); }},
    {"operators", [](int n) { return "select 1" + repeated("+1", n); }},
    {"concatenation", [](int n) { return "select a" + repeated(" || a", n); }},
    {"not", [](int n) { return "select " + repeated("not ", n) + "true"; }},
    {"signs", [](int n) { return "select " + repeated("- ", n) + "a"; }},
    {"signs without space", [](int n) { return "select " + repeated("@ ", n) + "a"; }},
    {"casts", [](int n) { return "select 1" + repeated("::int", n); }},
    {"unions", [](int n) { return "select 1" + repeated(" union select 1", n); }},
    {"unions of two", [](int n) { return "select 1, 2" + repeated(" union select 1, 2", n); }},
    {"unions with conditions",
     [](int n) { return "select 1" + repeated(" union all select 1 where a and b", n); }},
    {"excepts", [](int n) { return "select 1" + repeated(" except select 1", n); }},
    {"joins", [](int n) { return "select * from a" + repeated(" cross join a", n); }},
    {"joins with conditions",
     [](int n) { return "select * from a" + repeated(" join b on x and y or z", n); }},
    {"case",
     [](int n) {
       return "select " + repeated("case when true then ", n) + "1" + repeated(" end", n);
     }},
    {"arrays", [](int n) { return "select " + repeated("array[", n) + "1" + repeated("]", n); }},
    {"subscripts", [](int n) { return "select " + repeated("a[", n) + "1" + repeated("]", n); }},
    {"calls", [](int n) { return "select " + repeated("f(", n) + "1" + repeated(")", n); }},
    {"calls with lists",
     [](int n) { return "select " + repeated("f(1, ", n) + "1" + repeated(")", n); }},
    {"collations", [](int n) { return "select a" + repeated(" collate \"C\"", n); }},
    {"sub-queries",
     [](int n) { return "select " + repeated("(select ", n) + "1" + repeated(")", n); }},
    {"null tests", [](int n) { return "select a" + repeated(" is null", n); }},
    {"isnull", [](int n) { return "select a" + repeated(" isnull", n); }},
    {"time zones", [](int n) { return "select a" + repeated(" at time zone 'x'", n); }},
    {"like", [](int n) { return "select " + repeated("a like (", n) + "b" + repeated(")", n); }},
    {"in", [](int n) { return "select " + repeated("a in (", n) + "1" + repeated(")", n); }},
    {"exists",
     [](int n) { return "select " + repeated("exists(select ", n) + "1" + repeated(")", n); }},
    {"deep first, wide after",
     [](int n) {
       return "select (" + repeated("(", n / 2) + "1" + repeated(")", n / 2) + ", 2)" +
              repeated("+1", n / 2 + 10);
     }},
    {"named operators",
     [](int n) { return "select a" + repeated(" operator(pg_catalog.+) a", n); }},
};

TEST(TextScan, WhatIsTooDeepIsRefusedBeforeItIsParsed) {
  for (const Deep& deep : kDeep) {
    for (int levels : {2600, 20'000, 120'000}) {
      const std::string sql = deep.make(levels);
      if (sql.size() > TextLimits().bytes) continue;
      EXPECT_FALSE(check_limits(sql)) << deep.name << " " << levels;
    }
  }
}

// The deepest that is let through is classified without overrunning the stack.
TEST(TextScan, WhatIsNotTooDeepIsClassified) {
  for (const Deep& deep : kDeep) {
    int levels = 2500;
    while (levels > 0 && !check_limits(deep.make(levels))) levels -= 25;
    EXPECT_GT(levels, 500) << deep.name;
    const Analysis analysis = classify(deep.make(levels), Dialect::kPostgres);
    EXPECT_EQ(analysis.statements.size(), 1u) << deep.name;
  }
}

// SQL in the argument of a function, at the deepest place of SQL that is deep itself.
TEST(TextScan, DeepTextInDeepTextIsNotUnderstood) {
  const auto deep = [](const std::string& inside, int levels) {
    return "select " + repeated("f(", levels) + inside + repeated(")", levels);
  };
  const auto quoted = [](const std::string& sql) {
    return "query_to_xml($x" + std::to_string(sql.size()) + "$" + sql + "$x" +
           std::to_string(sql.size()) + "$, true, false, '')";
  };
  const std::string sql =
      deep(quoted(deep(quoted(deep(quoted(deep("1", 1000)), 1000)), 1000)), 1000);
  const Analysis analysis = classify(sql, Dialect::kPostgres);
  ASSERT_EQ(analysis.statements.size(), 1u);
  EXPECT_EQ(analysis.statements[0].primary_group(), Group::kUnknown);
  EXPECT_EQ(
      classify(deep(quoted(deep("1", 200)), 200), Dialect::kPostgres).statements[0].primary_group(),
      Group::kProcedural);
}

TEST(TextScan, LongListsAreNotDeep) {
  EXPECT_TRUE(check_limits("select * from t where id in (1" + repeated(", 1", 50'000) + ")"));
  EXPECT_TRUE(
      check_limits("insert into t values (1, -1, 'a')" + repeated(",(1, -1, 'a')", 20'000)));
  EXPECT_TRUE(check_limits("select * from t where a = 1" + repeated(" or a = 1", 20'000)));
  EXPECT_TRUE(check_limits("select 1" + repeated("; select 1 + 1", 20'000)));
}

TEST(TextScan, QuotesAndCommentsHideNothing) {
  const std::string deep = repeated("(", 5000);
  for (const std::string& hidden :
       {"'" + deep + "'", "\"" + deep + "\"", "$$" + deep + "$$", "$a$" + deep + "$$ $a$",
        "/* " + deep + " /* */ " + deep + "*/", "-- " + deep + "\n", "e'\\'" + deep + "'",
        "'it''s" + deep + "'", "U&\"" + deep + "\"", "b'" + deep + "'"}) {
    EXPECT_TRUE(check_limits("select 1 " + hidden)) << hidden.substr(0, 20);
    EXPECT_FALSE(check_limits("select 1 " + hidden + deep)) << hidden.substr(0, 20);
  }
  EXPECT_FALSE(check_limits("select '\\' " + deep));  // A backslash escapes nothing there.
  EXPECT_FALSE(check_limits("select $1 " + deep + " $1"));
  EXPECT_FALSE(check_limits("select a$$b " + deep + " $$"));  // A dollar inside a name.
}

TEST(TextScan, LengthAndNulBytes) {
  EXPECT_FALSE(check_limits(std::string(TextLimits().bytes + 1, ' ')));
  EXPECT_FALSE(check_limits(std::string("select 1\0; drop table t", 23)));
  EXPECT_TRUE(check_limits(""));
}

TEST(TextScan, Tokens) {
  TokenReader tokens("SELECT\"a\"\"b\",$x$ $y$ $x$ 1.5e3 a_$1 <=/*c*/ E'\\'' u&'x' ;--e");
  const std::pair<Token::Kind, std::string_view> expected[] = {
      {Token::Kind::kWord, "SELECT"},   {Token::Kind::kQuotedName, "\"a\"\"b\""},
      {Token::Kind::kPunctuation, ","}, {Token::Kind::kString, "$x$ $y$ $x$"},
      {Token::Kind::kNumber, "1.5e3"},  {Token::Kind::kWord, "a_$1"},
      {Token::Kind::kOperator, "<="},   {Token::Kind::kString, "E'\\''"},
      {Token::Kind::kString, "u&'x'"},  {Token::Kind::kPunctuation, ";"},
      {Token::Kind::kEnd, ""},
  };
  for (const auto& [kind, text] : expected) {
    const Token token = tokens.next();
    EXPECT_EQ(token.kind, kind);
    EXPECT_EQ(token.text, text);
  }
}

TEST(TextScan, WhatIsNotClosedEnds) {
  for (std::string_view open : {"'", "\"", "$$", "/*", "e'\\", "$a$ $", "(", "U&'", "--", "'''"}) {
    TokenReader tokens(open);
    int count = 0;
    while (tokens.next().kind != Token::Kind::kEnd) ASSERT_LT(++count, 10) << open;
  }
}

TEST(TextScan, PlainBackslashes) {
  EXPECT_TRUE(has_plain_backslash("select 'a\\'"));
  EXPECT_TRUE(has_plain_backslash("select b'\\'"));
  EXPECT_FALSE(has_plain_backslash("select E'a\\''"));
  EXPECT_FALSE(has_plain_backslash("select $$\\$$"));
  EXPECT_FALSE(has_plain_backslash("select 1 -- \\"));
}

}  // namespace
}  // namespace agentsh::sql
