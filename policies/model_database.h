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

// Limits of one statement; the strictest of all that apply counts. Nothing: none.
struct DbLimits {
  std::optional<std::uint64_t> max_rows;   // Of its result.
  std::optional<std::uint64_t> max_bytes;  // Of its result's rows as the server sends them.
  std::optional<std::chrono::nanoseconds> statement_timeout;
};

// What one session may use of a service in `period`, or as long as it lives. Nothing: any amount.
struct DbBudget {
  SourcePosition where;
  std::optional<std::uint64_t> statements;
  std::optional<std::uint64_t> rows;
  std::optional<std::uint64_t> bytes;
  std::optional<std::chrono::nanoseconds> period;
};

enum class DbChannelBinding { kPrefer, kRequire, kDisable };

// How the guard logs in upstream in a client's place. Secrets are references (env:, file:, exec:,
// vault://), resolved outside of every sandbox.
struct DbCredentials {
  SourcePosition where;
  std::string user;              // The role; empty: the one that the client asks for.
  std::string password_ref;      // Empty: the server asks for none (a certificate, trust).
  std::string certificate_file;  // PEM, for certificate login; with key_file or not at all.
  std::string key_file;
  std::string client_user;  // The only name that clients may use; empty: any.
  std::string placeholder;  // What clients log in with; empty: they are asked for nothing.
};

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
  // Nothing: the client's own login is relayed.
  std::optional<DbCredentials> credentials;
  DbChannelBinding channel_binding = DbChannelBinding::kPrefer;
  bool allow_cleartext_password = false;  // Towards the server, relayed ones too.
  bool allow_md5_password = true;
  DbLimits limits;                // Of every statement.
  std::vector<DbBudget> budgets;  // All of them hold.
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
  DbLimits limits;  // Of statements that the rule covers something of.
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

enum class DbMaskWith { kRedact, kNull, kTokenize };
enum class DbMaskExpressions { kDeny, kMask };

// What a service's results do not show, whatever rule let the statement through.
struct DatabaseMask {
  std::string name;
  SourcePosition where;
  std::string db_service;  // Empty: every service.
  // Globs of `column`, `relation.column` or `schema.relation.column`, by the catalogue's names.
  std::vector<LocatedText> columns;
  std::vector<LocatedText> detectors;  // Ids of the DLP catalogue, or "*"; looked for everywhere.
  DbMaskWith with = DbMaskWith::kRedact;
  // A masked column that is read otherwise than as a plain column of the result.
  DbMaskExpressions expressions = DbMaskExpressions::kDeny;
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
  std::vector<DatabaseMask> masks;
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
