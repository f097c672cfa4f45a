#include "sqlguard/classifier/classify.h"

#include "sqlguard/classifier/parse_tree.h"
#include "sqlguard/classifier/redshift.h"
#include "sqlguard/classifier/walker.h"

#include <algorithm>
#include <array>

namespace agentsh::sql {
namespace {

constexpr std::array<std::string_view, 4> kDialects = {"postgres", "aurora_postgres", "redshift",
                                                       "cockroachdb"};

Statement not_understood(std::string_view sql, std::string reason) {
  Statement statement;
  statement.raw_verb = "UNKNOWN";
  statement.error = std::move(reason);
  statement.effects.push_back({.group = Group::kUnknown});
  statement.length = static_cast<std::uint32_t>(std::min<std::size_t>(sql.size(), UINT32_MAX));
  return statement;
}

}  // namespace

std::string_view name_of(Dialect dialect) {
  return kDialects[static_cast<std::size_t>(dialect)];
}

std::optional<Dialect> dialect_named(std::string_view name) {
  const auto found = std::ranges::find(kDialects, name);
  if (found == kDialects.end()) return std::nullopt;
  return static_cast<Dialect>(found - kDialects.begin());
}

Analysis internal::classify_text(std::string_view sql, Dialect dialect, TextLimits limits,
                                 Nesting nesting) {
  Analysis analysis{.dialect = dialect};
  if (auto within = check_limits(sql, limits); !within) {
    analysis.statements.push_back(not_understood(sql, within.error().what));
    return analysis;
  }
  const bool own_strings = dialect == Dialect::kRedshift || dialect == Dialect::kCockroachdb;
  if (own_strings && has_plain_backslash(sql)) {
    analysis.statements.push_back(
        not_understood(sql,
                       "a string without E holds a backslash, which this dialect may read "
                       "in another way"));
    return analysis;
  }
  const std::string text(sql);
  const auto tree = ParseTree::parse(text);
  if (!tree) {
    if (dialect == Dialect::kRedshift) {
      if (auto statement = classify_redshift(sql, limits, nesting)) {
        analysis.statements.push_back(std::move(*statement));
        return analysis;
      }
    }
    analysis.statements.push_back(not_understood(sql, tree.error().what));
    return analysis;
  }
  for (TreeNode raw = tree->statements().first(); raw; raw = raw.next()) {
    Statement statement = Walker(dialect, nesting).classify(raw);
    statement.begin = static_cast<std::uint32_t>(raw.integer("stmt_location"));
    statement.length = static_cast<std::uint32_t>(raw.integer("stmt_len"));
    if (statement.length == 0)
      statement.length = static_cast<std::uint32_t>(sql.size()) - statement.begin;
    analysis.statements.push_back(std::move(statement));
  }
  return analysis;
}

Analysis classify(std::string_view sql, Dialect dialect, TextLimits limits) {
  return internal::classify_text(sql, dialect, limits, {});
}

bool classifies(std::string_view node_type) {
  return Walker::handles(node_type);
}

}  // namespace agentsh::sql
