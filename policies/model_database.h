// Sections of a policy about databases: services, statement rules, connection rules and the
// options under `policies.db`. Parsed and checked here; sqlguard/ gives them their meaning.
#pragma once

#include "policies/verdict.h"
#include "policies/yaml_reader.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::policy {

enum class DbDialect { kPostgres, kAuroraPostgres, kRedshift, kCockroachdb };
enum class DbTlsMode { kPassthrough, kTerminateReissue, kTerminatePlaintextUpstream };

struct DbService {
  std::string name;
  SourcePosition where;
  DbDialect dialect = DbDialect::kPostgres;
  std::string upstream_host;
  std::uint16_t upstream_port = 0;
  DbTlsMode tls_mode = DbTlsMode::kTerminateReissue;
  bool allow_function_call_protocol = false;
  bool allow_gss_encryption = false;
  bool trusted_network = false;
};

enum class DbDenyInTransaction { kTerminate, kRollbackThenContinue };

struct DatabaseRule {
  std::string name;
  std::string message;
  SourcePosition where;
  std::string db_service;
  std::string db_family;
  std::string db_dialect;
  std::vector<LocatedText> schemas;
  std::vector<LocatedText> objects;
  std::vector<LocatedText> relations;
  std::vector<LocatedText> functions;
  std::vector<std::string> operations;  // Groups: aliases are resolved. Without duplicates.
  std::vector<std::string> subtypes;
  std::vector<std::string> match_object_resolution;
  bool require_where = false;
  Decision decision = Decision::kDeny;
  std::optional<std::chrono::nanoseconds> timeout;
  std::string redirect_relation;
  bool acknowledge_audit_on_dangerous = false;
  std::optional<DbDenyInTransaction> deny_mode_in_tx;
};

enum class DbConnectionKind { kConnect, kCancel, kReplication };

struct DatabaseConnectionRule {
  std::string name;
  std::string message;
  SourcePosition where;
  std::string db_service;
  DbConnectionKind match_kind = DbConnectionKind::kConnect;
  std::vector<std::string> db_user;
  std::string database;
  std::string application_name;
  std::string client_identity;
  Decision decision = Decision::kDeny;
  std::optional<std::chrono::nanoseconds> timeout;
};

enum class DbTextLogging { kNone, kRedacted, kFull };
enum class DbUnavoidability { kOff, kObserve, kEnforce };

struct DbOptions {
  DbTextLogging log_statements = DbTextLogging::kRedacted;
  DbTextLogging approval_statement_preview = DbTextLogging::kRedacted;
  unsigned approval_statement_preview_chars = 200;
  DbUnavoidability unavoidability = DbUnavoidability::kOff;
  bool escalate_unknown_functions = false;
  std::vector<std::string> safe_function_allowlist;
};

struct DatabasePolicy {
  std::vector<DbService> services;
  std::vector<DatabaseRule> rules;
  std::vector<DatabaseConnectionRule> connection_rules;
  DbOptions options;
};

// Group of a statement rule's `operations` word: the groups that a group name or an alias (any
// letter case) stands for; empty for an unknown word.
std::vector<std::string_view> db_groups_of(std::string_view word);
// Groups and aliases that `operations` accepts.
std::vector<std::string_view> db_operation_words();
// Every word that `subtypes` accepts.
std::vector<std::string_view> db_subtypes();
// Is the group one of those that the alias DANGEROUS stands for?
bool db_group_is_dangerous(std::string_view group);

}  // namespace agentsh::policy
