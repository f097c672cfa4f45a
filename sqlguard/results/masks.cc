#include "sqlguard/results/masks.h"

#include "policies/glob_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace agentsh::sql {
namespace {

using policy::DatabaseMask;
using policy::DbMaskWith;

std::uint64_t key_of(std::uint32_t relation, std::uint16_t column) {
  return static_cast<std::uint64_t>(relation) << 16 | column;
}

// The globs of all masks, by how many parts of a name they are about.
class ColumnGlobs {
 public:
  ColumnGlobs(std::span<const DatabaseMask> masks) : masks_(masks.size()) {
    std::array<std::vector<policy::GlobIndex::Entry>, 3> entries;
    for (std::uint32_t i = 0; i < masks.size(); ++i) {
      for (const policy::LocatedText& written : masks[i].columns) {
        // The loader has parsed each before, and counted its dots.
        auto glob = policy::Glob::parse(written.text, policy::kNoSeparator);
        const auto dots = static_cast<std::size_t>(std::ranges::count(written.text, '.'));
        if (glob) entries.at(dots).push_back({std::move(*glob), i});
      }
    }
    for (std::size_t dots = 0; dots < entries.size(); ++dots) {
      used_[dots] = !entries[dots].empty();
      if (used_[dots])
        by_dots_[dots] =
            policy::GlobIndex(std::move(entries[dots]), static_cast<std::uint32_t>(masks_));
    }
  }

  // The first mask that is about the column.
  std::optional<std::uint32_t> match(const CatalogRelation& relation,
                                     const CatalogColumn& column) const {
    const std::array<std::string, 3> names = {
        column.name, fmt::format("{}.{}", relation.name, column.name),
        fmt::format("{}.{}.{}", relation.schema, relation.name, column.name)};
    std::optional<std::uint32_t> first;
    for (std::size_t dots = 0; dots < names.size(); ++dots) {
      if (!used_[dots]) continue;
      const policy::GlobIndex::Match match = by_dots_[dots].match(names[dots]);
      policy::Selector selector;
      match.add_to(selector);
      for (std::uint32_t i = 0; i < first.value_or(static_cast<std::uint32_t>(masks_)); ++i) {
        if (selector.contains(i)) first = i;
      }
    }
    return first;
  }

 private:
  std::size_t masks_;
  std::array<policy::GlobIndex, 3> by_dots_;
  std::array<bool, 3> used_{};
};

dlp::Mode mode_of(DbMaskWith with) {
  return with == DbMaskWith::kTokenize ? dlp::Mode::kTokenize : dlp::Mode::kRedact;
}

}  // namespace

std::vector<DatabaseMask> masks_for(const policy::DatabasePolicy& policy,
                                    std::string_view service) {
  std::vector<DatabaseMask> masks;
  std::ranges::copy_if(policy.masks, std::back_inserter(masks), [&](const DatabaseMask& mask) {
    return mask.db_service.empty() || mask.db_service == service;
  });
  return masks;
}

Result<std::shared_ptr<const dlp::Profile>> profile_of_masks(
    std::span<const DatabaseMask> masks, std::shared_ptr<const dlp::Scanner> scanner) {
  dlp::ProfileSettings settings{.mode = dlp::Mode::kDisabled};
  for (const DatabaseMask& mask : masks) {
    for (const policy::LocatedText& detector : mask.detectors) {
      if (detector.text == "*")
        settings.mode = mode_of(mask.with);
      else
        settings.detectors.emplace(detector.text, mode_of(mask.with));
    }
  }
  if (settings.mode == dlp::Mode::kDisabled && settings.detectors.empty()) return nullptr;
  return dlp::Profile::make(std::move(scanner), settings);
}

MaskedColumns::MaskedColumns(std::span<const DatabaseMask> masks,
                             std::shared_ptr<const Catalog> catalog)
    : catalog_(std::move(catalog)) {
  std::vector<DatabaseMask> of_columns;
  for (const DatabaseMask& mask : masks) {
    if (mask.columns.empty()) continue;
    masks_.push_back({mask.name, mask.with, mask.expressions});
    of_columns.push_back(mask);
  }
  const ColumnGlobs globs(of_columns);
  for (const CatalogRelation& relation : catalog_->relations()) {
    for (const CatalogColumn& column : relation.columns) {
      if (const auto mask = globs.match(relation, column)) add(relation.oid, column.number, *mask);
    }
  }
  bool grown = !by_column_.empty();
  while (grown) {
    grown = false;
    for (const CatalogRelation& relation : catalog_->relations()) {
      if (relation.is_view()) grown = mask_view(relation) || grown;
      for (const std::uint32_t parent : relation.parents) {
        if (const CatalogRelation* known = catalog_->relation(parent))
          grown = share(relation, *known) || share(*known, relation) || grown;
      }
    }
  }
}

bool MaskedColumns::add(std::uint32_t relation, std::uint16_t column, std::uint32_t mask) {
  relations_.insert(relation);
  return by_column_.emplace(key_of(relation, column), mask).second;
}

std::optional<std::uint32_t> MaskedColumns::index_of(std::uint32_t relation,
                                                     std::uint16_t column) const {
  const auto found = by_column_.find(key_of(relation, column));
  if (found == by_column_.end()) return std::nullopt;
  return found->second;
}

// Rows of a child show in its parent, and those that the parent's mask is about are in its
// children.
bool MaskedColumns::share(const CatalogRelation& from, const CatalogRelation& to) {
  bool grown = false;
  for (const CatalogColumn& column : from.columns) {
    const auto mask = index_of(from.oid, column.number);
    const CatalogColumn* same = mask ? to.column(column.name) : nullptr;
    if (same != nullptr) grown = add(to.oid, same->number, *mask) || grown;
  }
  return grown;
}

// What a view computes may come of any masked column that stands behind it; its own columns that
// are plainly a column have that one's mask or none.
bool MaskedColumns::mask_view(const CatalogRelation& view) {
  std::optional<std::uint32_t> any;
  for (const CatalogRelation::Source& source : view.sources) {
    if (!has_masked(source.relation)) continue;
    const CatalogRelation* known = catalog_->relation(source.relation);
    for (const CatalogColumn& column : known->columns) {
      if (!any) any = index_of(known->oid, column.number);
    }
  }
  if (!any) return false;
  bool grown = false;
  for (const CatalogColumn& column : view.columns) {
    std::optional<std::uint32_t> mask = any;
    if (column.number <= view.origins.size()) {
      const CatalogRelation::Source& origin = view.origins[column.number - 1u];
      if (origin.relation != 0) mask = index_of(origin.relation, origin.column);
    }
    if (mask) grown = add(view.oid, column.number, *mask) || grown;
  }
  return grown;
}

const ColumnMask* MaskedColumns::of(std::uint32_t relation, std::uint16_t column) const {
  const auto index = index_of(relation, column);
  return index ? &masks_[*index] : nullptr;
}

}  // namespace agentsh::sql
