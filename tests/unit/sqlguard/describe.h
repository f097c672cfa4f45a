// An analysis in one line, for tables of cases:
//
//   VERB: group/subtype+where(kind:schema.name, table) group | VERB: ...
//
// Effects in their order, the primary one first; "table:" is left out. A path, program or endpoint
// stands for its object's name.
#pragma once

#include "sqlguard/classifier/classify.h"

#include <string>

namespace agentsh::sql {

std::string describe(const Object& object);
std::string describe(const Statement& statement);
std::string describe(const Analysis& analysis);

}  // namespace agentsh::sql
