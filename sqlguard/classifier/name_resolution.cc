#include "sqlguard/classifier/name_resolution.h"

#include <algorithm>
#include <array>

namespace agentsh::sql {

std::string_view name_of(Resolution resolution) {
  static constexpr std::array<std::string_view, 8> kNames = {"qualified_syntactic",
                                                             "unqualified_syntactic",
                                                             "ambiguous_after_search_path",
                                                             "maybe_temp_shadowed",
                                                             "unresolved",
                                                             "catalog_resolved",
                                                             "catalog_unresolved",
                                                             "catalog_unavailable"};
  return kNames[static_cast<std::size_t>(resolution)];
}

Resolution resolution_of(const Object& object, const NameContext& names) {
  switch (object.lookup) {
    case Lookup::kNone:
      break;
    case Lookup::kResolved:
      return Resolution::kCatalogResolved;
    case Lookup::kUnresolved:
      return Resolution::kCatalogUnresolved;
    case Lookup::kUnavailable:
      return Resolution::kCatalogUnavailable;
  }
  if (!lives_in_schema(object.kind) || !object.schema.empty())
    return Resolution::kQualifiedSyntactic;
  if (names.temporary.contains(object.name)) return Resolution::kMaybeTempShadowed;
  if (names.search_path && names.search_path->size() > 1)
    return Resolution::kAmbiguousAfterSearchPath;
  return Resolution::kUnqualifiedSyntactic;
}

Resolution resolution_of(const Effect& effect, const NameContext& names) {
  if (effect.group == Group::kUnknown) return Resolution::kUnresolved;
  if (effect.objects.empty()) return Resolution::kQualifiedSyntactic;
  // Nothing is surer than the catalogue's word.
  Resolution worst = Resolution::kCatalogResolved;
  for (const Object& object : effect.objects) {
    const Resolution resolution = resolution_of(object, names);
    if (worst == Resolution::kCatalogResolved)
      worst = resolution;
    else if (resolution != Resolution::kCatalogResolved)
      worst = std::max(worst, resolution);
  }
  return worst;
}

std::optional<std::vector<std::string>> possible_schemas(const Object& object,
                                                         const NameContext& names) {
  if (object.kind == ObjectKind::kSchema) return {{object.name}};
  if (!lives_in_schema(object.kind)) return std::vector<std::string>();
  if (!object.schema.empty()) return {{object.schema}};
  if (!names.search_path) return std::nullopt;
  std::vector<std::string> schemas = *names.search_path;
  // Searched first unless the path names them.
  if (names.temporary.contains(object.name)) schemas.emplace_back("pg_temp");
  // Every relation of pg_catalog begins with pg_; its functions and types do not.
  const bool relation = object.kind <= ObjectKind::kIndex;
  if (!relation || object.name.starts_with("pg_")) schemas.emplace_back("pg_catalog");
  return schemas;
}

}  // namespace agentsh::sql
