// Any text, in every dialect: the classifier comes back with effects for each statement, or an
// unknown.
#include "sqlguard/classifier/analysis_json.h"
#include "sqlguard/classifier/classify.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh::sql;
  if (size == 0) return 0;
  const auto dialect = static_cast<Dialect>(data[0] % 4);
  const std::string_view sql(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Analysis analysis = classify(sql, dialect);
  for (const Statement& statement : analysis.statements) {
    if (statement.raw_verb.empty()) std::abort();
    bool executes = false;
    for (const SessionChange& change : statement.changes)
      executes = executes || change.kind == SessionChange::Kind::kExecute;
    if (statement.effects.empty() && !executes) std::abort();
    if (std::size_t{statement.begin} + statement.length > sql.size()) std::abort();
  }
  agentsh::JsonWriter json;
  write_json(json, analysis, {});
  json.take();
  return 0;
}
