// db_services, database_rules, database_connection_rules, database_masks, policies.db.
#include "base/domain.h"
#include "policies/loader_sections.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy::loader {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kLongestApproval = std::chrono::seconds(600);

constexpr std::string_view kResolutions[] = {"qualified_syntactic",
                                             "unqualified_syntactic",
                                             "ambiguous_after_search_path",
                                             "maybe_temp_shadowed",
                                             "unresolved",
                                             "catalog_resolved",
                                             "catalog_unresolved",
                                             "catalog_unavailable"};

constexpr Word<DbDialect> kDialects[] = {{"postgres", DbDialect::kPostgres},
                                         {"aurora_postgres", DbDialect::kAuroraPostgres},
                                         {"redshift", DbDialect::kRedshift},
                                         {"cockroachdb", DbDialect::kCockroachdb}};
constexpr Word<DbTlsMode> kTlsModes[] = {
    {"passthrough", DbTlsMode::kPassthrough},
    {"terminate_reissue", DbTlsMode::kTerminateReissue},
    {"terminate_plaintext_upstream", DbTlsMode::kTerminatePlaintextUpstream}};

// PostgreSQL's timeouts count milliseconds.
std::optional<nanoseconds> load_duration(YamlReader& reader, std::string_view key) {
  nanoseconds duration{};
  if (!reader.duration(key, duration)) return std::nullopt;
  if (duration < std::chrono::milliseconds(1)) {
    reader.error(key, "must be a millisecond or more");
    return std::nullopt;
  }
  return duration;
}

std::optional<std::uint64_t> load_count(YamlReader& reader, std::string_view key) {
  constexpr std::uint64_t kMost = 1ull << 53;
  std::uint64_t count = 0;
  if (!reader.integer(key, count, std::uint64_t{1}, kMost)) return std::nullopt;
  return count;
}

// Read and checked, but not acted on by the guard of this version: refused, since whoever writes it
// would rely on it.
void refuse_unbuilt(YamlReader& reader, std::string_view key) {
  if (reader.has(key))
    reader.error(key, "is not enforced by this version's database guard: leave it out");
}

void load_limits(YamlReader& reader, DbLimits& limits) {
  limits.max_rows = load_count(reader, "max_rows");
  limits.max_bytes = load_count(reader, "max_bytes");
  limits.statement_timeout = load_duration(reader, "statement_timeout");
}

void load_budget(YamlNode node, const std::string& path, Diagnostics& problems,
                 DbService& service) {
  YamlReader reader(node, path, problems);
  DbBudget budget;
  budget.where = reader.where();
  budget.statements = load_count(reader, "statements");
  budget.rows = load_count(reader, "rows");
  budget.bytes = load_count(reader, "bytes");
  budget.period = load_duration(reader, "period");
  if (!budget.statements && !budget.rows && !budget.bytes) {
    reader.error("statements", "a budget needs at least one of statements, rows and bytes");
  }
  service.budgets.push_back(budget);
}

void load_service(YamlNode name, YamlNode value, const std::string& path, Diagnostics& problems,
                  Policy& policy) {
  enum class Family { kPostgres };
  constexpr Word<Family> kFamilies[] = {{"postgres", Family::kPostgres}};
  YamlReader reader(value, path, problems);
  DbService service;
  service.name = std::string(name.text());
  service.where = name.where();
  Family family = Family::kPostgres;
  reader.word("family", family, kFamilies);
  reader.word("dialect", service.dialect, kDialects);
  std::string upstream;
  if (reader.text("upstream", upstream, Need::kRequired)) {
    auto parsed = split_host_port(upstream, 5432);
    if (!parsed || parsed->port == 0) {
      reader.error("upstream", fmt::format("\"{}\" is not host:port", upstream));
    } else {
      service.upstream_host = lower_case(parsed->host);
      service.upstream_port = parsed->port;
    }
  }
  reader.word("tls_mode", service.tls_mode, kTlsModes, Need::kRequired);
  reader.flag("allow_function_call_protocol", service.allow_function_call_protocol);
  reader.flag("allow_gss_encryption", service.allow_gss_encryption);
  reader.flag("trusted_network", service.trusted_network);
  load_database_login(reader, service);
  load_limits(reader, service.limits);
  reader.each_item("budgets", [&](YamlNode node, const std::string& item) {
    load_budget(node, item, problems, service);
  });
  refuse_unbuilt(reader, "budgets");
  const bool limited = service.limits.max_rows || service.limits.max_bytes ||
                       service.limits.statement_timeout || !service.budgets.empty();
  if (limited && service.tls_mode == DbTlsMode::kPassthrough) {
    reader.error("tls_mode",
                 "the statements of a passthrough service are not seen: limits and budgets "
                 "cannot hold");
  }
  policy.database.services.push_back(std::move(service));
}

// Each of `words` under `key` must be one of `known`.
void load_known_words(YamlReader& reader, std::string_view key,
                      std::span<const std::string_view> known, std::vector<std::string>& out) {
  std::vector<LocatedText> written;
  reader.texts(key, written);
  for (std::size_t i = 0; i < written.size(); ++i) {
    const std::string word = lower_case(written[i].text);
    if (std::ranges::find(known, word) != known.end()) {
      out.push_back(word);
      continue;
    }
    reader.problems().error(written[i].where, fmt::format("{}[{}]", reader.path_of(key), i),
                            fmt::format("\"{}\" is unknown", written[i].text),
                            std::string(closest_word(word, known).value_or("")));
  }
}

void load_operations(YamlReader& reader, DatabaseRule& rule) {
  std::vector<LocatedText> written;
  if (!reader.texts("operations", written, Need::kRequired)) return;
  if (written.empty()) reader.error("operations", "must name at least one group or alias");
  for (std::size_t i = 0; i < written.size(); ++i) {
    const auto groups = db_groups_of(written[i].text);
    if (groups.empty()) {
      const auto words = db_operation_words();
      reader.problems().error(
          written[i].where, fmt::format("{}[{}]", reader.path_of("operations"), i),
          fmt::format("\"{}\" is no group of statements and no alias of one", written[i].text),
          std::string(closest_word(written[i].text, words).value_or("")));
    }
    for (std::string_view group : groups) {
      if (std::ranges::find(rule.operations, group) == rule.operations.end()) {
        rule.operations.emplace_back(group);
      }
    }
  }
}

void check_timeout(YamlReader& reader, const std::optional<nanoseconds>& timeout) {
  if (timeout && *timeout > kLongestApproval) {
    reader.error("timeout", "an approval of a statement may wait at most 10m");
  }
}

void check_service(YamlReader& reader, const Policy& policy, const std::string& name,
                   bool statements) {
  if (name.empty()) return;
  std::vector<std::string_view> names;
  for (const DbService& service : policy.database.services) {
    names.push_back(service.name);
    if (service.name != name) continue;
    if (statements && service.tls_mode == DbTlsMode::kPassthrough) {
      reader.error("db_service", fmt::format("service \"{}\" is tls_mode passthrough: its "
                                             "statements are not seen, only connection rules apply",
                                             name));
    }
    return;
  }
  reader.error("db_service", fmt::format("there is no db_services entry \"{}\"", name),
               std::string(closest_word(name, names).value_or("")));
}

void check_rule(YamlReader& reader, const DatabaseRule& rule) {
  const auto only = [&](std::initializer_list<std::string_view> groups) {
    return std::ranges::all_of(rule.operations, [&](const std::string& group) {
      return std::ranges::find(groups, group) != groups.end();
    });
  };
  if (rule.require_where && !only({"delete", "modify"})) {
    reader.error("require_where", "is for operations delete and modify only");
  }
  if (rule.decision == Decision::kDeny &&
      (rule.limits.max_rows || rule.limits.max_bytes || rule.limits.statement_timeout)) {
    reader.error("decision", "a rule that denies has no result to limit");
  }
  if (rule.deny_mode_in_tx && rule.decision != Decision::kDeny) {
    reader.error("deny_mode_in_tx", "has no effect unless the decision is deny");
  }
  const bool narrow = !rule.db_service.empty() || !rule.schemas.empty() || !rule.objects.empty() ||
                      !rule.relations.empty() || !rule.functions.empty() || !rule.subtypes.empty();
  const std::size_t everything = db_groups_of("*").size();
  if (rule.decision == Decision::kAllow && !narrow && rule.operations.size() >= everything) {
    reader.error("operations",
                 "allows every statement everywhere: narrow it by db_service, "
                 "schemas, objects, relations or functions");
  }
  if (rule.decision == Decision::kRedirect) {
    if (rule.redirect_relation.find('.') == std::string::npos) {
      reader.error("redirect", "needs relation: schema.name");
    }
    if (!only({"read"})) reader.error("operations", "a redirect is for read only");
    if (rule.relations.size() != 1) {
      reader.error("relations", "a redirect needs exactly one source, schema.name");
    }
  }
}

void load_rule(YamlNode node, const std::string& path, Diagnostics& problems, Policy& policy) {
  constexpr Word<DbDenyInTransaction> kDenyModes[] = {
      {"terminate", DbDenyInTransaction::kTerminate},
      {"rollback_then_continue", DbDenyInTransaction::kRollbackThenContinue}};
  YamlReader reader(node, path, problems);
  DatabaseRule rule;
  rule.where = reader.where();
  reader.text("name", rule.name, Need::kRequired);
  reader.text("message", rule.message);
  reader.text("db_service", rule.db_service);
  reader.text("db_family", rule.db_family);
  reader.text("db_dialect", rule.db_dialect);
  check_service(reader, policy, rule.db_service, true);
  load_globs(reader, "schemas", kNoSeparator, LetterCase::kKept, rule.schemas);
  load_globs(reader, "objects", kNoSeparator, LetterCase::kKept, rule.objects);
  load_globs(reader, "relations", kNoSeparator, LetterCase::kKept, rule.relations);
  load_globs(reader, "functions", kNoSeparator, LetterCase::kKept, rule.functions);
  load_operations(reader, rule);
  load_known_words(reader, "subtypes", db_subtypes(), rule.subtypes);
  load_known_words(reader, "match_object_resolution", kResolutions, rule.match_object_resolution);
  reader.flag("require_where", rule.require_where);
  reader.word("decision", rule.decision, kRedirectDecisions, Need::kRequired);
  nanoseconds timeout{};
  if (reader.duration("timeout", timeout)) rule.timeout = timeout;
  check_timeout(reader, rule.timeout);
  reader.object("redirect", [&](YamlReader& redirect) {
    redirect.text("relation", rule.redirect_relation, Need::kRequired);
  });
  reader.flag("acknowledge_audit_on_dangerous", rule.acknowledge_audit_on_dangerous);
  DbDenyInTransaction mode = DbDenyInTransaction::kTerminate;
  if (reader.word("deny_mode_in_tx", mode, kDenyModes)) rule.deny_mode_in_tx = mode;
  load_limits(reader, rule.limits);
  refuse_unbuilt(reader, "statement_timeout");
  check_rule(reader, rule);
  policy.database.rules.push_back(std::move(rule));
}

void load_connection_glob(YamlReader& reader, std::string_view key, std::string& out) {
  if (!reader.text(key, out)) return;
  if (auto glob = Glob::parse(out, kNoSeparator); !glob) reader.error(key, glob.error().what);
}

// A passthrough service's startup messages are not seen: such a rule could never match there.
void check_seen(YamlReader& reader, const Policy& policy, const DatabaseConnectionRule& rule) {
  const std::pair<std::string_view, bool> unseen[] = {
      {"db_user", !rule.db_user.empty()},
      {"database", !rule.database.empty()},
      {"application_name", !rule.application_name.empty()},
      {"match_kind", rule.match_kind != DbConnectionKind::kConnect}};
  for (const DbService& service : policy.database.services) {
    const bool applies = rule.db_service.empty() || rule.db_service == service.name;
    if (!applies || service.tls_mode != DbTlsMode::kPassthrough) continue;
    for (const auto& [key, written] : unseen) {
      if (!written) continue;
      reader.error(key, fmt::format("service \"{}\" is tls_mode passthrough: who connects to what "
                                    "is not seen there, only client_identity is",
                                    service.name));
    }
    return;
  }
}

void load_connection_rule(YamlNode node, const std::string& path, Diagnostics& problems,
                          Policy& policy) {
  constexpr Word<DbConnectionKind> kKinds[] = {{"connect", DbConnectionKind::kConnect},
                                               {"cancel", DbConnectionKind::kCancel},
                                               {"replication", DbConnectionKind::kReplication}};
  YamlReader reader(node, path, problems);
  DatabaseConnectionRule rule;
  rule.where = reader.where();
  reader.text("name", rule.name, Need::kRequired);
  reader.text("message", rule.message);
  reader.text("db_service", rule.db_service);
  check_service(reader, policy, rule.db_service, false);
  reader.word("match_kind", rule.match_kind, kKinds);
  load_environment_globs(reader, "db_user", rule.db_user);
  load_connection_glob(reader, "database", rule.database);
  load_connection_glob(reader, "application_name", rule.application_name);
  load_connection_glob(reader, "client_identity", rule.client_identity);
  reader.word("decision", rule.decision, kAuditedDecisions, Need::kRequired);
  nanoseconds timeout{};
  if (reader.duration("timeout", timeout)) rule.timeout = timeout;
  check_timeout(reader, rule.timeout);
  if (rule.match_kind == DbConnectionKind::kCancel && rule.decision == Decision::kApprove) {
    reader.error("decision", "a cancel request cannot wait for an approval");
  }
  check_seen(reader, policy, rule);
  policy.database.connection_rules.push_back(std::move(rule));
}

void load_mask(YamlNode node, const std::string& path, Diagnostics& problems, Policy& policy) {
  constexpr Word<DbMaskWith> kWith[] = {{"redact", DbMaskWith::kRedact},
                                        {"null", DbMaskWith::kNull},
                                        {"tokenize", DbMaskWith::kTokenize}};
  constexpr Word<DbMaskExpressions> kExpressions[] = {{"deny", DbMaskExpressions::kDeny},
                                                      {"mask", DbMaskExpressions::kMask}};
  YamlReader reader(node, path, problems);
  DatabaseMask mask;
  mask.where = reader.where();
  reader.text("name", mask.name, Need::kRequired);
  reader.text("db_service", mask.db_service);
  check_service(reader, policy, mask.db_service, true);
  load_globs(reader, "columns", kNoSeparator, LetterCase::kKept, mask.columns);
  for (std::size_t i = 0; i < mask.columns.size(); ++i) {
    if (std::ranges::count(mask.columns[i].text, '.') > 2) {
      problems.error(mask.columns[i].where, fmt::format("{}[{}]", reader.path_of("columns"), i),
                     "a column is named column, relation.column or schema.relation.column");
    }
  }
  reader.texts("detectors", mask.detectors);
  if (mask.columns.empty() && mask.detectors.empty()) {
    reader.error("columns", "a mask needs columns or detectors");
  }
  reader.word("with", mask.with, kWith);
  const bool said = reader.word("expressions", mask.expressions, kExpressions);
  if (said && mask.columns.empty()) {
    reader.error("expressions", "is about columns, and the mask names none");
  }
  policy.database.masks.push_back(std::move(mask));
}

void load_options(YamlReader& root, DbOptions& out) {
  constexpr Word<DbTextLogging> kLogging[] = {{"none", DbTextLogging::kNone},
                                              {"parameters_redacted", DbTextLogging::kRedacted},
                                              {"full", DbTextLogging::kFull}};
  constexpr Word<DbTextLogging> kPreview[] = {{"none", DbTextLogging::kNone},
                                              {"redacted", DbTextLogging::kRedacted},
                                              {"full", DbTextLogging::kFull}};
  constexpr Word<DbUnavoidability> kUnavoidability[] = {{"off", DbUnavoidability::kOff},
                                                        {"observe", DbUnavoidability::kObserve},
                                                        {"enforce", DbUnavoidability::kEnforce}};
  root.object("policies", [&](YamlReader& policies) {
    policies.object("db", [&](YamlReader& reader) {
      reader.word("log_statements", out.log_statements, kLogging);
      reader.word("approval_statement_preview", out.approval_statement_preview, kPreview);
      reader.integer("approval_statement_preview_chars", out.approval_statement_preview_chars, 1u,
                     100'000u);
      reader.word("unavoidability", out.unavoidability, kUnavoidability);
      reader.flag("escalate_unknown_functions", out.escalate_unknown_functions);
      reader.texts("safe_function_allowlist", out.safe_function_allowlist);
    });
  });
}

}  // namespace

void load_database(Context& context, YamlReader& root, Policy& policy) {
  root.each_entry("db_services", [&](YamlNode name, YamlNode value, const std::string& path) {
    load_service(name, value, path, context.problems, policy);
  });
  root.each_item("database_rules", [&](YamlNode node, const std::string& path) {
    load_rule(node, path, context.problems, policy);
  });
  root.each_item("database_connection_rules", [&](YamlNode node, const std::string& path) {
    load_connection_rule(node, path, context.problems, policy);
  });
  root.each_item("database_masks", [&](YamlNode node, const std::string& path) {
    load_mask(node, path, context.problems, policy);
  });
  refuse_unbuilt(root, "database_masks");
  load_options(root, policy.database.options);
}

}  // namespace agentsh::policy::loader
