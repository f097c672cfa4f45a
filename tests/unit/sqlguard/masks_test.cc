// What masks say about statements: a table of cases over a small catalogue.
#include "sqlguard/catalog/resolution.h"
#include "sqlguard/classifier/classify.h"
#include "tests/unit/sqlguard/sample_catalog.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

namespace agentsh::sql {
namespace {

const NameContext kNames{.search_path = std::vector<std::string>{"public"}};
const std::vector<std::string> kSafe = {"safe_one"};

MaskPlan plan(const std::string& sql, const policy::DatabaseMask& mask) {
  auto masked = masked_columns(mask);
  const Analysis analysis = classify(sql, Dialect::kPostgres);
  EXPECT_EQ(analysis.statements.size(), 1u) << sql;
  const Statement statement = resolve(analysis.statements[0], kNames, masked->catalog().get());
  return plan_masks(sql, statement, kNames, masked, kSafe);
}

std::string told(const MaskPlan& plan) {
  if (plan.refusal) return "refused";
  std::string names;
  for (const auto& [name, mask] : plan.names) names += (names.empty() ? "names " : ",") + name;
  return names.empty() ? "plain" : names;
}

std::string_view trimmed(std::string_view text) {
  while (text.ends_with(' ')) text.remove_suffix(1);
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

TEST(Masks, Cases) {
  std::ifstream file(AGENTSH_MASK_CASES);
  ASSERT_TRUE(file);
  int count = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::size_t bar = line.find('|');
    ASSERT_NE(bar, std::string::npos) << line;
    const std::string sql(trimmed(std::string_view(line).substr(bar + 1)));
    const MaskPlan planned = plan(sql, mask_of({"users.ssn"}));
    EXPECT_EQ(told(planned), trimmed(std::string_view(line).substr(0, bar)))
        << sql << "\n"
        << planned.refusal.value_or("");
    ++count;
  }
  EXPECT_GT(count, 140);
}

TEST(Masks, ColumnsByNameByRelationAndBySchema) {
  EXPECT_NE(masked_columns(mask_of({"ssn"}))->of(kUsers, 3), nullptr);
  EXPECT_EQ(masked_columns(mask_of({"ssn"}))->of(kUsers, 2), nullptr);
  EXPECT_NE(masked_columns(mask_of({"name"}))->of(kOrders, 4), nullptr);
  EXPECT_EQ(masked_columns(mask_of({"users.name"}))->of(kOrders, 4), nullptr);
  EXPECT_NE(masked_columns(mask_of({"pii.secrets.*"}))->of(kSecret, 2), nullptr);
  EXPECT_EQ(masked_columns(mask_of({"public.secrets.*"}))->of(kSecret, 2), nullptr);
}

TEST(Masks, ViewsAndChildrenHaveThoseOfWhatIsBehindThem) {
  const auto masked = masked_columns(mask_of({"users.ssn"}));
  EXPECT_EQ(masked->of(kUserView, 1), nullptr);
  EXPECT_NE(masked->of(kUserView, 2), nullptr);
  EXPECT_NE(masked->of(kUserView, 3), nullptr) << "it is computed";
  EXPECT_NE(masked->of(kViewOfView, 1), nullptr);
  EXPECT_EQ(masked->of(kCounts, 1), nullptr);
  EXPECT_NE(masked->of(kChild, 2), nullptr);
  EXPECT_NE(masked_columns(mask_of({"users_2024.ssn"}))->of(kUsers, 3), nullptr)
      << "the parent shows the child's rows";
}

TEST(Masks, ExpressionsMayBeMaskedInsteadInPlainSelects) {
  const auto mask =
      mask_of({"users.ssn"}, policy::DbMaskWith::kRedact, policy::DbMaskExpressions::kMask);
  EXPECT_NE(plan("SELECT upper(ssn) FROM users", mask).expressions, nullptr);
  EXPECT_NE(plan("SELECT id FROM users WHERE ssn = '1'", mask).expressions, nullptr);
  EXPECT_EQ(plan("SELECT ssn FROM users", mask).expressions, nullptr);
  EXPECT_TRUE(plan("INSERT INTO orders (note) SELECT ssn FROM users", mask).refusal);
  EXPECT_TRUE(plan("CREATE TABLE x AS SELECT ssn FROM users", mask).refusal);
  EXPECT_TRUE(plan("SELECT c FROM users AS u(a, b, c, d)", mask).refusal);
  EXPECT_TRUE(plan("COPY (SELECT upper(ssn) FROM users) TO STDOUT", mask).refusal);
}

TEST(Masks, ColumnsOfCopy) {
  const auto positions = [](const std::string& sql) {
    std::string text;
    for (const PlannedColumn& column : plan(sql, mask_of({"users.ssn"})).copy_columns)
      text += column.mask == nullptr ? '-' : 'x';
    return text;
  };
  EXPECT_EQ(positions("COPY users TO STDOUT"), "--x-");
  EXPECT_EQ(positions("COPY users (ssn, id) TO STDOUT"), "x-");
  EXPECT_EQ(positions("COPY (SELECT * FROM users) TO STDOUT"), "--x-");
  EXPECT_EQ(positions("COPY (SELECT name, ssn AS x, 1 FROM users) TO STDOUT"), "-x-");
  EXPECT_EQ(positions("COPY (SELECT x FROM (SELECT ssn AS x FROM users) q) TO STDOUT"), "x");
}

TEST(Masks, FormatsOfCopy) {
  const auto format = [](const std::string& options) {
    return plan("COPY users TO STDOUT " + options, mask_of({"users.ssn"})).copy;
  };
  EXPECT_EQ(format("").delimiter, '\t');
  EXPECT_EQ(format("CSV HEADER").kind, CopyFormat::Kind::kCsv);
  EXPECT_TRUE(format("CSV HEADER").header);
  EXPECT_EQ(format("CSV").null, "");
  EXPECT_EQ(format("(FORMAT binary)").kind, CopyFormat::Kind::kBinary);
  const CopyFormat own =
      format("(FORMAT csv, DELIMITER ';', QUOTE '''', ESCAPE '\\', NULL 'nil', HEADER false)");
  EXPECT_EQ(own.delimiter, ';');
  EXPECT_EQ(own.quote, '\'');
  EXPECT_EQ(own.escape, '\\');
  EXPECT_EQ(own.null, "nil");
  EXPECT_FALSE(own.header);
}

TEST(Masks, WithoutACatalogueNothingIsShown) {
  for (const char* sql : {"SELECT 1", "SELECT * FROM users", "COPY users TO STDOUT"}) {
    const Analysis analysis = classify(sql, Dialect::kPostgres);
    const Statement statement = resolve(analysis.statements[0], kNames, nullptr);
    EXPECT_TRUE(plan_masks(sql, statement, kNames, nullptr, kSafe).refusal) << sql;
  }
  const Analysis analysis = classify("SET work_mem = '1MB'", Dialect::kPostgres);
  EXPECT_FALSE(
      plan_masks("SET work_mem = '1MB'", analysis.statements[0], kNames, nullptr, kSafe).refusal);
}

TEST(Masks, ForAService) {
  policy::DatabasePolicy policy;
  policy.masks = {
      {.name = "a"}, {.name = "b", .db_service = "x"}, {.name = "c", .db_service = "y"}};
  const auto masks = masks_for(policy, "x");
  ASSERT_EQ(masks.size(), 2u);
  EXPECT_EQ(masks[1].name, "b");
}

TEST(Masks, EveryPrefixOfEveryCaseIsPlannedOrRefused) {
  std::ifstream file(AGENTSH_MASK_CASES);
  for (std::string line; std::getline(file, line);) {
    const std::size_t bar = line.find('|');
    if (line.empty() || line[0] == '#' || bar == std::string::npos) continue;
    const std::string sql(trimmed(std::string_view(line).substr(bar + 1)));
    for (std::size_t size = 7; size < sql.size(); size += 3) {
      const std::string text = sql.substr(0, size);
      const auto masked = masked_columns(mask_of({"users.ssn"}));
      for (const Statement& each : classify(text, Dialect::kPostgres).statements) {
        const Statement statement = resolve(each, kNames, masked->catalog().get());
        plan_masks(text, statement, kNames, masked, kSafe);
      }
    }
  }
}

}  // namespace
}  // namespace agentsh::sql
