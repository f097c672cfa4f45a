#include "proxy/postgres/statement_event.h"

#include "base/encoding.h"
#include "proxy/flows/flow_events.h"
#include "sqlguard/connection/redacted_text.h"

#include <fmt/format.h>

namespace agentsh::pg {
namespace {

using policy::DbTextLogging;

std::string_view mode_name(DbTextLogging logging) {
  switch (logging) {
    case DbTextLogging::kNone:
      return "none";
    case DbTextLogging::kRedacted:
      return "parameters_redacted";
    case DbTextLogging::kFull:
      return "full";
  }
  return "none";
}

std::string text_for(DbTextLogging logging, const sql::Judged& judged) {
  switch (logging) {
    case DbTextLogging::kNone:
      return {};
    case DbTextLogging::kRedacted:
      return judged.redacted;
    case DbTextLogging::kFull:
      return judged.text;
  }
  return {};
}

// "read table public.users", for each object of each effect.
std::vector<std::string> effect_texts(const std::vector<sql::Effect>& effects) {
  std::vector<std::string> texts;
  for (const sql::Effect& effect : effects) {
    std::string what(name_of(effect.group));
    if (!effect.subtype.empty()) what.append(" ").append(effect.subtype);
    if (effect.objects.empty()) texts.push_back(what);
    for (const sql::Object& object : effect.objects)
      texts.push_back(fmt::format("{} {} {}{}{}", what, name_of(object.kind), object.schema,
                                  object.schema.empty() ? "" : ".", selectable_name(object)));
  }
  return texts;
}

bool has_filter(const std::vector<sql::Effect>& effects) {
  for (const sql::Effect& effect : effects) {
    if (effect.has_where) return true;
  }
  return false;
}

std::string_view name_of(sql::DenyAction action) {
  switch (action) {
    case sql::DenyAction::kNone:
      return "none";
    case sql::DenyAction::kRollback:
      return "rollback_injected";
    case sql::DenyAction::kTerminate:
      return "connection_terminated";
  }
  return "none";
}

void add_statement(audit::Event& event, const policy::DbOptions& options,
                   const sql::StatementRecord& record) {
  const sql::Judged& judged = *record.judged;
  const sql::Statement& statement = judged.analysis->statements.at(record.index);
  const sql::StatementDecision& decision = judged.decisions.at(record.index);
  const auto& effects = decision.effects.empty() ? statement.effects : decision.effects;
  const sql::Group group = effects.empty() ? sql::Group::kUnknown : effects[0].group;
  event.operation = name_of(group);
  event.field("operation_group", std::string(name_of(group)))
      .field("operation_group_id", static_cast<std::int64_t>(group))
      .field("operation_subtype", std::string(effects.empty() ? "" : effects[0].subtype))
      .field("raw_verb", statement.raw_verb)
      .field("effects", effect_texts(effects))
      .field("statement_digest", judged.digest)
      .field("parser_backend", std::string(statement.parser));
  if (const std::string text = text_for(options.log_statements, judged); !text.empty())
    event.field("statement_text", is_utf8(text) ? text : printable(text));
  event.field("statement_redaction", std::string(mode_name(options.log_statements)))
      .field("protocol", std::string(record.protocol));
  if (judged.analysis->statements.size() > 1)
    event.field("statement_index", static_cast<std::int64_t>(record.index));
  if (!statement.error.empty()) event.field("parse_error", statement.error);
  if (has_filter(effects)) event.field("has_filter", true);
  if (!record.rewritten.empty()) {
    event.field("redirected", true)
        .field("redirect_source_relation", decision.redirect_source)
        .field("redirect_target_relation", decision.redirect_target)
        .field("rewritten_statement_digest",
               sql::digest_of(sql::without_constants(record.rewritten)));
  }
  event.field("rule_kind", std::string("statement")).field("reason", decision.reason);
  if (!decision.audit_rules.empty()) event.field("contributing_audit_rules", decision.audit_rules);
}

void add_result(audit::Event& event, const sql::StatementRecord& record) {
  const bool reads =
      record.judged->analysis->statements.at(record.index).primary_group() == sql::Group::kRead;
  if (record.rows)
    event.field(reads ? "rows_returned" : "rows_affected", static_cast<std::int64_t>(*record.rows));
  event.field("bytes_in", static_cast<std::int64_t>(record.bytes_in))
      .field("bytes_out", static_cast<std::int64_t>(record.bytes_out))
      .field("latency_ms", std::chrono::duration<double, std::milli>(record.latency).count());
  if (!record.error_code.empty()) event.field("error_code", record.error_code);
  event.field("in_transaction", record.in_transaction)
      .field("deny_action", std::string(name_of(record.deny_action)));
}

}  // namespace

audit::Event database_event(const flows::Connection& connection, std::string type,
                            const DatabaseClient& client) {
  audit::Event event = flows::connection_event(connection, std::move(type), connection.name);
  event.field("db_service", client.service)
      .field("db_family", std::string("postgres"))
      .field("db_dialect", client.dialect);
  if (!client.user.empty()) event.field("db_user", client.user).field("database", client.database);
  if (!client.application_name.empty()) event.field("application_name", client.application_name);
  if (!client.client_identity.empty()) event.field("client_identity", client.client_identity);
  if (!client.tls_mode.empty()) event.field("tls_mode", client.tls_mode);
  if (!client.upstream_subject.empty())
    event.field("upstream_cert_subject", client.upstream_subject);
  return event;
}

policy::Verdict verdict_of(const sql::StatementDecision& decision) {
  if (decision.rule_name.empty())
    return policy::Verdict::deny(kDefaultDenyDatabase, decision.reason);
  return policy::Verdict::from_rule(decision.decision, decision.rule_name,
                                    decision.message.empty() ? decision.reason : decision.message)
      .with_approval_timeout(decision.approval_timeout);
}

policy::Verdict verdict_of(const sql::ConnectionDecision& decision) {
  const std::string& words = decision.message.empty() ? decision.reason : decision.message;
  if (decision.rule_name.empty())
    return decision.permitted() ? policy::Verdict::allow("database-service")
                                : policy::Verdict::deny(kDefaultDenyDatabase, words);
  return policy::Verdict::from_rule(decision.decision, decision.rule_name, words)
      .with_approval_timeout(decision.approval_timeout);
}

RecordedStatement statement_event(const flows::Connection& connection, const DatabaseClient& client,
                                  const policy::DbOptions& options,
                                  const sql::StatementRecord& record) {
  audit::Event event = database_event(connection, "db_statement", client);
  add_statement(event, options, record);
  add_result(event, record);
  return {std::move(event),
          record.settled ? *record.settled : verdict_of(record.judged->decisions.at(record.index))};
}

std::string statement_preview(const policy::DbOptions& options, const sql::Judged& judged) {
  std::string text = text_for(options.approval_statement_preview, judged);
  if (text.empty() && options.approval_statement_preview != DbTextLogging::kNone)
    text = judged.analysis->statements.at(0).raw_verb;
  if (text.size() > options.approval_statement_preview_chars) {
    text.resize(options.approval_statement_preview_chars);
    text += " ...";
  }
  return is_utf8(text) ? text : printable(text);
}

}  // namespace agentsh::pg
