// How sure one can be, in a session, of the object that a written name means.
#pragma once

#include "sqlguard/classifier/effect.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

enum class Resolution : std::uint8_t {
  kQualifiedSyntactic,        // The schema is written, or objects of the kind have none.
  kUnqualifiedSyntactic,      // No schema, and nothing is known of the session's search path.
  kAmbiguousAfterSearchPath,  // No schema, and several are searched.
  kMaybeTempShadowed,         // No schema, and the session has a temporary relation of the name.
  kUnresolved,                // Nothing is named.
  kCatalogResolved,           // Looked up in the server's catalogue.
  kCatalogUnresolved,
  kCatalogUnavailable,
};
std::string_view name_of(Resolution resolution);

// What is known of a session's names.
struct NameContext {
  // Nothing: unknown.
  std::optional<std::vector<std::string>> search_path = {};
  std::set<std::string, std::less<>> temporary = {};  // Relations of pg_temp.
};

Resolution resolution_of(const Object& object, const NameContext& names);
// The least certain of its objects; kUnresolved for an unknown effect. An effect without objects
// needs no name: kQualifiedSyntactic.
Resolution resolution_of(const Effect& effect, const NameContext& names);

// The schemas that an object may be in: the one written, or those of the search path, with pg_temp
// and pg_catalog where they are searched; nothing when that is unknown. Objects that live in no
// schema have none: an empty list. A schema names itself.
std::optional<std::vector<std::string>> possible_schemas(const Object& object,
                                                         const NameContext& names);

}  // namespace agentsh::sql
