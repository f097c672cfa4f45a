#include "sqlguard/classifier/objects.h"

#include <algorithm>
#include <charconv>

namespace agentsh::sql {
namespace {

using enum ObjectKind;

constexpr ObjectType kObjectTypes[] = {
    {"OBJECT_TABLE", kTable, "TABLE", "drop_table"},
    {"OBJECT_ACCESS_METHOD", kAccessMethod, "ACCESS_METHOD", ""},
    {"OBJECT_AGGREGATE", kFunction, "AGGREGATE", "drop_function"},
    {"OBJECT_ATTRIBUTE", kType, "TYPE", ""},
    {"OBJECT_CAST", kCast, "CAST", ""},
    {"OBJECT_COLLATION", kCollation, "COLLATION", ""},
    {"OBJECT_COLUMN", kTable, "COLUMN", ""},
    {"OBJECT_CONVERSION", kConversion, "CONVERSION", ""},
    {"OBJECT_DATABASE", kDatabase, "DATABASE", "drop_database"},
    {"OBJECT_DOMAIN", kType, "DOMAIN", ""},
    {"OBJECT_DOMCONSTRAINT", kType, "DOMAIN", ""},
    {"OBJECT_EVENT_TRIGGER", kEventTrigger, "EVENT_TRIGGER", ""},
    {"OBJECT_EXTENSION", kExtension, "EXTENSION", ""},
    {"OBJECT_FDW", kForeignDataWrapper, "FOREIGN_DATA_WRAPPER", ""},
    {"OBJECT_FOREIGN_SERVER", kServer, "SERVER", "drop_server"},
    {"OBJECT_FOREIGN_TABLE", kForeignTable, "FOREIGN_TABLE", "drop_table"},
    {"OBJECT_FUNCTION", kFunction, "FUNCTION", "drop_function"},
    {"OBJECT_INDEX", kIndex, "INDEX", "drop_index"},
    {"OBJECT_LANGUAGE", kLanguage, "LANGUAGE", ""},
    {"OBJECT_LARGEOBJECT", kLargeObject, "LARGE_OBJECT", ""},
    {"OBJECT_MATVIEW", kMaterializedView, "MATERIALIZED_VIEW", "drop_view"},
    {"OBJECT_OPCLASS", kOperator, "OPERATOR_CLASS", ""},
    {"OBJECT_OPERATOR", kOperator, "OPERATOR", ""},
    {"OBJECT_OPFAMILY", kOperator, "OPERATOR_FAMILY", ""},
    {"OBJECT_PARAMETER_ACL", kGuc, "PARAMETER", ""},
    {"OBJECT_POLICY", kPolicy, "POLICY", ""},
    {"OBJECT_PROCEDURE", kFunction, "PROCEDURE", "drop_function"},
    {"OBJECT_PUBLICATION", kPublication, "PUBLICATION", "drop_publication"},
    {"OBJECT_ROLE", kRole, "ROLE", "drop_role"},
    {"OBJECT_ROUTINE", kFunction, "ROUTINE", "drop_function"},
    {"OBJECT_RULE", kRule, "RULE", ""},
    {"OBJECT_SCHEMA", kSchema, "SCHEMA", "drop_schema"},
    {"OBJECT_SEQUENCE", kSequence, "SEQUENCE", ""},
    {"OBJECT_SUBSCRIPTION", kSubscription, "SUBSCRIPTION", "drop_subscription"},
    {"OBJECT_STATISTIC_EXT", kStatistics, "STATISTICS", ""},
    {"OBJECT_TABCONSTRAINT", kTable, "CONSTRAINT", ""},
    {"OBJECT_TABLESPACE", kTablespace, "TABLESPACE", "drop_tablespace"},
    {"OBJECT_TRANSFORM", kTransform, "TRANSFORM", ""},
    {"OBJECT_TRIGGER", kTrigger, "TRIGGER", ""},
    {"OBJECT_TSCONFIGURATION", kTextSearch, "TEXT_SEARCH_CONFIGURATION", ""},
    {"OBJECT_TSDICTIONARY", kTextSearch, "TEXT_SEARCH_DICTIONARY", ""},
    {"OBJECT_TSPARSER", kTextSearch, "TEXT_SEARCH_PARSER", ""},
    {"OBJECT_TSTEMPLATE", kTextSearch, "TEXT_SEARCH_TEMPLATE", ""},
    {"OBJECT_TYPE", kType, "TYPE", ""},
    {"OBJECT_USER_MAPPING", kUserMapping, "USER_MAPPING", "drop_user_mapping"},
    {"OBJECT_VIEW", kView, "VIEW", "drop_view"},
};

// Whole kinds of objects that are named as something on a table.
bool is_on_table(std::string_view word) {
  return word == "OBJECT_TRIGGER" || word == "OBJECT_RULE" || word == "OBJECT_POLICY" ||
         word == "OBJECT_TABCONSTRAINT" || word == "OBJECT_COLUMN";
}

// An identifier at the start of `text`, folded as PostgreSQL does; the rest stays in `text`.
std::string take_identifier(std::string_view& text) {
  std::string name;
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n'))
    text.remove_prefix(1);
  if (text.starts_with('"')) {
    text.remove_prefix(1);
    while (!text.empty()) {
      const char c = text[0];
      text.remove_prefix(1);
      if (c != '"')
        name += c;
      else if (text.starts_with('"'))
        name += c, text.remove_prefix(1);
      else
        break;
    }
  } else {
    while (!text.empty() && text[0] != '.' && text[0] != ',') {
      const char c = text[0];
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
      text.remove_prefix(1);
    }
    while (!name.empty() && (name.back() == ' ' || name.back() == '\t')) name.pop_back();
  }
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
  return name;
}

std::uint16_t port_in(std::string_view digits) {
  std::uint16_t port = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return port;
}

Object endpoint(std::string_view host, std::uint16_t port) {
  return {.kind = kExternalEndpoint, .host = std::string(host), .port = port};
}

Object endpoint_of_uri(std::string_view rest) {
  rest = rest.substr(0, rest.find_first_of("/?"));
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos)
    rest = rest.substr(at + 1);
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || rest.ends_with(']')) return endpoint(rest, 0);
  return endpoint(rest.substr(0, colon), port_in(rest.substr(colon + 1)));
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string upper_case(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return result;
}

const ObjectType& object_type(std::string_view word) {
  const auto found = std::ranges::find(kObjectTypes, word, &ObjectType::word);
  return found == std::end(kObjectTypes) ? kObjectTypes[0] : *found;
}

std::vector<std::string_view> names_in(TreeNode node) {
  if (node.is_array()) {
    std::vector<std::string_view> names;
    for (TreeNode element = node.first(); element; element = element.next()) {
      if (const TreeNode typed = element.typed(); typed.key() == "String")
        names.push_back(typed.text("sval"));
    }
    return names;
  }
  const TreeNode typed = node.typed();
  const TreeNode fields = typed ? typed : node;
  if (fields.key() == "String") return {fields.text("sval")};
  for (std::string_view list : {"items", "objname", "names"}) {
    if (const TreeNode names = fields.child(list)) return names_in(names);
  }
  return {};
}

Object object_named(ObjectKind kind, const std::vector<std::string_view>& names) {
  Object object{.kind = kind};
  if (!names.empty()) object.name = names.back();
  if (names.size() > 1) object.schema = names[names.size() - 2];
  return object;
}

Object object_named(ObjectKind kind, std::string_view name) {
  return {.kind = kind, .name = std::string(name)};
}

Object object_of_range(TreeNode range, ObjectKind kind) {
  return {.kind = kind,
          .schema = std::string(range.text("schemaname")),
          .name = std::string(range.text("relname"))};
}

std::vector<Object> objects_of(const ObjectType& type, TreeNode named) {
  auto names = names_in(named);
  if (names.empty()) {
    // CAST (a AS b) and TRANSFORM FOR type: a list of types.
    const TreeNode list = named.typed().child("items");
    std::string text;
    for (TreeNode item = list.first(); item; item = item.next()) {
      const auto part = names_in(item);
      if (part.empty()) continue;
      if (!text.empty()) text += ' ';
      text += part.back();
    }
    return {object_named(type.kind, text)};
  }
  if (type.word == "OBJECT_OPCLASS" || type.word == "OBJECT_OPFAMILY")
    names.erase(names.begin());  // The access method.
  if (!is_on_table(type.word)) return {object_named(type.kind, names)};
  const std::string_view last = names.back();
  if (names.size() > 1) names.pop_back();
  if (type.kind == kTable) return {object_named(kTable, names)};
  return {object_named(type.kind, last), object_named(kTable, names)};
}

std::string role_name(TreeNode role_spec) {
  const TreeNode typed = role_spec.typed();
  const TreeNode fields = typed ? typed : role_spec;
  if (const std::string_view name = fields.text("rolename"); !name.empty())
    return std::string(name);
  const std::string_view type = fields.text("roletype");
  if (type == "ROLESPEC_PUBLIC") return "public";
  if (type == "ROLESPEC_SESSION_USER") return "session_user";
  return "current_user";
}

Constant constant_of(TreeNode expression) {
  TreeNode typed = expression.typed();
  while (typed.key() == "TypeCast") typed = typed.child("arg").typed();
  if (typed.key() == "String") return {true, typed.text("sval")};
  if (typed.key() != "A_Const") return {};
  for (std::string_view kind : {"sval", "fval", "ival", "boolval"}) {
    if (const TreeNode value = typed.child(kind)) return {true, value.text(kind)};
  }
  return {typed.flag("isnull"), {}};
}

Object endpoint_of(std::string_view connection_string) {
  for (std::string_view scheme : {"postgresql://", "postgres://"}) {
    if (connection_string.starts_with(scheme))
      return endpoint_of_uri(connection_string.substr(scheme.size()));
  }
  std::string host;
  std::uint16_t port = 0;
  std::string_view rest = connection_string;
  bool pairs = false;
  while (true) {
    const std::size_t equals = rest.find('=');
    if (equals == std::string_view::npos) break;
    pairs = true;
    std::string_view key = rest.substr(0, equals);
    key = key.substr(std::min(key.find_first_not_of(" \t\n"), key.size()));
    key = key.substr(0, std::min(key.find_last_not_of(" \t\n") + 1, key.size()));
    rest.remove_prefix(equals + 1);
    rest = rest.substr(std::min(rest.find_first_not_of(" \t\n"), rest.size()));
    std::string value;
    const bool quoted = rest.starts_with('\'');
    if (quoted) rest.remove_prefix(1);
    while (!rest.empty()) {
      const char c = rest[0];
      if (quoted ? c == '\'' : (c == ' ' || c == '\t' || c == '\n')) break;
      if (c == '\\' && rest.size() > 1) rest.remove_prefix(1);
      value += rest[0];
      rest.remove_prefix(1);
    }
    if (quoted && !rest.empty()) rest.remove_prefix(1);
    if (key == "host" || (key == "hostaddr" && host.empty())) host = value;
    if (key == "port") port = port_in(value);
  }
  return pairs ? endpoint(host, port) : endpoint(connection_string, 0);
}

Object endpoint_of_options(TreeNode options) {
  Object result{.kind = kExternalEndpoint};
  for (TreeNode option = options.first(); option; option = option.next()) {
    const TreeNode fields = option.typed();
    const std::string_view name = fields.text("defname");
    const Constant value = constant_of(fields.child("arg"));
    if (name == "host" || name == "hostaddr") result.host = value.text;
    if (name == "port") result.port = port_in(value.text);
  }
  return result;
}

Object object_in_text(ObjectKind kind, std::string_view text) {
  std::vector<std::string> parts{take_identifier(text)};
  while (text.starts_with('.')) {
    text.remove_prefix(1);
    parts.push_back(take_identifier(text));
  }
  return object_named(kind, std::vector<std::string_view>(parts.begin(), parts.end()));
}

std::vector<std::string> identifiers_in_text(std::string_view text) {
  std::vector<std::string> names;
  while (true) {
    std::string name = take_identifier(text);
    while (text.starts_with('.')) {  // Not a separator here.
      text.remove_prefix(1);
      name += '.' + take_identifier(text);
    }
    if (!name.empty()) names.push_back(std::move(name));
    if (text.empty()) return names;
    text.remove_prefix(1);
  }
}

}  // namespace agentsh::sql
