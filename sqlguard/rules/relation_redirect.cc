#include "sqlguard/rules/relation_redirect.h"

#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/objects.h"
#include "sqlguard/classifier/parse_tree.h"

#include <fmt/format.h>
#include <pg_query.h>

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

namespace agentsh::sql {
namespace {

struct Place {
  std::size_t begin;
  std::size_t length;
  bool needs_alias;
};

std::string quoted(std::string_view name) {
  std::string result = "\"";
  for (const char c : name) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

bool is(const Object& object, const Object& wanted) {
  return object.name == wanted.name && (object.schema.empty() || object.schema == wanted.schema);
}

// The RangeVars of the tree that are `wanted`.
void find(TreeNode node, const Object& wanted, std::vector<TreeNode>& found) {
  if (node.child("relname") && is(object_of_range(node), wanted)) found.push_back(node);
  for (TreeNode child = node.first(); child; child = child.next()) {
    if (child.is_array() || child.is_object()) find(child, wanted, found);
  }
}

// How long the dotted name is that starts at `begin`.
std::size_t name_length(std::string_view sql, std::size_t begin) {
  TokenReader tokens(sql.substr(begin));
  std::size_t end = 0;
  while (true) {
    const Token name = tokens.next();
    if (name.kind != Token::Kind::kWord && name.kind != Token::Kind::kQuotedName) return end;
    end = static_cast<std::size_t>(name.text.data() + name.text.size() - sql.data()) - begin;
    const Token dot = tokens.next();
    if (dot.text != ".") return end;
  }
}

std::vector<Object> relations_of(const Analysis& analysis) {
  std::vector<Object> relations;
  for (const Effect& effect : analysis.statements[0].effects) {
    if (effect.group != Group::kRead) continue;
    relations = effect.objects;
  }
  return relations;
}

Result<std::string> deparsed(const std::string& sql) {
  PgQueryProtobufParseResult parsed = pg_query_parse_protobuf(sql.c_str());
  if (parsed.error != nullptr) {
    const std::string what = parsed.error->message;
    pg_query_free_protobuf_parse_result(parsed);
    return fail(what);
  }
  PgQueryDeparseResult text = pg_query_deparse_protobuf(parsed.parse_tree);
  Result<std::string> result = text.error != nullptr ? fail(text.error->message)
                                                     : Result<std::string>(std::string(text.query));
  pg_query_free_deparse_result(text);
  pg_query_free_protobuf_parse_result(parsed);
  return result;
}

Result<std::vector<Place>> places_of(std::string_view sql, const Object& wanted) {
  const auto tree = ParseTree::parse(std::string(sql));
  if (!tree) return std::unexpected(tree.error());
  std::vector<TreeNode> ranges;
  find(tree->statements(), wanted, ranges);
  std::vector<Place> places;
  for (const TreeNode range : ranges) {
    const auto begin = static_cast<std::size_t>(range.integer("location"));
    const std::size_t length = begin < sql.size() ? name_length(sql, begin) : 0;
    if (length == 0) return fail("the relation's place in the text is not known");
    places.push_back({begin, length, !range.child("alias")});
  }
  std::ranges::sort(places, {}, &Place::begin);
  return places;
}

}  // namespace

Result<std::string> redirect_relation(std::string_view sql, std::string_view source,
                                      std::string_view target) {
  const Analysis before = classify(sql, Dialect::kPostgres);
  if (before.statements.size() != 1 || before.statements[0].raw_verb != "SELECT" ||
      before.statements[0].effects.size() != 1)
    return fail("only a plain query can be redirected");
  const Object from = object_in_text(ObjectKind::kTable, source);
  const Object to = object_in_text(ObjectKind::kTable, target);
  const auto places = places_of(sql, from);
  if (!places) return std::unexpected(places.error());
  if (places->empty()) return fail(fmt::format("the query does not read {}", source));
  std::string text;
  std::size_t at = 0;
  for (const Place& place : *places) {
    text += sql.substr(at, place.begin - at);
    text += fmt::format("{}.{}", quoted(to.schema), quoted(to.name));
    if (place.needs_alias) text += " AS " + quoted(from.name);
    at = place.begin + place.length;
  }
  text += sql.substr(at);
  auto result = deparsed(text);
  if (!result) return result;
  // What is sent must be the query that was meant: the same relations, with that one exchanged. A
  // common table expression of the source's name, say, would show here.
  const Analysis after = classify(*result, Dialect::kPostgres);
  std::vector<Object> expected;
  for (Object& object : relations_of(before)) {
    Object kept = is(object, from) ? to : std::move(object);
    if (std::ranges::find(expected, kept) == expected.end()) expected.push_back(std::move(kept));
  }
  if (after.statements.size() != 1 || after.statements[0].effects.size() != 1 ||
      after.statements[0].functions != before.statements[0].functions ||
      relations_of(after) != expected)
    return fail("the query cannot be redirected without changing what else it does");
  return result;
}

}  // namespace agentsh::sql
