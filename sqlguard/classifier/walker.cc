#include "sqlguard/classifier/walker.h"

#include "sqlguard/classifier/node_types.h"
#include "sqlguard/classifier/objects.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

// Objects of an effect that are compared with a new one, so that a long list costs linear time.
constexpr std::size_t kCompared = 64;

template <class T>
void add_unless_there(std::vector<T>& list, T&& item) {
  const std::size_t from = list.size() > kCompared ? list.size() - kCompared : 0;
  if (std::find(list.begin() + static_cast<std::ptrdiff_t>(from), list.end(), item) == list.end())
    list.push_back(std::forward<T>(item));
}

}  // namespace

Statement Walker::classify(TreeNode raw_stmt) {
  const TreeNode typed = raw_stmt.child("stmt").typed();
  if (!typed) {
    unknown("the parser's tree has no statement");
  } else {
    statement(typed);
  }
  order_by_precedence(result_.effects);
  return std::move(result_);
}

void Walker::verb(std::string_view raw_verb) {
  if (depth_ == 1) result_.raw_verb = raw_verb;
}

Effect& Walker::effect(Group group, std::string_view subtype, bool has_where) {
  for (Effect& e : result_.effects) {
    if (e.group == group && e.subtype == subtype && e.has_where == has_where) return e;
  }
  return result_.effects.emplace_back(
      Effect{.group = group, .subtype = subtype, .has_where = has_where});
}

void Walker::affect(Group group, std::string_view subtype, Object object, bool has_where) {
  add_unless_there(effect(group, subtype, has_where).objects, std::move(object));
}

void Walker::unknown(std::string_view reason) {
  effect(Group::kUnknown);
  if (result_.raw_verb.empty()) result_.raw_verb = "UNKNOWN";
  if (result_.error.empty()) result_.error = reason;
}

void Walker::change(SessionChange change) {
  result_.changes.push_back(std::move(change));
}

void Walker::take_in(const Statement& inner) {
  for (const Effect& e : inner.effects) {
    Effect& mine = effect(e.group, e.subtype, e.has_where);
    for (const Object& object : e.objects) add_unless_there(mine.objects, Object(object));
  }
  for (const CalledFunction& function : inner.functions)
    add_unless_there(result_.functions, CalledFunction(function));
  if (result_.error.empty()) result_.error = inner.error;
}

// --- walking -------------------------------------------------------------------------------------

void Walker::walk_fields(TreeNode fields, std::initializer_list<std::string_view> without) {
  for (TreeNode field = fields.first(); field; field = field.next()) {
    if (std::ranges::find(without, field.key()) == without.end()) walk(field);
  }
}

void Walker::walk(TreeNode value) {
  if (value.is_array()) {
    for (TreeNode element = value.first(); element; element = element.next()) {
      // An empty object in a list is a null pointer there: DISTINCT without ON, an argument NONE.
      if (!element.empty()) walk(element);
    }
    return;
  }
  if (!value.is_object()) return;
  if (const TreeNode typed = value.typed()) return node(typed);
  // A structure of a type that its field's name tells.
  if (value.empty()) return unknown(fmt::format("the field {} has no content", value.key()));
  if (value.child("relname")) return relation(value);
  if (value.child("funcname")) return call(value);
  walk_fields(value);
}

void Walker::node(TreeNode typed) {
  if (nesting_.nodes >= internal::Nesting::kMaximumNodes)
    return unknown("the statement is nested too deep");
  ++nesting_.nodes;
  node_within_limits(typed);
  --nesting_.nodes;
}

void Walker::node_within_limits(TreeNode typed) {
  const NodeType* type = node_type(typed.key());
  if (type == nullptr) return unknown(fmt::format("the grammar's {} is not known", typed.key()));
  switch (type->role) {
    case NodeRole::kStatement:
      return statement(typed);
    case NodeRole::kRelation:
      return relation(typed);
    case NodeRole::kCall:
      return call(typed);
    case NodeRole::kInternal:
      return unknown(fmt::format("{} is none of the parser's nodes", typed.key()));
    case NodeRole::kPart:
      break;
  }
  const std::string_view name = typed.key();
  if (name == "A_Const" || name == "ColumnRef" || name == "String" || name == "ParamRef") return;
  if (name == "RangeTableSample") {
    call_by_name(names_in(typed.child("method")));
  } else if (name == "A_Expr") {
    // An operator that is named with a schema is a function that somebody made.
    const auto names = names_in(typed.child("name"));
    if (names.size() > 1 && names[names.size() - 2] != "pg_catalog") call_by_name(names);
  }
  walk_fields(typed);
}

void Walker::statement(TreeNode typed) {
  const Entry* entry = entry_of(typed.key());
  if (entry == nullptr)
    return unknown(fmt::format("statements of type {} are not known", typed.key()));
  ++depth_;
  const std::size_t scope = ctes_.size();
  (this->*entry->handler)(typed);
  ctes_.resize(scope);
  --depth_;
}

bool Walker::is_cte(TreeNode range) const {
  return range.text("schemaname").empty() &&
         std::ranges::find(ctes_, range.text("relname")) != ctes_.end();
}

void Walker::relation(TreeNode range) {
  if (!is_cte(range)) affect(Group::kRead, {}, object_of_range(range));
}

// The names come into scope for the statement that has the clause; the caller ends the scope.
void Walker::with_clause(TreeNode with) {
  if (!with) return;
  const bool recursive = with.flag("recursive");
  for (TreeNode element = with.child("ctes").first(); recursive && element;
       element = element.next()) {
    ctes_.push_back(element.typed().text("ctename"));
  }
  for (TreeNode element = with.child("ctes").first(); element; element = element.next()) {
    const TreeNode cte = element.typed();
    walk_fields(cte);
    // Without RECURSIVE the name is known only after its own query.
    if (!recursive) ctes_.push_back(cte.text("ctename"));
  }
}

// --- functions -----------------------------------------------------------------------------------

void Walker::call(TreeNode fields) {
  const auto names = names_in(fields.child("funcname"));
  const Object function = object_named(ObjectKind::kFunction, names);
  if (const SideEffect* known = side_effect_of(function.name)) {
    side_effect(*known, function, fields.child("args"));
  } else {
    call_by_name(names);
  }
  walk_fields(fields, {"funcname"});
}

void Walker::call_by_name(const std::vector<std::string_view>& names) {
  Object function = object_named(ObjectKind::kFunction, names);
  const bool pg_catalog = function.schema.empty() || function.schema == "pg_catalog";
  if (pg_catalog && is_harmless_builtin(function.name)) return;
  add_unless_there(result_.functions,
                   CalledFunction{std::move(function.schema), std::move(function.name)});
}

void Walker::side_effect(const SideEffect& known, const Object& function, TreeNode arguments) {
  const TreeNode first = arguments.first();
  const Constant constant = constant_of(first);
  switch (known.argument) {
    case CallArgument::kNothing:
      break;
    case CallArgument::kSetting:
      return set_config(known, arguments);
    case CallArgument::kSqlText:
    case CallArgument::kSqlText2: {
      const Constant text =
          known.argument == CallArgument::kSqlText ? constant : constant_of(first.next());
      if (text.known) nested_text(text.text);
      break;
    }
    case CallArgument::kRelation:
      // Which relation a computed argument names cannot be seen: the function stands for it.
      if (!constant.known) break;
      switch (known.group) {
        case Group::kRead:
        case Group::kModify:
        case Group::kMaintenance:
        case Group::kBulkLoad:
        case Group::kLock:
          affect(known.group, known.subtype, object_in_text(ObjectKind::kTable, constant.text));
          return;
        default:
          affect(Group::kRead, {}, object_in_text(ObjectKind::kTable, constant.text));
      }
      break;
    case CallArgument::kSequence:
      if (!constant.known) break;
      affect(known.group, known.subtype, object_in_text(ObjectKind::kSequence, constant.text));
      return;
    case CallArgument::kPath:
    case CallArgument::kPath2: {
      const Constant path =
          known.argument == CallArgument::kPath ? constant : constant_of(first.next());
      if (path.known)
        affect(known.group, known.subtype,
               {.kind = ObjectKind::kFilesystemPath, .path = std::string(path.text)});
      break;
    }
    case CallArgument::kEndpoint:
      if (constant.known) affect(known.group, known.subtype, endpoint_of(constant.text));
      // dblink_connect(name, connection string).
      if (const Constant second = constant_of(first.next());
          second.known && function.name.starts_with("dblink_connect"))
        affect(known.group, known.subtype, endpoint_of(second.text));
      break;
  }
  affect(known.group, known.subtype, function);
}

void Walker::set_config(const SideEffect& known, TreeNode arguments) {
  const Constant name = constant_of(arguments.first());
  const Constant value = constant_of(arguments.first().next());
  const Constant local = constant_of(arguments.first().next().next());
  if (!name.known) {
    // Any setting: those that change who one is and what names mean among them.
    for (std::string_view setting_name : {"role", "session_authorization", "search_path"})
      setting(setting_name, {}, false, false);
    affect(known.group, known.subtype, object_named(ObjectKind::kFunction, "set_config"));
    change({.kind = SessionChange::Kind::kUnknownSetting});
    return;
  }
  const std::string wanted = lower_case(name.text);
  std::vector<std::string> values;
  if (wanted == "search_path")
    values = identifiers_in_text(value.text);
  else
    values.emplace_back(value.text);
  setting(wanted, std::move(values), local.known && local.text == "true", value.known);
}

// SQL that a function runs, as if the statement held it.
void Walker::nested_text(std::string_view sql) {
  if (nesting_.texts >= internal::Nesting::kMaximumTexts)
    return unknown("SQL text is nested too deep in SQL text");
  const Analysis inner =
      internal::classify_text(sql, dialect_, {}, {nesting_.texts + 1, nesting_.nodes});
  for (const Statement& s : inner.statements) {
    take_in(s);
    // What it does to the session cannot be followed there.
    if (!s.changes.empty()) change({.kind = SessionChange::Kind::kUnknownSetting});
  }
}

}  // namespace agentsh::sql
