#include "sqlguard/classifier/effect.h"

#include <algorithm>
#include <array>

namespace agentsh::sql {
namespace {

struct GroupFacts {
  std::string_view name;
  int precedence;
};

// Indexed by group. Critical 0-4, high 5-9, medium 10-13, low 14-17.
constexpr std::array<GroupFacts, kGroups + 1> kGroupFacts = {{
    {"", 18},
    {"read", 14},
    {"write", 11},
    {"modify", 10},
    {"delete", 5},
    {"bulk_load", 8},
    {"bulk_export", 3},
    {"schema_create", 6},
    {"schema_alter", 7},
    {"schema_destroy", 2},
    {"privilege", 4},
    {"transaction", 15},
    {"session", 16},
    {"maintenance", 12},
    {"lock", 13},
    {"notify", 17},
    {"procedural", 9},
    {"unsafe_io", 1},
    {"unknown", 0},
}};

struct KindFacts {
  std::string_view name;
  bool in_schema;
};

// Indexed by kind.
constexpr std::array kKindFacts = std::to_array<KindFacts>({
    {"table", true},
    {"view", true},
    {"materialized_view", true},
    {"foreign_table", true},
    {"sequence", true},
    {"index", true},
    {"function", true},
    {"type", true},
    {"schema", false},
    {"database", false},
    {"role", false},
    {"guc", false},
    {"external_endpoint", false},
    {"filesystem_path", false},
    {"program", false},
    {"subscription", false},
    {"publication", false},
    {"server", false},
    {"user_mapping", false},
    {"tablespace", false},
    {"extension", false},
    {"foreign_data_wrapper", false},
    {"language", false},
    {"trigger", false},
    {"rule", false},
    {"policy", false},
    {"event_trigger", false},
    {"operator", true},
    {"collation", true},
    {"conversion", true},
    {"statistics", true},
    {"text_search", true},
    {"cast", false},
    {"transform", false},
    {"access_method", false},
    {"large_object", false},
});
static_assert(kKindFacts.size() == static_cast<std::size_t>(ObjectKind::kLargeObject) + 1);

}  // namespace

std::string_view name_of(Group group) {
  return kGroupFacts[static_cast<std::size_t>(group)].name;
}

int precedence_of(Group group) {
  return kGroupFacts[static_cast<std::size_t>(group)].precedence;
}

void order_by_precedence(std::vector<Effect>& effects) {
  const auto rank = [](const Effect& effect) { return precedence_of(effect.group); };
  for (auto at = effects.begin(); at != effects.end(); ++at) {
    const auto place = std::ranges::upper_bound(effects.begin(), at, rank(*at), {}, rank);
    std::rotate(place, at, at + 1);
  }
}

std::string_view name_of(ObjectKind kind) {
  return kKindFacts[static_cast<std::size_t>(kind)].name;
}

bool lives_in_schema(ObjectKind kind) {
  return kKindFacts[static_cast<std::size_t>(kind)].in_schema;
}

std::string_view selectable_name(const Object& object) {
  switch (object.kind) {
    case ObjectKind::kExternalEndpoint:
      return object.host;
    case ObjectKind::kFilesystemPath:
      return object.path;
    case ObjectKind::kProgram:
      return object.argv0;
    default:
      return object.name;
  }
}

}  // namespace agentsh::sql
