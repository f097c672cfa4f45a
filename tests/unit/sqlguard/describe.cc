#include "describe.h"

namespace agentsh::sql {

std::string describe(const Object& object) {
  std::string text;
  if (object.kind != ObjectKind::kTable) text.append(name_of(object.kind)).append(":");
  if (!object.schema.empty()) text.append(object.schema).append(".");
  text.append(selectable_name(object));
  if (object.port != 0) text.append(":").append(std::to_string(object.port));
  return text;
}

std::string describe(const Statement& statement) {
  std::string text = statement.raw_verb + ":";
  for (const Effect& effect : statement.effects) {
    text.append(" ").append(name_of(effect.group));
    if (!effect.subtype.empty()) text.append("/").append(effect.subtype);
    if (effect.has_where) text.append("+where");
    for (std::size_t i = 0; i < effect.objects.size(); ++i)
      text.append(i == 0 ? "(" : ", ").append(describe(effect.objects[i]));
    if (!effect.objects.empty()) text.append(")");
  }
  return text;
}

std::string describe(const Analysis& analysis) {
  std::string text;
  for (const Statement& statement : analysis.statements) {
    if (!text.empty()) text.append(" | ");
    text.append(describe(statement));
  }
  return text;
}

}  // namespace agentsh::sql
