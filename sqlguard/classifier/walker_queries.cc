// Queries: SELECT and the statements that change rows, what wraps them, COPY.
#include "sqlguard/classifier/objects.h"
#include "sqlguard/classifier/walker.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

// An option of EXPLAIN, VACUUM, COPY and their like: there without a value, or with one that means
// true.
bool option_is_on(TreeNode options, std::string_view name) {
  bool on = false;
  for (TreeNode option = options.first(); option; option = option.next()) {
    const TreeNode fields = option.typed();
    if (fields.text("defname") != name) continue;
    const TreeNode argument = fields.child("arg");
    const Constant value = constant_of(argument);
    const std::string word = upper_case(value.text);
    // An integer other than 0, or a word; 0 has no text. When in doubt it is on.
    on = !argument || (word != "FALSE" && word != "OFF" && word != "0" &&
                       !(argument.typed().key() == "Integer" && !argument.typed().child("ival")));
  }
  return on;
}

std::string first_word(std::string_view command) {
  const std::size_t begin = command.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) return {};
  command.remove_prefix(begin);
  return std::string(command.substr(0, command.find_first_of(" \t\n")));
}

}  // namespace

// --- SELECT --------------------------------------------------------------------------------------

void Walker::select_statement(TreeNode s) {
  verb("SELECT");
  if (depth_ == 1) effect(Group::kRead);
  select(s);
}

// Arms are SELECTs that are no nodes of their own; chains of them are as deep as they are long.
void Walker::set_operation_arm(TreeNode s) {
  if (nesting_.nodes >= internal::Nesting::kMaximumNodes)
    return unknown("the statement is nested too deep");
  ++nesting_.nodes;
  select(s);
  --nesting_.nodes;
}

void Walker::select(TreeNode s) {
  const std::size_t scope = ctes_.size();
  with_clause(s.child("withClause"));
  if (const TreeNode into = s.child("intoClause")) {
    effect(Group::kRead);
    into_clause(into, "");
    verb("SELECT_INTO");
  }
  for (std::string_view side : {"larg", "rarg"}) {
    if (const TreeNode arm = s.child(side)) set_operation_arm(arm);
  }
  walk_fields(s, {"withClause", "intoClause", "larg", "rarg", "lockingClause"});
  if (s.child("lockingClause")) locking(s);
  ctes_.resize(scope);
}

// The table that SELECT INTO and CREATE TABLE AS make. `kind_word` is the grammar's ObjectType.
void Walker::into_clause(TreeNode into, std::string_view kind_word) {
  const bool materialized = kind_word == "OBJECT_MATVIEW";
  const TreeNode rel = into.child("rel");
  affect(Group::kSchemaCreate, materialized ? "create_materialized_view" : "create_table",
         object_of_range(rel, materialized ? ObjectKind::kMaterializedView : ObjectKind::kTable));
  if (rel.text("relpersistence") == "t")
    change(
        {.kind = SessionChange::Kind::kCreateTemporary, .name = std::string(rel.text("relname"))});
  walk_fields(into, {"rel", "viewQuery"});
}

// FOR UPDATE and its like lock rows of the relations in FROM, or of those named (by alias) in OF.
void Walker::locking(TreeNode s) {
  std::vector<std::string_view> names;
  bool all = false;
  for (TreeNode clause = s.child("lockingClause").first(); clause; clause = clause.next()) {
    const TreeNode relations = clause.typed().child("lockedRels");
    if (relations.empty()) all = true;
    for (TreeNode element = relations.first(); element; element = element.next())
      names.push_back(element.typed().text("relname"));
  }
  std::vector<Object> locked;
  if (all) names.clear();
  lock_relations(s.child("fromClause"), names, locked);
  effect(Group::kLock);
  for (Object& object : locked) affect(Group::kLock, {}, std::move(object));
}

void Walker::lock_relations(TreeNode from, const std::vector<std::string_view>& names,
                            std::vector<Object>& locked) {
  if (from.is_array()) {
    for (TreeNode element = from.first(); element; element = element.next())
      lock_relations(element, names, locked);
    return;
  }
  const TreeNode typed = from.typed();
  if (typed.key() == "RangeVar") {
    const std::string_view alias = typed.child("alias").text("aliasname");
    const std::string_view name = alias.empty() ? typed.text("relname") : alias;
    const bool wanted = names.empty() || std::ranges::find(names, name) != names.end();
    if (wanted && !is_cte(typed)) locked.push_back(object_of_range(typed));
  } else if (typed.key() == "JoinExpr") {
    lock_relations(typed.child("larg"), names, locked);
    lock_relations(typed.child("rarg"), names, locked);
  } else if (typed.key() == "RangeTableSample") {
    lock_relations(typed.child("relation"), names, locked);
  } else if (typed.key() == "RangeSubselect" && names.empty()) {
    lock_relations(typed.child("subquery").typed().child("fromClause"), names, locked);
  }
}

// --- changing rows -------------------------------------------------------------------------------

// RETURNING shows rows of the target.
void Walker::returning(TreeNode s) {
  if (s.child("returningList").empty()) return;
  affect(Group::kRead, {}, object_of_range(s.child("relation")));
}

void Walker::insert(TreeNode s) {
  verb("INSERT");
  with_clause(s.child("withClause"));
  const Object target = object_of_range(s.child("relation"));
  affect(Group::kWrite, {}, target);
  const TreeNode conflict = s.child("onConflictClause");
  if (conflict.text("action") == "ONCONFLICT_UPDATE")
    affect(Group::kModify, {}, target, static_cast<bool>(conflict.child("whereClause")));
  returning(s);
  walk_fields(s, {"relation", "withClause"});
}

void Walker::update(TreeNode s) {
  verb("UPDATE");
  with_clause(s.child("withClause"));
  affect(Group::kModify, {}, object_of_range(s.child("relation")),
         static_cast<bool>(s.child("whereClause")));
  returning(s);
  walk_fields(s, {"relation", "withClause"});
}

void Walker::remove(TreeNode s) {
  verb("DELETE");
  with_clause(s.child("withClause"));
  affect(Group::kDelete, {}, object_of_range(s.child("relation")),
         static_cast<bool>(s.child("whereClause")));
  returning(s);
  walk_fields(s, {"relation", "withClause"});
}

void Walker::merge(TreeNode s) {
  verb("MERGE");
  with_clause(s.child("withClause"));
  const Object target = object_of_range(s.child("relation"));
  for (TreeNode element = s.child("mergeWhenClauses").first(); element; element = element.next()) {
    const std::string_view action = element.typed().text("commandType");
    if (action == "CMD_INSERT")
      affect(Group::kWrite, {}, target);
    else if (action == "CMD_UPDATE")
      affect(Group::kModify, {}, target);
    else if (action == "CMD_DELETE")
      affect(Group::kDelete, {}, target);
    else if (action == "CMD_NOTHING")
      affect(Group::kRead, {}, target);
    else
      unknown(fmt::format("MERGE action {} is not known", action));
  }
  walk_fields(s, {"relation", "withClause"});
}

// --- COPY ----------------------------------------------------------------------------------------

void Walker::copy(TreeNode s) {
  const bool from = s.flag("is_from");
  const TreeNode relation_node = s.child("relation");
  const TreeNode query = s.child("query");
  const std::string_view file = s.text("filename");
  const bool s3 = dialect_ == Dialect::kRedshift && from && file.starts_with("s3://");
  const std::string_view place = !s.child("filename")   ? (from ? "STDIN" : "STDOUT")
                                 : s.flag("is_program") ? "PROGRAM"
                                 : s3                   ? "S3"
                                                        : "PATH";
  verb(fmt::format("COPY_{}{}_{}", query ? "QUERY_" : "", from ? "FROM" : "TO", place));
  if (place == "PROGRAM") {
    affect(Group::kUnsafeIo, from ? "copy_from_program" : "copy_to_program",
           {.kind = ObjectKind::kProgram, .argv0 = first_word(file)});
  } else if (place == "PATH") {
    affect(Group::kUnsafeIo, from ? "copy_from_path" : "copy_to_path",
           {.kind = ObjectKind::kFilesystemPath, .path = std::string(file)});
  }
  const std::string_view subtype = s3                  ? "copy_from_s3"
                                   : place == "STDIN"  ? "copy_from_stdin"
                                   : place == "STDOUT" ? "copy_to_stdout"
                                                       : "";
  const Group bulk = from ? Group::kBulkLoad : Group::kBulkExport;
  effect(bulk, subtype);
  if (relation_node) affect(bulk, subtype, object_of_range(relation_node));
  if (s3) affect(bulk, subtype, {.kind = ObjectKind::kFilesystemPath, .path = std::string(file)});
  if (!from) effect(Group::kRead);
  if (relation_node && !from) affect(Group::kRead, {}, object_of_range(relation_node));
  walk_fields(s, {"relation"});
  if (!query || from) return;
  // What a query reads is what leaves.
  const std::vector<Object> read = effect(Group::kRead).objects;
  for (const Object& object : read) affect(bulk, subtype, object);
}

// --- statements around statements ----------------------------------------------------------------

void Walker::explain(TreeNode s) {
  const TreeNode query = s.child("query");
  const bool runs = option_is_on(s.child("options"), "analyze");
  verb(runs ? "EXPLAIN_ANALYZE" : "EXPLAIN");
  if (runs) {
    if (query.typed().key() == "SelectStmt") effect(Group::kRead);
    return walk(query);
  }
  // Planned, not run: a look at what it names. Planning evaluates functions that are stable, so
  // those that do something are not overlooked; and whoever may not know a table may not plan on
  // it.
  Walker inner(dialect_, nesting_);
  inner.ctes_ = ctes_;
  inner.walk(query);
  effect(Group::kRead);
  for (const Effect& e : inner.result_.effects) {
    switch (e.group) {
      case Group::kUnknown:
      case Group::kUnsafeIo:
      case Group::kProcedural:
        effect(e.group, e.subtype);
        for (const Object& object : e.objects) affect(e.group, e.subtype, object);
        break;
      case Group::kSchemaCreate:
        break;
      default:
        for (const Object& object : e.objects) {
          if (lives_in_schema(object.kind)) affect(Group::kRead, {}, object);
        }
    }
  }
  if (result_.error.empty()) result_.error = inner.result_.error;
  std::ranges::copy(inner.result_.functions, std::back_inserter(result_.functions));
  std::ranges::copy_if(
      inner.result_.changes, std::back_inserter(result_.changes),
      [](const SessionChange& c) { return c.kind == SessionChange::Kind::kExecute; });
}

void Walker::prepare(TreeNode s) {
  Walker inner(dialect_, nesting_);
  const TreeNode query = s.child("query");
  if (const TreeNode typed = query.typed(); typed.key() == "SelectStmt") effect(Group::kRead);
  inner.statement(query.typed());
  verb("PREPARE_" + inner.result_.raw_verb);
  take_in(inner.result_);
  walk_fields(s, {"query"});
  change({.kind = SessionChange::Kind::kPrepare, .name = std::string(s.text("name"))});
}

// What it does is what the prepared statement does: known to whoever follows the session.
void Walker::execute(TreeNode s) {
  verb("EXECUTE");
  walk_fields(s);
  change({.kind = SessionChange::Kind::kExecute, .name = std::string(s.text("name"))});
}

void Walker::deallocate(TreeNode s) {
  verb(s.child("name") ? "DEALLOCATE" : "DEALLOCATE_ALL");
  effect(Group::kSession, "discard_plans");
  change({.kind = SessionChange::Kind::kDeallocate, .name = std::string(s.text("name"))});
}

void Walker::declare_cursor(TreeNode s) {
  verb("DECLARE_CURSOR");
  effect(Group::kRead);
  walk_fields(s);
  change({.kind = SessionChange::Kind::kDeclareCursor, .name = std::string(s.text("portalname"))});
}

void Walker::fetch(TreeNode s) {
  verb(s.flag("ismove") ? "MOVE" : "FETCH");
  effect(Group::kRead);
}

void Walker::close(TreeNode s) {
  verb(s.child("portalname") ? "CLOSE" : "CLOSE_ALL");
  effect(Group::kSession);
}

void Walker::create_table_as(TreeNode s) {
  const bool materialized = s.text("objtype") == "OBJECT_MATVIEW";
  const TreeNode into = s.child("into");
  const bool temporary = into.child("rel").text("relpersistence") == "t";
  verb(materialized ? "CREATE_MATERIALIZED_VIEW"
                    : (temporary ? "CREATE_TEMP_TABLE_AS" : "CREATE_TABLE_AS"));
  effect(Group::kRead);
  into_clause(into, s.text("objtype"));
  walk_fields(s, {"into"});
}

void Walker::create_view(TreeNode s) {
  verb(s.child("view").text("relpersistence") == "t" ? "CREATE_TEMP_VIEW" : "CREATE_VIEW");
  const TreeNode view = s.child("view");
  affect(Group::kSchemaCreate, "create_view", object_of_range(view, ObjectKind::kView));
  if (view.text("relpersistence") == "t")
    change(
        {.kind = SessionChange::Kind::kCreateTemporary, .name = std::string(view.text("relname"))});
  effect(Group::kRead);
  walk_fields(s, {"view"});
}

// Runs the view's query and replaces its rows.
void Walker::refresh(TreeNode s) {
  verb("REFRESH_MATERIALIZED_VIEW");
  const Object view = object_of_range(s.child("relation"), ObjectKind::kMaterializedView);
  affect(Group::kMaintenance, {}, view);
  affect(Group::kWrite, {}, view);
}

void Walker::call_procedure(TreeNode s) {
  verb("CALL");
  const TreeNode function = s.child("funccall");
  affect(Group::kProcedural, "call",
         object_named(ObjectKind::kFunction, names_in(function.child("funcname"))));
  walk_fields(s);
}

void Walker::do_block(TreeNode s) {
  verb("DO");
  effect(Group::kProcedural, "do");
  walk_fields(s);
}

}  // namespace agentsh::sql
