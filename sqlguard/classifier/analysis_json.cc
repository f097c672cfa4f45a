#include "sqlguard/classifier/analysis_json.h"

namespace agentsh::sql {

void write_json(JsonWriter& json, const Object& object) {
  json.begin_object().field("kind", name_of(object.kind));
  json.optional_field("schema", object.schema).optional_field("name", object.name);
  json.optional_field("host", object.host);
  if (object.port != 0) json.field("port", object.port);
  json.optional_field("path", object.path).optional_field("argv0", object.argv0).end_object();
}

void write_json(JsonWriter& json, const Effect& effect, const NameContext& names) {
  json.begin_object().field("group", name_of(effect.group));
  json.optional_field("subtype", effect.subtype).key("objects").begin_array();
  for (const Object& object : effect.objects) write_json(json, object);
  json.end_array().field("resolution", name_of(resolution_of(effect, names))).end_object();
}

void write_json(JsonWriter& json, const Analysis& analysis, const NameContext& names) {
  json.begin_object().field("dialect", name_of(analysis.dialect)).key("statements").begin_array();
  for (const Statement& statement : analysis.statements) {
    json.begin_object().field("raw_verb", statement.raw_verb);
    json.field("parser_backend", statement.parser);
    json.field("primary_group", name_of(statement.primary_group())).key("effects").begin_array();
    for (const Effect& effect : statement.effects) write_json(json, effect, names);
    json.end_array().optional_field("error", statement.error).end_object();
  }
  json.end_array().end_object();
}

}  // namespace agentsh::sql
