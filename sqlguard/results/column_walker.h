// How a statement uses masked columns: walks its parse tree with the names of the masked columns of
// all relations in it. Internal to the results.
//
// Names stand for columns: a column of the same name in another relation is taken for the masked
// one unless it is qualified by that relation. A masked column that a sub-query or CTE gives
// another name taints that name, so the walk is repeated until no name is added. Wherever the tree
// holds something that this file does not single out, columns in it are taken for used.
#pragma once

#include "sqlguard/catalog/catalog.h"
#include "sqlguard/classifier/parse_tree.h"
#include "sqlguard/results/masks.h"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

// A relation of the statement, or null for what is none or is not known.
using RelationOf = std::function<const CatalogRelation*(TreeNode range_var)>;

class ColumnWalker {
 public:
  ColumnWalker(const MaskedColumns& masked, RelationOf relation_of);

  // The statement of a RawStmt, typed. Precondition: the classifier took it.
  void walk_statement(TreeNode typed);

  // What is wrong, as the end of a sentence: "is compared or computed with". Nothing when masked
  // columns are plain columns of the result only.
  const std::optional<std::string>& misuse() const { return misuse_; }
  // What cannot be had under any setting: columns renamed by position.
  bool is_final() const { return final_; }
  // Masked columns by name, with the aliases that they have got.
  const std::map<std::string, const ColumnMask*, std::less<>>& names() const { return names_; }

  // The columns of a query in order, for COPY; nothing when they cannot be told.
  std::optional<std::vector<PlannedColumn>> outputs(TreeNode select);

 private:
  enum class Use { kOutput, kValue };
  struct Range {
    const CatalogRelation* relation;  // Null: not known, or a sub-query.
  };

  // First walk: what the FROM clauses name.
  void collect(TreeNode value);
  void collect_range(TreeNode range_var);

  void any(TreeNode value);
  void node(TreeNode typed);
  void fields(TreeNode object, std::initializer_list<std::string_view> without = {});
  void select(TreeNode s, Use use);
  void query(TreeNode value, Use use);
  void with(TreeNode clause);
  void targets(TreeNode list, Use use);
  void positions(TreeNode list, TreeNode target_list, Use use);
  void from(TreeNode value);
  void alias(TreeNode value);
  void column(TreeNode reference, Use use, std::string_view result_name);
  void data_change(TreeNode s);
  void misused(std::string_view how, bool final = false);

  const ColumnMask* mask_named(std::string_view qualifier, std::string_view name) const;
  const ColumnMask* mask_of_output(TreeNode target) const;

  const MaskedColumns& masked_;
  RelationOf relation_of_;
  std::map<std::string, const ColumnMask*, std::less<>> names_;
  std::multimap<std::string, Range, std::less<>> ranges_;  // By alias or name.
  std::set<std::string, std::less<>> rows_;                // Names that may stand for a whole row.
  std::set<std::string, std::less<>> known_;               // Names of columns of any kind.
  std::optional<std::string> misuse_;
  bool final_ = false;
  bool grown_ = false;
};

}  // namespace agentsh::sql
