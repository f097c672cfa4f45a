// What the masks say about one statement: masks.h.
#include "sqlguard/classifier/objects.h"
#include "sqlguard/classifier/parse_tree.h"
#include "sqlguard/classifier/side_effects.h"
#include "sqlguard/results/column_walker.h"
#include "sqlguard/results/masks.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentsh::sql {
namespace {

// Relations of pg_catalog that show values of columns.
constexpr std::array<std::string_view, 5> kStatistics = {
    "pg_stats", "pg_statistic", "pg_stats_ext", "pg_stats_ext_exprs", "pg_statistic_ext_data"};

// Does the function run or read what its arguments name in text?
bool reads_beyond_its_arguments(std::string_view function) {
  const SideEffect* effect = side_effect_of(function);
  if (effect == nullptr) return false;
  return effect->group == Group::kProcedural || effect->group == Group::kUnsafeIo ||
         effect->group == Group::kBulkExport;
}

bool names_relations(const Object& object) {
  return object.kind <= ObjectKind::kForeignTable;
}

bool is_plain_select(const Statement& statement) {
  return statement.raw_verb == "SELECT" &&
         std::ranges::all_of(statement.effects,
                             [](const Effect& effect) { return effect.group == Group::kRead; });
}

bool gives_rows(const Statement& statement) {
  return std::ranges::any_of(statement.effects, [](const Effect& effect) {
    return effect.group != Group::kTransaction && effect.group != Group::kSession &&
           effect.group != Group::kNotify;
  });
}

class Planner {
 public:
  Planner(const Statement& statement, const NameContext& names, const MaskedColumns& masked,
          std::span<const std::string> safe)
      : statement_(statement), names_(names), masked_(masked), safe_(safe) {}

  // A refusal that needs no look at columns.
  std::optional<std::string> refusal() const {
    for (const Effect& effect : statement_.effects) {
      if (effect.group == Group::kProcedural && effect.subtype == "do")
        return "what a DO block reads cannot be seen, and the database has masked columns";
      for (const Object& object : effect.objects) {
        if (auto found = refusal(effect, object)) return found;
      }
    }
    for (const CalledFunction& function : statement_.functions) {
      if (auto found = refusal(function.schema, function.name)) return found;
    }
    return std::nullopt;
  }

  const CatalogRelation* relation_of(TreeNode range_var) const {
    const Object written = object_of_range(range_var);
    for (const Effect& effect : statement_.effects) {
      for (const Object& object : effect.objects) {
        if (object.implied || object.lookup != Lookup::kResolved || object.name != written.name)
          continue;
        if (written.schema.empty() || written.schema == object.schema)
          return masked_.catalog()->relation(object.schema, object.name);
      }
    }
    return nullptr;
  }

 private:
  std::optional<std::string> refusal(const Effect& effect, const Object& object) const {
    if (object.kind == ObjectKind::kFunction) {
      if (reads_beyond_its_arguments(object.name))
        return fmt::format("{}() may read masked columns", object.name);
      return refusal(object.schema, object.name);
    }
    if (!names_relations(object)) return std::nullopt;
    if (std::ranges::find(kStatistics, object.name) != kStatistics.end())
      return fmt::format("{} shows values of columns, and the database has masked ones",
                         object.name);
    const bool made = effect.group == Group::kSchemaCreate && effect.subtype != "create_index";
    if (object.lookup == Lookup::kResolved) {
      const CatalogRelation* relation = masked_.catalog()->relation(object.schema, object.name);
      if ((made || effect.group == Group::kSchemaAlter) && relation != nullptr &&
          masked_.has_masked(relation->oid))
        return fmt::format("{}.{} has masked columns: its definition stays as it is", object.schema,
                           object.name);
      return std::nullopt;
    }
    if (made || effect.group == Group::kSchemaDestroy || names_.temporary.contains(object.name))
      return std::nullopt;
    return fmt::format(
        "relation {} is not in the catalogue: whether it has masked columns cannot be told",
        object.name);
  }

  // A function of the database in a language that runs queries may read anything.
  std::optional<std::string> refusal(const std::string& schema, const std::string& name) const {
    if (is_safe(schema, name)) return std::nullopt;
    std::vector<std::string> schemas = {schema};
    if (schema.empty()) schemas = names_.search_path.value_or(std::vector<std::string>());
    for (const std::string& each : schemas) {
      for (const CatalogFunction* function : masked_.catalog()->functions(each, name)) {
        if (function->language == "c" || function->language == "internal") continue;
        return fmt::format(
            "function {}.{} may read masked columns; policies.db.safe_function_allowlist "
            "is where it is said that it does not",
            each, name);
      }
    }
    return std::nullopt;
  }

  bool is_safe(const std::string& schema, const std::string& name) const {
    return std::ranges::any_of(safe_, [&](const std::string& safe) {
      return safe == name || (!schema.empty() && safe == fmt::format("{}.{}", schema, name));
    });
  }

  const Statement& statement_;
  const NameContext& names_;
  const MaskedColumns& masked_;
  std::span<const std::string> safe_;
};

// --- COPY ----------------------------------------------------------------------------------------

void read_copy_options(TreeNode options, CopyFormat& format) {
  const auto first = [](std::string_view text, char& out) {
    if (!text.empty()) out = text[0];
  };
  const auto text_of = [](TreeNode option) { return constant_of(option.child("arg")).text; };
  for (TreeNode option = options.first(); option; option = option.next()) {
    const TreeNode fields = option.typed();
    if (fields.text("defname") != "format") continue;
    const std::string name = lower_case(text_of(fields));
    if (name == "csv") format = {.kind = CopyFormat::Kind::kCsv, .delimiter = ',', .null = ""};
    if (name == "binary") format.kind = CopyFormat::Kind::kBinary;
  }
  bool escape_given = false;
  for (TreeNode option = options.first(); option; option = option.next()) {
    const TreeNode fields = option.typed();
    const std::string_view name = fields.text("defname");
    if (name == "delimiter") first(text_of(fields), format.delimiter);
    if (name == "quote") first(text_of(fields), format.quote);
    if (name == "null") format.null = text_of(fields);
    if (name == "escape") {
      first(text_of(fields), format.escape);
      escape_given = true;
    }
    if (name == "header") {
      const std::string value = lower_case(text_of(fields));
      const TreeNode argument = fields.child("arg");
      const bool zero = argument.typed().key() == "Integer" && !argument.typed().child("ival");
      format.header = value != "false" && value != "off" && value != "0" && !zero;
    }
  }
  if (!escape_given) format.escape = format.quote;
}

// The columns of COPY table [(columns)] TO.
std::vector<PlannedColumn> columns_of_table(const MaskedColumns& masked,
                                            const CatalogRelation& relation, TreeNode list) {
  std::vector<PlannedColumn> columns;
  if (list.empty()) {
    for (const CatalogColumn& column : relation.columns) {
      if (!column.generated)
        columns.push_back({masked.of(relation.oid, column.number), column.type});
    }
    return columns;
  }
  for (std::string_view name : names_in(list)) {
    const CatalogColumn* column = relation.column(name);
    if (column == nullptr) {
      columns.emplace_back();
    } else {
      columns.push_back({masked.of(relation.oid, column->number), column->type});
    }
  }
  return columns;
}

void plan_copy(TreeNode copy, const Planner& planner, ColumnWalker& walker, MaskPlan& plan) {
  if (copy.flag("is_from") || copy.child("filename")) return;
  if (const TreeNode range = copy.child("relation")) {
    if (const CatalogRelation* relation = planner.relation_of(range))
      plan.copy_columns = columns_of_table(*plan.masked, *relation, copy.child("attlist"));
  } else if (copy.child("query").typed().key() == "SelectStmt") {
    if (auto outputs = walker.outputs(copy.child("query").typed()))
      plan.copy_columns = std::move(*outputs);
    else if (!walker.names().empty())
      plan.refusal = "which columns COPY writes cannot be told, and some are masked: name them";
  } else if (!walker.names().empty()) {
    plan.refusal = "which columns COPY writes cannot be told, and some are masked";
  }
}

std::string refusal_of(const ColumnWalker& walker) {
  const auto& [name, mask] = *walker.names().begin();
  return fmt::format(
      "column {} is masked (mask {}) and may only be a plain column of the result: here it, or "
      "another "
      "that is masked, {}",
      name, mask->name, *walker.misuse());
}

}  // namespace

MaskPlan plan_masks(std::string_view sql, const Statement& statement, const NameContext& names,
                    std::shared_ptr<const MaskedColumns> masked,
                    std::span<const std::string> safe_functions) {
  MaskPlan plan;
  if (masked == nullptr) {
    if (gives_rows(statement))
      plan.refusal = "the catalogue could not be read, so that masked columns cannot be told";
    return plan;
  }
  plan.masked = std::move(masked);
  const std::string text(
      sql.substr(std::min<std::size_t>(statement.begin, sql.size()), statement.length));
  const auto tree = ParseTree::parse(text);
  const TreeNode typed = tree ? tree->statements().first().child("stmt").typed() : TreeNode();
  const bool copies = typed.key() == "CopyStmt";
  if (copies) read_copy_options(typed.child("options"), plan.copy);
  if (plan.masked->empty()) return plan;
  const Planner planner(statement, names, *plan.masked, safe_functions);
  if ((plan.refusal = planner.refusal())) return plan;
  if (!typed) {
    if (gives_rows(statement))
      plan.refusal = "the statement is not understood, and the database has masked columns";
    return plan;
  }
  ColumnWalker walker(*plan.masked, [&](TreeNode range) { return planner.relation_of(range); });
  walker.walk_statement(typed);
  plan.names = walker.names();
  if (walker.misuse()) {
    const bool may = std::ranges::all_of(plan.names, [](const auto& entry) {
      return entry.second->expressions == policy::DbMaskExpressions::kMask;
    });
    if (!may || walker.is_final() || !is_plain_select(statement)) {
      plan.refusal = refusal_of(walker);
      return plan;
    }
    plan.expressions = plan.names.begin()->second;
  }
  if (copies) plan_copy(typed, planner, walker, plan);
  return plan;
}

}  // namespace agentsh::sql
