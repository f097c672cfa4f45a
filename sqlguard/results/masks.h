// database_masks of a policy, for one service: which columns of which relations, found in the
// catalogue; and what a statement that reads some of them may do.
//
// A masked column may be a plain column of a result, under any alias, through sub-queries and CTEs:
// the server says in its RowDescription which column of which relation it is, and the value is
// masked. Read in any other way (upper(ssn), ssn || '', row_to_json(t), t::text, WHERE ssn = ...,
// ORDER BY, DISTINCT, UNION, INSERT ... SELECT) the statement is refused. With `expressions: mask`
// a SELECT may, and all its columns that are not plainly another column are masked.
//
// Views over relations with masked columns: a view's column that is plainly another column has that
// one's mask or none, and what the view computes is masked. Children of a relation in inheritance
// and partitions have its masks.
//
// Refused as well, while a service has masked columns: changes to a relation that has some, COPY of
// a query with columns that cannot be told, calls of functions in SQL or a procedural language that
// policies.db.safe_function_allowlist does not name, functions that run SQL text, DO, the
// statistics of columns (pg_stats). Not covered: what a rewrite rule, trigger or generated column
// made of a value before, and conclusions from errors and timing.
//
// Without a catalogue nothing can be told: everything that returns rows is refused.
#pragma once

#include "dlp/profile.h"
#include "dlp/scanner.h"
#include "policies/model_database.h"
#include "sqlguard/catalog/catalog.h"
#include "sqlguard/classifier/effect.h"
#include "sqlguard/classifier/name_resolution.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace agentsh::sql {

// The masks that are for `service`.
std::vector<policy::DatabaseMask> masks_for(const policy::DatabasePolicy& policy,
                                            std::string_view service);
// What the masks' detectors do to results; null when no mask has any. Fails on a detector that the
// scanner does not have.
Result<std::shared_ptr<const dlp::Profile>> profile_of_masks(
    std::span<const policy::DatabaseMask> masks, std::shared_ptr<const dlp::Scanner> scanner);

// How one column is masked.
struct ColumnMask {
  std::string name;  // The mask's.
  policy::DbMaskWith with = policy::DbMaskWith::kRedact;
  policy::DbMaskExpressions expressions = policy::DbMaskExpressions::kDeny;
};

// The masked columns of a database: masks and one snapshot. Immutable.
class MaskedColumns {
 public:
  MaskedColumns(std::span<const policy::DatabaseMask> masks,
                std::shared_ptr<const Catalog> catalog);

  // Are there masks of columns at all? Then a relation that the snapshot does not know may have
  // some.
  bool has_masks() const { return !masks_.empty(); }
  // Is no column of the snapshot masked?
  bool empty() const { return by_column_.empty(); }
  const std::shared_ptr<const Catalog>& catalog() const { return catalog_; }
  // Null when the column is not masked. Relations that the snapshot does not know, and that the
  // server therefore made later, are the caller's to mask: see knows().
  const ColumnMask* of(std::uint32_t relation, std::uint16_t column) const;
  bool knows(std::uint32_t relation) const { return catalog_->relation(relation) != nullptr; }
  bool has_masked(std::uint32_t relation) const { return relations_.contains(relation); }

 private:
  bool add(std::uint32_t relation, std::uint16_t column, std::uint32_t mask);
  std::optional<std::uint32_t> index_of(std::uint32_t relation, std::uint16_t column) const;
  bool share(const CatalogRelation& from, const CatalogRelation& to);
  bool mask_view(const CatalogRelation& view);

  std::vector<ColumnMask> masks_;
  std::shared_ptr<const Catalog> catalog_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_column_;  // relation << 16 | column: a mask.
  std::unordered_set<std::uint32_t> relations_;                 // That have some.
};

// How COPY writes rows.
struct CopyFormat {
  enum class Kind : std::uint8_t { kText, kCsv, kBinary } kind = Kind::kText;
  char delimiter = '\t';
  char quote = '"';
  char escape = '"';
  std::string null = "\\N";
  bool header = false;
};

// What is done to one column of a result whatever its value.
struct PlannedColumn {
  const ColumnMask* mask = nullptr;  // Null: none.
  std::uint32_t type = 0;            // For COPY; 0 when it is not known.
};

// What the masks say about one statement. Keeps what it points to alive.
struct MaskPlan {
  std::shared_ptr<const MaskedColumns> masked;  // Null: no column is masked.
  std::optional<std::string> refusal = {};      // A sentence: the statement is not to run.
  // Columns without an origin that are masked: those of these names (aliases of masked columns), or
  // all of them.
  std::map<std::string, const ColumnMask*, std::less<>> names = {};
  const ColumnMask* expressions = nullptr;
  // COPY ... TO STDOUT.
  CopyFormat copy = {};
  std::vector<PlannedColumn> copy_columns = {};  // Empty: nothing is masked in it.
};

// `sql` is the text that the statement is a part of; `statement` is resolved (resolution.h).
// `masked` is null when masks exist and the catalogue could not be had. Any thread.
MaskPlan plan_masks(std::string_view sql, const Statement& statement, const NameContext& names,
                    std::shared_ptr<const MaskedColumns> masked,
                    std::span<const std::string> safe_functions);

}  // namespace agentsh::sql
