#include "sqlguard/catalog/catalog.h"

#include <algorithm>
#include <set>
#include <utility>

namespace agentsh::sql {
namespace {

std::string key_of(std::string_view schema, std::string_view name) {
  std::string key(schema);
  key += '\0';
  key += name;
  return key;
}

}  // namespace

const CatalogColumn* CatalogRelation::column(std::uint16_t number) const {
  const auto found = std::ranges::lower_bound(columns, number, {}, &CatalogColumn::number);
  return found != columns.end() && found->number == number ? &*found : nullptr;
}

const CatalogColumn* CatalogRelation::column(std::string_view wanted) const {
  const auto found = std::ranges::find(columns, wanted, &CatalogColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

Catalog::Catalog(std::vector<CatalogRelation> relations, std::vector<CatalogFunction> functions)
    : relations_(std::move(relations)), functions_(std::move(functions)) {
  for (std::size_t i = 0; i < relations_.size(); ++i) {
    std::ranges::sort(relations_[i].columns, {}, &CatalogColumn::number);
    by_oid_.emplace(relations_[i].oid, i);
    by_name_.emplace(key_of(relations_[i].schema, relations_[i].name), i);
  }
  for (std::size_t i = 0; i < functions_.size(); ++i)
    functions_by_name_.emplace(key_of(functions_[i].schema, functions_[i].name), i);
}

const CatalogRelation* Catalog::relation(std::uint32_t oid) const {
  const auto found = by_oid_.find(oid);
  return found == by_oid_.end() ? nullptr : &relations_[found->second];
}

const CatalogRelation* Catalog::relation(std::string_view schema, std::string_view name) const {
  const auto found = by_name_.find(key_of(schema, name));
  return found == by_name_.end() ? nullptr : &relations_[found->second];
}

std::vector<const CatalogFunction*> Catalog::functions(std::string_view schema,
                                                       std::string_view name) const {
  std::vector<const CatalogFunction*> found;
  const auto [begin, end] = functions_by_name_.equal_range(key_of(schema, name));
  for (auto it = begin; it != end; ++it) found.push_back(&functions_[it->second]);
  return found;
}

std::vector<const CatalogRelation*> Catalog::behind(const CatalogRelation& view) const {
  std::set<std::uint32_t> seen = {view.oid};
  std::vector<const CatalogRelation*> found;
  std::vector<const CatalogRelation*> open = {&view};
  while (!open.empty()) {
    const CatalogRelation* next = open.back();
    open.pop_back();
    for (const CatalogRelation::Source& source : next->sources) {
      if (!seen.insert(source.relation).second) continue;
      const CatalogRelation* known = relation(source.relation);
      if (known == nullptr) continue;
      found.push_back(known);
      open.push_back(known);
    }
  }
  return found;
}

}  // namespace agentsh::sql
