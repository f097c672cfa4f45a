#include "appliance/cli/db_connection.h"

#include "appliance/cli/db_arguments.h"
#include "base/json_writer.h"
#include "sqlguard/login/service_login.h"
#include "sqlguard/login/startup_settings.h"
#include "sqlguard/rules/connection_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace agentsh::cli {
namespace {

struct Answer {
  std::string user;  // As the server sees it.
  sql::ConnectionDecision connection;
  sql::StartupSettings settings;
  sql::StartupDecision startup;  // Not for cancellations, which have no such message.
};

std::optional<policy::DbConnectionKind> kind_named(std::string_view name) {
  if (name == "connect") return policy::DbConnectionKind::kConnect;
  if (name == "cancel") return policy::DbConnectionKind::kCancel;
  if (name == "replication") return policy::DbConnectionKind::kReplication;
  return std::nullopt;
}

sql::LoginResult<sql::StartupSettings> settings_of(const ConnectionQuestion& question) {
  sql::StartupMessage message;
  message.parameters.emplace_back("user", question.user);
  if (!question.database.empty()) message.parameters.emplace_back("database", question.database);
  if (!question.application_name.empty())
    message.parameters.emplace_back("application_name", question.application_name);
  for (const std::string& parameter : question.parameters) {
    const std::size_t equals = parameter.find('=');
    message.parameters.emplace_back(
        parameter.substr(0, equals),
        equals == std::string::npos ? std::string() : parameter.substr(equals + 1));
  }
  return sql::read_settings(message);
}

void write_decision(JsonWriter& json, std::string_view verb, std::string_view kind,
                    std::string_view rule, std::string_view reason, std::string_view message) {
  json.key("decision").begin_object();
  json.field("verb", verb).field("rule_kind", kind).field("rule_name", rule);
  json.field("reason", reason).optional_field("message", message).end_object();
}

std::string json_of(const ConnectionQuestion& question, const Answer& answer) {
  JsonWriter json(2);
  json.begin_object().field("service", question.service).key("connection").begin_object();
  json.field("match_kind", question.kind).field("db_user", answer.user);
  json.field("database", answer.settings.database);
  json.field("application_name", answer.settings.application_name);
  json.field("client_identity", question.client_identity).end_object();
  const sql::ConnectionDecision& connection = answer.connection;
  write_decision(json, to_string(connection.decision), "connection", connection.rule_name,
                 connection.reason, connection.message);
  json.key("startup_parameters").begin_array();
  for (std::size_t i = 0; i < answer.startup.decisions.size(); ++i) {
    const sql::StatementDecision& decision = answer.startup.decisions[i];
    json.begin_object().field("name", answer.settings.settings[i].name);
    json.field("value", answer.settings.settings[i].value);
    write_decision(json, to_string(decision.decision), "statement", decision.rule_name,
                   decision.reason, decision.message);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

void print_text(const ConnectionQuestion& question, const Answer& answer) {
  fmt::print("{}: {} ({})\n", question.kind, to_string(answer.connection.decision),
             answer.connection.reason);
  if (!answer.connection.message.empty()) fmt::print("  message: {}\n", answer.connection.message);
  for (std::size_t i = 0; i < answer.startup.decisions.size(); ++i) {
    const sql::StatementDecision& decision = answer.startup.decisions[i];
    fmt::print("startup parameter {}: {} ({})\n", answer.settings.settings[i].name,
               to_string(decision.decision), decision.reason);
    if (!decision.message.empty()) fmt::print("  message: {}\n", decision.message);
  }
}

Result<Answer> answer_to(const ConnectionQuestion& question, const policy::Policy& loaded) {
  const auto& services = loaded.database.services;
  const auto service = std::ranges::find(services, question.service, &policy::DbService::name);
  if (service == services.end())
    return fail(fmt::format("the policy has no db_services entry \"{}\"", question.service));
  auto settings = settings_of(question);
  if (!settings) return fail(settings.error().message);
  const auto connections = sql::ConnectionRules::compile(loaded.database, *service);
  if (!connections) return std::unexpected(connections.error());
  const auto statements = sql::DatabaseRules::compile(loaded.database, *service);
  if (!statements) return std::unexpected(statements.error());
  Answer answer{.settings = std::move(*settings)};
  answer.user = sql::upstream_user(*service, answer.settings.user);
  const auto kind = *kind_named(question.kind);
  answer.connection = connections->decide({.kind = kind,
                                           .db_user = answer.user,
                                           .database = answer.settings.database,
                                           .application_name = answer.settings.application_name,
                                           .client_identity = question.client_identity});
  if (kind == policy::DbConnectionKind::kConnect &&
      service->tls_mode != policy::DbTlsMode::kPassthrough) {
    sql::SessionState session(sql::search_path_of(answer.settings));
    answer.startup = sql::judge(answer.settings, *statements,
                                static_cast<sql::Dialect>(service->dialect), session);
  }
  return answer;
}

}  // namespace

CLI::App* add_connection_verb(CLI::App& app, ConnectionQuestion& question) {
  CLI::App* verb =
      app.add_subcommand("connection", "May a client connect, and with these settings?");
  verb->add_option("policy", question.policy, "Name or path of a policy")->required();
  verb->add_option("--service", question.service, "Entry of db_services")->required();
  verb->add_option("--kind", question.kind, "connect, cancel or replication")
      ->check(CLI::IsMember({"connect", "cancel", "replication"}))
      ->capture_default_str();
  verb->add_option("--user", question.user, "That the client asks for")->required();
  verb->add_option("--database", question.database, "The user's name unless said");
  verb->add_option("--application-name", question.application_name, "As the client says it");
  verb->add_option("--client-identity", question.client_identity,
                   "The name that the client logs in with, or the session's");
  verb->add_option("--parameter", question.parameters,
                   "name=value of the startup message, options=... included");
  verb->add_flag("--json", question.json, "The answer as JSON");
  return verb;
}

int explain_connection(const ConnectionQuestion& question,
                       const std::vector<std::string>& directories) {
  const auto loaded = policy_named(question.policy, directories);
  const auto answer = loaded ? answer_to(question, *loaded) : std::unexpected(loaded.error());
  if (!answer) {
    fmt::print(stderr, "agentsh policy db: {}\n", answer.error().what);
    return 1;
  }
  if (question.json)
    fmt::print("{}\n", json_of(question, *answer));
  else
    print_text(question, *answer);
  const auto denied = [](const sql::StatementDecision& decision) {
    return decision.decision == policy::Decision::kDeny;
  };
  const bool refused = answer->connection.decision == policy::Decision::kDeny ||
                       std::ranges::any_of(answer->startup.decisions, denied);
  return refused ? 1 : 0;
}

}  // namespace agentsh::cli
