// Names in a parse tree, as the objects of effects.
#pragma once

#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/parse_tree.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

// The grammar's ObjectType words: what kind of object each means here, how a verb spells it, and
// the subtype of dropping one.
struct ObjectType {
  std::string_view word;  // "OBJECT_MATVIEW".
  ObjectKind kind;
  std::string_view verb;  // "MATERIALIZED_VIEW".
  std::string_view drop_subtype;
};
// A table for a word that is not known.
const ObjectType& object_type(std::string_view word);

// The strings of a list of String nodes, of a List node, of an ObjectWithArgs or TypeName, or of a
// lone String; other elements are left out.
std::vector<std::string_view> names_in(TreeNode node);

// schema.name out of a dotted name: what stands before the last two is left out.
Object object_named(ObjectKind kind, const std::vector<std::string_view>& names);
Object object_named(ObjectKind kind, std::string_view name);
// From the fields of a RangeVar.
Object object_of_range(TreeNode range, ObjectKind kind = ObjectKind::kTable);
// What DROP, COMMENT, ALTER ... name by `type`: a rule, trigger, policy or constraint comes with
// the table that it is on.
std::vector<Object> objects_of(const ObjectType& type, TreeNode named);

// A RoleSpec's name: "public", "current_user" for those words.
std::string role_name(TreeNode role_spec);
// The text of a constant, also behind a cast ('x'::text, ('x')); empty and false for what is
// computed.
struct Constant {
  bool known = false;
  std::string_view text;
};
Constant constant_of(TreeNode expression);

// Where a connection string of libpq leads ("host=h port=1", "postgresql://h:1/db"). The host is
// the whole text when it is neither.
Object endpoint_of(std::string_view connection_string);
// From a list of DefElems with host and port.
Object endpoint_of_options(TreeNode options);

// schema.name of a relation in a text constant, as ::regclass reads it.
Object object_in_text(ObjectKind kind, std::string_view text);
// Identifiers in a text that PostgreSQL splits at commas, as the value of search_path.
std::vector<std::string> identifiers_in_text(std::string_view text);

// ASCII only, as PostgreSQL folds the names of settings and options.
std::string lower_case(std::string_view text);
std::string upper_case(std::string_view text);

}  // namespace agentsh::sql
