#include "proxy/gateway/ledger_row.h"

#include <cmath>

namespace agentsh::gateway {
namespace {

// SQLite's integers are signed; a count beyond them is a lie anyway.
std::int64_t number(std::uint64_t count) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(count, INT64_MAX / 4));
}

std::int64_t nanoseconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

}  // namespace

LedgerRow to_row(const llm::Record& record) {
  LedgerRow row;
  row.id = record.id;
  row.started = nanoseconds(record.started);
  row.duration = record.duration.count();
  row.session = record.session_id;
  row.key = record.key_id;
  row.dialect = to_string(record.dialect);
  row.provider = record.provider;
  row.model_asked = record.model_asked;
  row.model_answered = record.model_answered;
  row.status = record.status;
  row.ending = to_string(record.ending);
  row.usage_known = record.usage.known;
  row.input = number(record.usage.input);
  row.cache_read = number(record.usage.cache_read);
  row.cache_write = number(record.usage.cache_write);
  row.output = number(record.usage.output);
  row.reasoning = number(record.usage.reasoning);
  row.priced = record.cost.nano_dollars.has_value();
  row.nano_dollars = number(record.cost.nano_dollars.value_or(0));
  row.redactions = number(record.replaced);
  return row;
}

std::optional<LedgerRow> to_row(JsonValue event) {
  const JsonValue fields = event.member("fields");
  LedgerRow row;
  row.id = fields.text("request_id");
  const auto started = parse_rfc3339(event.text("timestamp"));
  if (event.text("type") != "llm_request" || row.id.empty() || !started) return {};
  row.started = nanoseconds(*started);
  row.duration = std::llround(fields.member("duration_ms").as_number() * 1e6);
  row.session = event.text("session_id");
  row.key = fields.text("llm.key_id");
  row.dialect = fields.text("llm.dialect");
  row.provider = fields.text("gen_ai.provider.name");
  row.model_asked = fields.text("gen_ai.request.model");
  row.model_answered = fields.text("gen_ai.response.model");
  row.status = fields.integer("http.response.status_code");
  row.ending = fields.text("llm.ending");
  row.usage_known = fields.flag("llm.usage_known");
  row.input = fields.integer("gen_ai.usage.input_tokens");
  row.cache_read = fields.integer("gen_ai.usage.cache_read.input_tokens");
  row.cache_write = fields.integer("gen_ai.usage.cache_creation.input_tokens");
  row.output = fields.integer("gen_ai.usage.output_tokens");
  row.reasoning = fields.integer("llm.usage.reasoning_tokens");
  row.priced = fields.flag("llm.priced");
  row.nano_dollars = fields.integer("llm.cost_nano_usd");
  row.redactions = fields.integer("dlp.replaced");
  return row;
}

}  // namespace agentsh::gateway
