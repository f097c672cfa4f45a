#include "sqlguard/classifier/redshift.h"

#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/objects.h"

#include <algorithm>
#include <string>

namespace agentsh::sql {
namespace {

bool is_word(const Token& token, std::string_view lower) {
  return token.kind == Token::Kind::kWord &&
         std::ranges::equal(token.text, lower, [](char a, char b) {
           return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
         });
}
bool is_punctuation(const Token& token, char c) {
  return token.kind == Token::Kind::kPunctuation && token.text[0] == c;
}

// The value of a plain string constant ('it''s') or a dollar-quoted one; nothing for other forms.
std::optional<std::string> string_value(const Token& token) {
  if (token.kind != Token::Kind::kString || token.text.size() < 2) return std::nullopt;
  std::string_view text = token.text;
  if (text[0] == '$') {
    const std::size_t tag = text.find('$', 1) + 1;
    if (text.size() < 2 * tag) return std::nullopt;
    return std::string(text.substr(tag, text.size() - 2 * tag));
  }
  if (text[0] != '\'' || !text.ends_with('\'')) return std::nullopt;
  text = text.substr(1, text.size() - 2);
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    value += text[i];
    if (text[i] == '\'') ++i;  // Doubled.
  }
  return value;
}

Object s3_path(std::string path) {
  return {.kind = ObjectKind::kFilesystemPath, .path = std::move(path)};
}

// Options follow; what matters is that no second statement does.
bool ends_here(TokenReader& tokens) {
  for (Token token = tokens.next(); token.kind != Token::Kind::kEnd; token = tokens.next()) {
    if (is_punctuation(token, ';')) return tokens.next().kind == Token::Kind::kEnd;
  }
  return true;
}

// UNLOAD ('select ...') TO 's3://...' ...
std::optional<Statement> unload(TokenReader& tokens, TextLimits limits, internal::Nesting nesting) {
  if (!is_punctuation(tokens.next(), '(')) return std::nullopt;
  const auto query = string_value(tokens.next());
  if (!query || !is_punctuation(tokens.next(), ')') || !is_word(tokens.next(), "to"))
    return std::nullopt;
  auto target = string_value(tokens.next());
  if (!target || !ends_here(tokens) || nesting.texts >= internal::Nesting::kMaximumTexts)
    return std::nullopt;
  Statement statement{.raw_verb = "UNLOAD_TO_S3", .parser = "redshift"};
  statement.effects.push_back({.group = Group::kBulkExport, .subtype = "unload_to_s3"});
  statement.effects[0].objects.push_back(s3_path(std::move(*target)));
  const Analysis inner = internal::classify_text(*query, Dialect::kRedshift, limits,
                                                 {nesting.texts + 1, nesting.nodes});
  for (const Statement& s : inner.statements) {
    std::ranges::copy(s.effects, std::back_inserter(statement.effects));
    std::ranges::copy(s.functions, std::back_inserter(statement.functions));
    if (!s.changes.empty())
      statement.changes.push_back({.kind = SessionChange::Kind::kUnknownSetting});
    if (statement.error.empty()) statement.error = s.error;
  }
  return statement;
}

// COPY [schema.]table [(columns)] FROM 's3://...' ...
std::optional<Statement> copy(TokenReader& tokens) {
  std::string name;
  Token token = tokens.next();
  while (token.kind == Token::Kind::kWord || token.kind == Token::Kind::kQuotedName ||
         is_punctuation(token, '.')) {
    if (is_word(token, "from")) break;
    name += token.text;
    token = tokens.next();
  }
  if (is_punctuation(token, '(')) {
    while (token.kind != Token::Kind::kEnd && !is_punctuation(token, ')')) token = tokens.next();
    token = tokens.next();
  }
  if (name.empty() || !is_word(token, "from")) return std::nullopt;
  auto source = string_value(tokens.next());
  if (!source || !source->starts_with("s3://") || !ends_here(tokens)) return std::nullopt;
  Statement statement{.raw_verb = "COPY_FROM_S3", .parser = "redshift"};
  statement.effects.push_back({.group = Group::kBulkLoad, .subtype = "copy_from_s3"});
  statement.effects[0].objects = {object_in_text(ObjectKind::kTable, name),
                                  s3_path(std::move(*source))};
  return statement;
}

}  // namespace

std::optional<Statement> classify_redshift(std::string_view sql, TextLimits limits,
                                           internal::Nesting nesting) {
  TokenReader tokens(sql);
  const Token first = tokens.next();
  std::optional<Statement> statement;
  if (is_word(first, "unload")) statement = unload(tokens, limits, nesting);
  if (is_word(first, "copy")) statement = copy(tokens);
  if (statement) {
    statement->length = static_cast<std::uint32_t>(sql.size());
    order_by_precedence(statement->effects);
  }
  return statement;
}

}  // namespace agentsh::sql
