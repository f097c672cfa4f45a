// `agentsh policy db explain`.
#include "appliance/cli/audit_arguments.h"
#include "appliance/cli/db_arguments.h"
#include "appliance/cli/db_connection.h"
#include "appliance/cli/db_verbs.h"
#include "base/file_io.h"
#include "base/json_writer.h"
#include "policies/loader.h"
#include "policies/policy_store.h"
#include "sqlguard/classifier/analysis_json.h"
#include "sqlguard/rules/database_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace agentsh::cli {
namespace {

constexpr std::size_t kPolicyLimit = 8 << 20;

struct ExplainOptions {
  std::string policy;
  std::string service;
  std::string text;
  std::string output = "text";
  SqlOptions sql;
};

struct Explained {
  const policy::DbService& service;
  const sql::DatabaseRules& rules;
  const sql::Analysis& analysis;
  const std::vector<sql::StatementDecision>& decisions;
  const sql::NameContext& names;
  std::vector<std::string> warnings;
};

std::string_view name_of_rule(const Explained& explained, std::uint32_t id) {
  return explained.rules.rules()[id].name;
}

std::string object_name(const sql::Object& object) {
  return fmt::format("{}{}{}", object.schema, object.schema.empty() ? "" : ".",
                     selectable_name(object));
}

void write_rules(JsonWriter& json, const Explained& explained, std::string_view key,
                 std::span<const std::uint32_t> rules) {
  json.key(key).begin_array();
  for (const std::uint32_t id : rules) json.value(name_of_rule(explained, id));
  json.end_array();
}

// The rules of all objects, each once.
std::vector<std::uint32_t> all_rules(const sql::EffectDecision& decision,
                                     std::vector<std::uint32_t> sql::ObjectCoverage::* which) {
  std::vector<std::uint32_t> all;
  for (const sql::ObjectCoverage& coverage : decision.coverage)
    all.insert(all.end(), (coverage.*which).begin(), (coverage.*which).end());
  std::ranges::sort(all);
  all.erase(std::ranges::unique(all).begin(), all.end());
  return all;
}

void write_coverage(JsonWriter& json, const Explained& explained, const sql::Effect& effect,
                    const sql::ObjectCoverage& coverage) {
  json.begin_object();
  json.field("object", coverage.object ? object_name(effect.objects[*coverage.object]) : "");
  json.field("covered", !coverage.covering.empty() && coverage.denying.empty());
  write_rules(json, explained, "covering_rules", coverage.covering);
  if (!coverage.denying.empty())
    json.field("uncovered_reason", "a deny rule matches");
  else if (coverage.covering.empty())
    json.field("uncovered_reason", "no rule covers it");
  json.end_object();
}

void write_effect(JsonWriter& json, const Explained& explained,
                  const sql::StatementDecision& decision, std::size_t index) {
  const sql::Effect& effect = decision.effects[index];
  const sql::EffectDecision& judged = decision.by_effect[index];
  json.begin_object().field("index", index).field("operation", name_of(effect.group));
  json.optional_field("subtype", effect.subtype);
  json.field("resolution", name_of(resolution_of(effect, explained.names)));
  json.key("objects").begin_array();
  for (const sql::Object& object : effect.objects) write_json(json, object);
  json.end_array().key("resolved_objects").begin_array().end_array();
  json.key("coverage").begin_array();
  for (const sql::ObjectCoverage& coverage : judged.coverage)
    write_coverage(json, explained, effect, coverage);
  json.end_array();
  write_rules(json, explained, "covering_rules", all_rules(judged, &sql::ObjectCoverage::covering));
  write_rules(json, explained, "deny_rules", all_rules(judged, &sql::ObjectCoverage::denying));
  json.end_object();
}

std::string json_of(const Explained& explained) {
  JsonWriter json(2);
  json.begin_object().field("service", explained.service.name);
  json.field("dialect", name_of(explained.analysis.dialect)).field("catalog_source", "none");
  json.key("statements").begin_array();
  for (std::size_t i = 0; i < explained.decisions.size(); ++i) {
    const sql::Statement& statement = explained.analysis.statements[i];
    const sql::StatementDecision& decision = explained.decisions[i];
    json.begin_object().field("index", i).field("raw_verb", statement.raw_verb);
    json.field("parser_backend", statement.parser).key("effects").begin_array();
    for (std::size_t e = 0; e < decision.effects.size(); ++e)
      write_effect(json, explained, decision, e);
    json.end_array().key("decision").begin_object();
    json.field("verb", to_string(decision.decision)).field("rule_kind", "statement");
    json.field("rule_name", decision.rule_name).field("matching_effect_index", decision.effect);
    json.field("matching_effect_group", name_of(decision.group)).field("reason", decision.reason);
    json.optional_field("message", decision.message).end_object();
    json.optional_field("error", statement.error).end_object();
  }
  json.end_array().key("warnings").begin_array();
  for (const std::string& warning : explained.warnings) json.value(warning);
  json.end_array().end_object();
  return json.take();
}

std::string joined(const Explained& explained, std::span<const std::uint32_t> rules) {
  std::string text;
  for (const std::uint32_t id : rules)
    text += fmt::format("{}{}", text.empty() ? "" : ", ", name_of_rule(explained, id));
  return text.empty() ? "no rule" : text;
}

void print_text(const Explained& explained) {
  for (std::size_t i = 0; i < explained.decisions.size(); ++i) {
    const sql::StatementDecision& decision = explained.decisions[i];
    fmt::print("{}: {} ({})\n", explained.analysis.statements[i].raw_verb,
               to_string(decision.decision), decision.reason);
    if (!decision.message.empty()) fmt::print("  message: {}\n", decision.message);
    for (std::size_t e = 0; e < decision.effects.size(); ++e) {
      const sql::Effect& effect = decision.effects[e];
      fmt::print("  {}{}{}: {}\n", name_of(effect.group), effect.subtype.empty() ? "" : " ",
                 effect.subtype, to_string(decision.by_effect[e].decision));
      for (const sql::ObjectCoverage& coverage : decision.by_effect[e].coverage) {
        if (coverage.object) {
          const sql::Object& object = effect.objects[*coverage.object];
          fmt::print("    {} {}: ", name_of(object.kind), object_name(object));
        } else {
          fmt::print("    (no object): ");
        }
        if (!coverage.denying.empty())
          fmt::print("denied by {}\n", joined(explained, coverage.denying));
        else
          fmt::print("covered by {}\n", joined(explained, coverage.covering));
      }
    }
  }
  for (const std::string& warning : explained.warnings) fmt::print("warning: {}\n", warning);
}

std::vector<std::string> warnings_of(const policy::DbService& service, const SqlOptions& options) {
  std::vector<std::string> warnings;
  if (service.tls_mode == policy::DbTlsMode::kPassthrough)
    warnings.push_back("the service is tls_mode passthrough: its statements are not seen");
  if (options.search_path.empty())
    warnings.push_back(
        "the session's search path is not known here (--search-path): names without "
        "a schema match every deny and no allow by schema");
  return warnings;
}

int complain(std::string_view what) {
  fmt::print(stderr, "agentsh policy db: {}\n", what);
  return 1;
}

int explain(const ExplainOptions& options, const std::vector<std::string>& directories) {
  const auto loaded = policy_named(options.policy, directories);
  if (!loaded) return complain(loaded.error().what);
  const auto& services = loaded->database.services;
  const auto service = std::ranges::find(services, options.service, &policy::DbService::name);
  if (service == services.end())
    return complain(fmt::format("the policy has no db_services entry \"{}\"", options.service));
  const auto rules = sql::DatabaseRules::compile(loaded->database, *service);
  if (!rules) return complain(rules.error().what);
  const auto text = sql_text(options.text);
  if (!text) return complain(text.error().what);
  // The service says its dialect; an option overrides it.
  const auto dialect = options.sql.dialect.empty() ? static_cast<sql::Dialect>(service->dialect)
                                                   : *sql::dialect_named(options.sql.dialect);
  const sql::NameContext names = options.sql.names();
  const sql::Analysis analysis = sql::classify(*text, dialect);
  const auto decisions = rules->decide(analysis, sql::SessionState(names));
  const Explained explained{*service,  *rules, analysis,
                            decisions, names,  warnings_of(*service, options.sql)};
  if (options.output == "json")
    fmt::print("{}\n", json_of(explained));
  else
    print_text(explained);
  return std::ranges::all_of(decisions,
                             [](const sql::StatementDecision& decision) {
                               return decision.decision != policy::Decision::kDeny;
                             })
             ? 0
             : 1;
}

}  // namespace

Result<policy::Policy> policy_named(const std::string& name,
                                    const std::vector<std::string>& directories) {
  std::string path = name;
  if (!name.contains('/') && !name.ends_with(".yaml") && !name.ends_with(".yml")) {
    auto found = policy::PolicyStore({.directories = directories}).find(name);
    if (!found) return std::unexpected(found.error());
    path = *found;
  }
  auto text = read_file(path, kPolicyLimit);
  if (!text) return std::unexpected(text.error());
  policy::Diagnostics problems(path);
  auto loaded = policy::load_policy(*text, problems);
  if (!loaded) return std::unexpected(problems.to_error());
  return std::move(*loaded);
}

int run_policy_db_verb(std::span<const std::string> args, std::vector<std::string> directories) {
  CLI::App app("Database rules of a policy", "agentsh policy db");
  app.require_subcommand(1);
  CLI::App* verb = app.add_subcommand("explain", "What do the rules say about SQL text, and why?");
  ExplainOptions options;
  options.sql.dialect.clear();
  bool json = false;
  verb->add_option("policy", options.policy, "Name or path of a policy")->required();
  verb->add_option("--service", options.service, "Entry of db_services")->required();
  options.sql.add_to(*verb);
  verb->add_option("--sql", options.text, "The text; nothing reads standard input");
  verb->add_option("--output", options.output, "json or text")
      ->check(CLI::IsMember({"json", "text"}))
      ->capture_default_str();
  verb->add_flag("--json", json, "As --output json");
  std::vector<std::string> more;
  verb->add_option("--dir", more, "Directories of policies, first one first");
  ConnectionQuestion question;
  const CLI::App* connection = add_connection_verb(app, question);
  if (const auto code = parse_arguments(app, args)) return *code;
  if (json) options.output = "json";
  if (!more.empty()) directories = std::move(more);
  return connection->parsed() ? explain_connection(question, directories)
                              : explain(options, directories);
}

}  // namespace agentsh::cli
