#include "proxy/llm/record.h"

#include "base/json_writer.h"
#include "dlp/scanner.h"

#include <fmt/format.h>

namespace agentsh::llm {
namespace {

constexpr std::size_t kMaxFindings = 128;

double milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

// gen_ai.operation.name.
std::string_view operation(Dialect dialect) {
  switch (dialect) {
    case Dialect::kEmbeddings:
      return "embeddings";
    case Dialect::kCompletions:
      return "text_completion";
    case Dialect::kGenerateContent:
    case Dialect::kStreamGenerateContent:
      return "generate_content";
    default:
      return "chat";
  }
}

std::int64_t number(std::uint64_t count) {
  return static_cast<std::int64_t>(count);
}

void add_usage(const Record& record, audit::Event& event) {
  const TokenUsage& usage = record.usage;
  event.field("llm.usage_known", usage.known);
  if (!usage.known) return;
  event.field("gen_ai.usage.input_tokens", number(usage.input));
  event.field("gen_ai.usage.output_tokens", number(usage.output));
  const auto optional = [&event](const char* name, std::uint64_t count) {
    if (count > 0) event.field(name, number(count));
  };
  optional("gen_ai.usage.cache_read.input_tokens", usage.cache_read);
  optional("gen_ai.usage.cache_creation.input_tokens", usage.cache_write);
  optional("llm.usage.cache_write_hour_tokens", usage.cache_write_hour);
  optional("llm.usage.reasoning_tokens", usage.reasoning);
  optional("llm.usage.audio_input_tokens", usage.audio_input);
  optional("llm.usage.audio_output_tokens", usage.audio_output);
  optional("llm.usage.searches", usage.searches);
}

void add_cost(const Record& record, audit::Event& event) {
  event.field("llm.priced", record.cost.nano_dollars.has_value());
  if (record.cost.nano_dollars) {
    event.field("llm.cost_nano_usd", number(*record.cost.nano_dollars));
    event.field("llm.cost_usd", format_dollars(*record.cost.nano_dollars));
  }
  if (!record.cost.note.empty()) event.field("llm.cost_note", record.cost.note);
}

void add_findings_to(const Record& record, audit::Event& event) {
  if (record.findings.empty()) return;
  std::vector<std::string> lines;
  for (const DlpFinding& finding : record.findings) {
    lines.push_back(fmt::format("{} {} x{} {}{}", finding.action, finding.detector, finding.count,
                                finding.in_answer ? "answer:" : "", finding.field));
  }
  event.field("dlp.findings", std::move(lines));
  event.field("dlp.replaced", number(record.replaced));
}

void write_dlp(const Record& record, JsonWriter& json) {
  json.key("dlp").begin_object().key("redactions").begin_array();
  for (const DlpFinding& finding : record.findings) {
    json.begin_object().field("field", finding.field).field("type", finding.detector);
    json.field("action", finding.action).field("count", finding.count);
    if (finding.in_answer) json.field("in", "response");
    json.end_object();
  }
  json.end_array().end_object();
}

void write_usage(const Record& record, JsonWriter& json) {
  const TokenUsage& usage = record.usage;
  json.key("usage").begin_object().field("known", usage.known);
  json.field("input_tokens", usage.input).field("output_tokens", usage.output);
  json.field("cache_read_tokens", usage.cache_read).field("cache_write_tokens", usage.cache_write);
  json.field("reasoning_tokens", usage.reasoning).end_object();
  if (record.cost.nano_dollars) json.field("cost_nano_usd", *record.cost.nano_dollars);
  json.optional_field("cost_note", record.cost.note);
}

std::string hash_text(const std::string& hex) {
  return hex.empty() ? hex : "sha256:" + hex;
}

}  // namespace

std::string_view to_string(Ending ending) {
  switch (ending) {
    case Ending::kComplete:
      return "complete";
    case Ending::kRefused:
      return "refused";
    case Ending::kInterrupted:
      break;
  }
  return "interrupted";
}

void Record::add_findings(const dlp::Redactor& redactor, const dlp::Profile& profile,
                          bool in_answer) {
  replaced += redactor.replaced();
  for (const dlp::Finding& finding : redactor.findings().entries()) {
    if (findings.size() >= kMaxFindings) return;
    findings.push_back({.detector = profile.scanner()->detectors()[finding.detector].id,
                        .action = std::string(dlp::to_string(profile.mode_of(finding.detector))),
                        .field = finding.field,
                        .count = finding.count,
                        .confidence = finding.confidence,
                        .in_answer = in_answer});
  }
}

audit::Event to_event(const Record& record) {
  audit::Event event("llm_request");
  event.timestamp = record.started;
  event.session_id = record.session_id;
  event.command_id = record.command_id;
  event.source = "proxy";
  event.domain = record.host;
  event.path = record.path;
  event.operation = record.method;
  event.field("request_id", record.id);
  event.field("gen_ai.operation.name", std::string(operation(record.dialect)));
  event.field("gen_ai.provider.name", record.provider);
  const auto text = [&event](const char* name, const std::string& value) {
    if (!value.empty()) event.field(name, value);
  };
  text("gen_ai.request.model", record.model_asked);
  text("gen_ai.response.model", record.model_answered);
  text("gen_ai.response.id", record.response_id);
  if (!record.finish_reason.empty()) {
    event.field("gen_ai.response.finish_reasons", std::vector<std::string>{record.finish_reason});
  }
  text("error.type", record.error_type);
  event.field("llm.dialect", std::string(to_string(record.dialect)));
  text("llm.service_tier", record.service_tier);
  text("llm.key_id", record.key_id);
  event.field("llm.stream", record.streamed);
  event.field("llm.ending", std::string(to_string(record.ending)));
  text("llm.refusal", record.refusal);
  event.field("http.response.status_code", std::int64_t{record.status});
  event.field("duration_ms", milliseconds(record.duration));
  if (record.first_byte) event.field("llm.first_byte_ms", milliseconds(*record.first_byte));
  if (!record.tools.empty()) event.field("llm.tools_called", record.tools);
  add_usage(record, event);
  add_cost(record, event);
  add_findings_to(record, event);
  event.field("request_bytes", number(record.request_bytes));
  event.field("response_bytes", number(record.answer_bytes));
  return event;
}

std::string request_line(const Record& record) {
  JsonWriter json;
  json.begin_object().field("id", record.id).field("session_id", record.session_id);
  json.field("timestamp", format_rfc3339(record.started));
  json.field("dialect", to_string(record.dialect)).field("service_kind", "llm");
  json.field("service_name", record.provider).field("model", record.model_asked);
  json.key("request").begin_object().field("method", record.method).field("path", record.path);
  json.field("body_size", record.request_bytes);
  json.optional_field("body_hash", hash_text(record.request_sha256)).end_object();
  write_dlp(record, json);
  json.end_object();
  return json.take();
}

std::string response_line(const Record& record) {
  JsonWriter json;
  json.begin_object().field("request_id", record.id).field("session_id", record.session_id);
  json.field("timestamp",
             format_rfc3339(record.started +
                            std::chrono::duration_cast<WallTime::duration>(record.duration)));
  json.field("duration_ms", milliseconds(record.duration));
  json.key("response").begin_object().field("status", record.status);
  json.field("body_size", record.answer_bytes);
  json.optional_field("body_hash", hash_text(record.answer_sha256)).end_object();
  json.field("ending", to_string(record.ending)).field("stream", record.streamed);
  json.optional_field("model", record.model_answered);
  json.optional_field("finish_reason", record.finish_reason);
  write_usage(record, json);
  json.end_object();
  return json.take();
}

}  // namespace agentsh::llm
