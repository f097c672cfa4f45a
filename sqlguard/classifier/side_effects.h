// Functions that do more than compute: the built-in ones of PostgreSQL 15 to 18, those of its
// contrib modules and of extensions that managed services offer, with what a call of them does.
#pragma once

#include "sqlguard/classifier/effect.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace agentsh::sql {

// What a call's arguments tell, when they are constants.
enum class CallArgument : std::uint8_t {
  kNothing,
  kSqlText,   // The first is SQL that the function runs.
  kSqlText2,  // The second is.
  kRelation,  // The first names a relation that is read.
  kSequence,  // The first names the sequence.
  kPath,      // The first is a path on the server.
  kPath2,     // The second is.
  kEndpoint,  // The first is a connection string or the name of a connection.
  kSetting,   // set_config(name, value, is_local).
};

struct SideEffect {
  std::string_view function;  // A trailing "*" stands for any rest of the name.
  Group group;
  std::string_view subtype;
  CallArgument argument = CallArgument::kNothing;
};

// Sorted by function.
std::span<const SideEffect> side_effects();
// Null when calls of functions with this name have none that we know of. The schema plays no part:
// a function of the same name elsewhere is taken for it.
const SideEffect* side_effect_of(std::string_view function);

// Is the name one of a built-in function that only computes or looks at the catalogue and the
// session? Such a call is not escalated by policies.db.escalate_unknown_functions.
bool is_harmless_builtin(std::string_view function);

}  // namespace agentsh::sql
