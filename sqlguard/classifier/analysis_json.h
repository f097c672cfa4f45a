// What `agentsh db classify --json` prints, and how events show effects.
#pragma once

#include "base/json_writer.h"
#include "sqlguard/classifier/classify.h"
#include "sqlguard/classifier/name_resolution.h"

namespace agentsh::sql {

void write_json(JsonWriter& json, const Object& object);
// {group, subtype?, objects[], resolution}.
void write_json(JsonWriter& json, const Effect& effect, const NameContext& names);
// {dialect, statements[{raw_verb, parser_backend, primary_group, effects[], error?}]}.
void write_json(JsonWriter& json, const Analysis& analysis, const NameContext& names);

}  // namespace agentsh::sql
