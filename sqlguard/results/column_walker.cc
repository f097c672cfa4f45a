#include "sqlguard/results/column_walker.h"

#include "sqlguard/classifier/objects.h"

#include <algorithm>
#include <array>

namespace agentsh::sql {
namespace {

constexpr std::array<std::string_view, 6> kSystemColumns = {"ctid", "xmin", "xmax",
                                                            "cmin", "cmax", "tableoid"};

// The names of a ColumnRef; a star is an empty name at the end.
std::vector<std::string_view> names_of(TreeNode reference) {
  std::vector<std::string_view> names;
  for (TreeNode field = reference.child("fields").first(); field; field = field.next()) {
    const TreeNode typed = field.typed();
    if (typed.key() == "A_Star") {
      names.emplace_back();
    } else {
      const auto strings = names_in(field);
      names.push_back(strings.empty() ? std::string_view() : strings[0]);
    }
  }
  return names;
}

// A number that stands alone in ORDER BY or GROUP BY: the position of a column.
std::optional<std::size_t> position_of(TreeNode element) {
  TreeNode typed = element.typed();
  if (typed.key() == "SortBy") typed = typed.child("node").typed();
  const TreeNode constant = typed.key() == "A_Const" ? typed.child("ival") : TreeNode();
  if (!constant) return std::nullopt;
  return static_cast<std::size_t>(constant.integer("ival"));
}

}  // namespace

ColumnWalker::ColumnWalker(const MaskedColumns& masked, RelationOf relation_of)
    : masked_(masked), relation_of_(std::move(relation_of)) {
  known_.insert(kSystemColumns.begin(), kSystemColumns.end());
}

void ColumnWalker::walk_statement(TreeNode typed) {
  collect(typed);
  if (names_.empty()) return;
  do {
    grown_ = false;
    misuse_.reset();
    final_ = false;
    node(typed);
  } while (grown_);
}

void ColumnWalker::misused(std::string_view how, bool final) {
  if (!misuse_ || (final && !final_)) misuse_ = how;
  final_ = final_ || final;
}

// --- what the statement names --------------------------------------------------------------------

void ColumnWalker::collect(TreeNode value) {
  if (value.is_array()) {
    for (TreeNode element = value.first(); element; element = element.next()) collect(element);
    return;
  }
  if (!value.is_object()) return;
  const TreeNode inner = value.typed();
  const TreeNode object = inner ? inner : value;
  const std::string_view type = object.key();
  if (object.child("relname")) collect_range(object);
  if (type == "ResTarget") known_.emplace(object.text("name"));
  if (type == "RangeSubselect" || type == "JoinExpr" || type == "CommonTableExpr") {
    for (std::string_view name :
         {object.child("alias").text("aliasname"),
          object.child("join_using_alias").text("aliasname"), object.text("ctename")}) {
      if (name.empty()) continue;
      rows_.emplace(name);
      ranges_.emplace(name, Range{nullptr});
    }
  }
  if (object.child("colnames")) {
    for (std::string_view name : names_in(object.child("colnames"))) known_.emplace(name);
  }
  for (TreeNode field = object.first(); field; field = field.next()) collect(field);
}

void ColumnWalker::collect_range(TreeNode range_var) {
  const CatalogRelation* relation = relation_of_(range_var);
  const std::string_view alias = range_var.child("alias").text("aliasname");
  const std::string_view name = alias.empty() ? range_var.text("relname") : alias;
  ranges_.emplace(name, Range{relation});
  if (relation == nullptr) return;
  for (const CatalogColumn& column : relation->columns) {
    known_.insert(column.name);
    const ColumnMask* mask = masked_.of(relation->oid, column.number);
    if (mask == nullptr) continue;
    rows_.emplace(name);
    names_.emplace(column.name, mask);
  }
}

const ColumnMask* ColumnWalker::mask_named(std::string_view qualifier,
                                           std::string_view name) const {
  const auto found = names_.find(name);
  if (found == names_.end()) return nullptr;
  if (qualifier.empty()) return found->second;
  const auto [begin, end] = ranges_.equal_range(qualifier);
  if (begin == end) return found->second;
  const bool clean = std::all_of(begin, end, [&](const auto& entry) {
    const CatalogRelation* relation = entry.second.relation;
    const CatalogColumn* column = relation == nullptr ? nullptr : relation->column(name);
    return column != nullptr && masked_.of(relation->oid, column->number) == nullptr;
  });
  return clean ? nullptr : found->second;
}

// --- the tree ------------------------------------------------------------------------------------

void ColumnWalker::fields(TreeNode object, std::initializer_list<std::string_view> without) {
  for (TreeNode field = object.first(); field; field = field.next()) {
    if (std::ranges::find(without, field.key()) == without.end()) any(field);
  }
}

void ColumnWalker::any(TreeNode value) {
  if (value.is_array()) {
    for (TreeNode element = value.first(); element; element = element.next()) any(element);
    return;
  }
  if (!value.is_object()) return;
  if (const TreeNode typed = value.typed()) return node(typed);
  if (value.child("op") && value.child("limitOption")) return select(value, Use::kValue);
  fields(value);
}

void ColumnWalker::node(TreeNode typed) {
  const std::string_view type = typed.key();
  if (type == "SelectStmt") return select(typed, Use::kOutput);
  if (type == "ColumnRef") return column(typed, Use::kValue, {});
  if (type == "InsertStmt" || type == "UpdateStmt" || type == "DeleteStmt" || type == "MergeStmt")
    return data_change(typed);
  if (type == "ExplainStmt" || type == "PrepareStmt" || type == "DeclareCursorStmt" ||
      type == "CopyStmt") {
    query(typed.child("query"), Use::kOutput);
    return fields(typed, {"query", "relation"});
  }
  if (type == "CreateTableAsStmt" || type == "ViewStmt")
    return query(typed.child("query"), Use::kValue);
  if (type == "SubLink") {
    any(typed.child("testexpr"));
    const bool exists = typed.text("subLinkType") == "EXISTS_SUBLINK";
    return query(typed.child("subselect"), exists ? Use::kOutput : Use::kValue);
  }
  if (type == "A_Indirection") {
    any(typed.child("arg"));
    for (TreeNode step = typed.child("indirection").first(); step; step = step.next()) {
      const auto names = names_in(step);
      if (step.typed().key() == "A_Star") misused("is part of a row that is taken apart");
      for (std::string_view name : names) {
        if (names_.contains(name)) misused("is taken out of a row");
      }
      if (step.typed().key() == "A_Indices") any(step);
    }
    return;
  }
  if (type == "RangeSubselect" || type == "RangeFunction" || type == "JoinExpr" ||
      type == "RangeTableSample" || type == "RangeVar" || type == "RangeTableFunc")
    return from(typed);
  fields(typed);
}

void ColumnWalker::query(TreeNode value, Use use) {
  const TreeNode typed = value.typed();
  if (typed.key() == "SelectStmt") return select(typed, use);
  any(value);
}

void ColumnWalker::select(TreeNode s, Use use) {
  with(s.child("withClause"));
  const bool arms = static_cast<bool>(s.child("larg"));
  if (s.child("intoClause")) use = Use::kValue;
  // What UNION and its like give has no origin that the server would tell.
  for (std::string_view side : {"larg", "rarg"}) {
    if (const TreeNode arm = s.child(side)) select(arm, Use::kValue);
  }
  if (s.child("distinctClause")) use = Use::kValue;
  from(s.child("fromClause"));
  targets(s.child("targetList"), use);
  if (!arms) {
    positions(s.child("sortClause"), s.child("targetList"), use);
    positions(s.child("groupClause"), s.child("targetList"), use);
  }
  fields(s,
         {"withClause", "intoClause", "larg", "rarg", "fromClause", "targetList", "lockingClause"});
}

void ColumnWalker::with(TreeNode clause) {
  for (TreeNode element = clause.child("ctes").first(); element; element = element.next()) {
    const TreeNode cte = element.typed();
    if (!cte.child("aliascolnames").empty()) misused("may get another name by its position", true);
    query(cte.child("ctequery"), Use::kOutput);
    fields(cte, {"ctequery", "aliascolnames"});
  }
}

void ColumnWalker::targets(TreeNode list, Use use) {
  for (TreeNode element = list.first(); element; element = element.next()) {
    const TreeNode target = element.typed();
    const TreeNode value = target.child("val").typed();
    if (value.key() == "ColumnRef")
      column(value, use, target.text("name"));
    else
      any(target.child("val"));
  }
}

// ORDER BY 2 and GROUP BY 2 use the second column's values.
void ColumnWalker::positions(TreeNode list, TreeNode target_list, Use use) {
  if (use == Use::kValue) return;
  for (TreeNode element = list.first(); element; element = element.next()) {
    const auto position = position_of(element);
    if (!position) continue;
    std::size_t at = 0;
    for (TreeNode target = target_list.first(); target; target = target.next()) {
      const TreeNode value = target.typed().child("val").typed();
      const auto names =
          value.key() == "ColumnRef" ? names_of(value) : std::vector<std::string_view>{};
      const bool star = !names.empty() && names.back().empty();
      if (star) return misused("may be sorted or grouped by its position");
      if (++at == *position && mask_of_output(target) != nullptr)
        misused("is sorted or grouped by");
    }
  }
}

void ColumnWalker::from(TreeNode value) {
  if (value.is_array()) {
    for (TreeNode element = value.first(); element; element = element.next()) from(element);
    return;
  }
  const TreeNode inner = value.typed();
  const TreeNode typed = inner ? inner : value;
  const std::string_view type = typed.key();
  if (type == "RangeFunction") return fields(typed, {"alias", "coldeflist"});
  if (type == "RangeTableFunc") return fields(typed, {"alias"});
  alias(typed.child("alias"));
  if (type == "RangeSubselect") return query(typed.child("subquery"), Use::kOutput);
  if (type == "RangeTableSample") {
    from(typed.child("relation"));
    return fields(typed, {"relation"});
  }
  if (type != "JoinExpr") return;
  from(typed.child("larg"));
  from(typed.child("rarg"));
  if (typed.flag("isNatural")) misused("may be compared by a natural join");
  for (std::string_view name : names_in(typed.child("usingClause"))) {
    if (names_.contains(name)) misused("is compared by a join");
  }
  any(typed.child("quals"));
}

void ColumnWalker::alias(TreeNode value) {
  if (!value.child("colnames").empty()) misused("may get another name by its position", true);
}

void ColumnWalker::column(TreeNode reference, Use use, std::string_view result_name) {
  const auto names = names_of(reference);
  if (names.empty()) return;
  const std::string_view name = names.back();
  const std::string_view qualifier =
      names.size() > 1 ? names[names.size() - 2] : std::string_view();
  if (name.empty()) {
    if (use == Use::kValue && !ranges_.empty()) misused("is part of rows that are used as a value");
    return;
  }
  // In ON CONFLICT, the row that was to be inserted.
  if (qualifier == "excluded" && !ranges_.contains("excluded")) return;
  if (const ColumnMask* mask = mask_named(qualifier, name)) {
    if (use == Use::kValue) return misused("is compared, sorted by or computed with");
    if (!result_name.empty() && names_.emplace(result_name, mask).second) grown_ = true;
    return;
  }
  if (rows_.contains(name)) return misused("is part of a row that is used as a value");
  // t.f is also f(t).
  if (!qualifier.empty() && !known_.contains(name))
    misused("may be read by a function that is written like a column");
}

const ColumnMask* ColumnWalker::mask_of_output(TreeNode target) const {
  const TreeNode value = target.typed().child("val").typed();
  if (value.key() != "ColumnRef") return nullptr;
  const auto names = names_of(value);
  if (names.empty()) return nullptr;
  return mask_named(names.size() > 1 ? names[names.size() - 2] : std::string_view(), names.back());
}

// The names of columns that are written are no reading of them.
void ColumnWalker::data_change(TreeNode s) {
  with(s.child("withClause"));
  const auto assignments = [&](TreeNode list) {
    for (TreeNode element = list.first(); element; element = element.next()) {
      any(element.typed().child("val"));
      any(element.typed().child("indirection"));
    }
  };
  assignments(s.child("targetList"));
  alias(s.child("relation").child("alias"));
  if (const TreeNode source = s.child("selectStmt")) query(source, Use::kValue);
  for (std::string_view clause : {"fromClause", "usingClause", "sourceRelation"})
    from(s.child(clause));
  const TreeNode conflict = s.child("onConflictClause");
  assignments(conflict.child("targetList"));
  any(conflict.child("whereClause"));
  any(conflict.child("infer"));
  for (TreeNode element = s.child("mergeWhenClauses").first(); element; element = element.next()) {
    const TreeNode clause = element.typed();
    assignments(clause.child("targetList"));
    fields(clause, {"targetList"});
  }
  targets(s.child("returningList"), Use::kOutput);
  fields(s, {"withClause", "targetList", "relation", "selectStmt", "fromClause", "usingClause",
             "sourceRelation", "onConflictClause", "mergeWhenClauses", "returningList", "cols"});
}

// --- COPY ----------------------------------------------------------------------------------------

std::optional<std::vector<PlannedColumn>> ColumnWalker::outputs(TreeNode select) {
  std::vector<PlannedColumn> columns;
  const TreeNode source = select.child("fromClause").first();
  const TreeNode range = source.typed();
  const bool one = source && !source.next() && range.key() == "RangeVar";
  const CatalogRelation* relation = one ? relation_of_(range) : nullptr;
  for (TreeNode element = select.child("targetList").first(); element; element = element.next()) {
    const TreeNode value = element.typed().child("val").typed();
    const auto names =
        value.key() == "ColumnRef" ? names_of(value) : std::vector<std::string_view>{};
    if (!names.empty() && names.back().empty()) {
      if (relation == nullptr) return std::nullopt;
      for (const CatalogColumn& column : relation->columns)
        columns.push_back({masked_.of(relation->oid, column.number), column.type});
      continue;
    }
    PlannedColumn planned{.mask = mask_of_output(element)};
    const CatalogColumn* column =
        relation == nullptr || names.empty() ? nullptr : relation->column(names.back());
    if (column != nullptr) planned.type = column->type;
    columns.push_back(planned);
  }
  if (columns.empty()) return std::nullopt;
  return columns;
}

}  // namespace agentsh::sql
