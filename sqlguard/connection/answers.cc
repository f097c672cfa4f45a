#include "sqlguard/connection/answers.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

void append(const ByteWriter& writer, ByteVector& out) {
  const Bytes bytes = writer.view();
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class Message>
void append_frontend(Message message, ByteVector& out) {
  ByteWriter writer;
  write(FrontendMessage{std::move(message)}, writer);
  append(writer, out);
}

template <class Message>
void append_backend(Message message, ByteVector& out) {
  ByteWriter writer;
  write(BackendMessage{std::move(message)}, writer);
  append(writer, out);
}

// The protocol has no way to say NUL in a text.
std::string without_nul(std::string text) {
  std::ranges::replace(text, '\0', ' ');
  return text;
}

}  // namespace

Refusal refusal_of(const StatementDecision& decision, std::string_view raw_verb) {
  Refusal refusal{.sqlstate = "42501"};
  if (decision.rule_name.empty()) {
    refusal.message = fmt::format("the policy does not permit this statement: {}", decision.reason);
    refusal.hint =
        "What no rule of database_rules covers is denied. Use what the policy permits, or ask its "
        "owner for a rule.";
  } else {
    refusal.message = fmt::format("denied by rule {}", decision.rule_name);
    if (!decision.message.empty()) refusal.message += ": " + decision.message;
    refusal.hint =
        "Do not try it again in other words: use what the policy permits, or ask its "
        "owner.";
  }
  refusal.detail = fmt::format("{} has the effect {}.", raw_verb.empty() ? "It" : raw_verb,
                               name_of(decision.group));
  return refusal;
}

void write_error(const Refusal& refusal, Severity severity, ByteVector& out) {
  const std::string_view word = severity == Severity::kFatal ? "FATAL" : "ERROR";
  const std::string message = without_nul(refusal.message), detail = without_nul(refusal.detail),
                    hint = without_nul(refusal.hint);
  Report report{.is_error = true, .fields = {}};
  report.fields = {{'S', word}, {'V', word}, {'C', refusal.sqlstate}, {'M', message}};
  if (!detail.empty()) report.fields.emplace_back('D', detail);
  if (!hint.empty()) report.fields.emplace_back('H', hint);
  append_backend(std::move(report), out);
}

void write_ready(ReadyForQuery::State state, ByteVector& out) {
  append_backend(ReadyForQuery{state}, out);
}
void write_query(std::string_view text, ByteVector& out) {
  append_frontend(Query{text}, out);
}
void write_sync(ByteVector& out) {
  append_frontend(Sync{}, out);
}
void write_flush(ByteVector& out) {
  append_frontend(Flush{}, out);
}
void write_poison(ByteVector& out) {
  append_frontend(Execute{.portal = "refused by the database guard", .rows = 0}, out);
}

ByteVector session_opening(const SessionStart& start, const SessionStart::CancelKey* key) {
  ByteVector out = start.notices;
  for (const auto& [name, value] : start.parameters)
    append_backend(ParameterStatus{name, value}, out);
  if (start.cancel_key && key != nullptr)
    append_backend(BackendKeyData{.process = key->process, .key = key->key}, out);
  write_ready(ReadyForQuery::State::kIdle, out);
  return out;
}

}  // namespace agentsh::sql
