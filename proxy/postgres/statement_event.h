// The audit trail of guarded connections: db_statement, one for each statement that was executed or
// refused, and what else happens to such a connection.
#pragma once

#include "audit/event.h"
#include "policies/verdict.h"
#include "proxy/flows/connection.h"
#include "proxy/postgres/guarded_service.h"
#include "sqlguard/connection/guarded_connection.h"
#include "sqlguard/rules/connection_rules.h"

#include <string>

namespace agentsh::pg {

// Rule names of decisions that no rule made.
inline constexpr std::string_view kDefaultDenyDatabase = "default-deny-database";

// Who is connected to what.
struct DatabaseClient {
  std::string service;
  std::string dialect;
  std::string user;
  std::string database;
  std::string application_name;
  std::string client_identity;
  std::string tls_mode;
  std::string upstream_subject;  // Of the server's certificate.
};

// An event of the connection with who it is.
audit::Event database_event(const flows::Connection& connection, std::string type,
                            const DatabaseClient& client);

struct RecordedStatement {
  audit::Event event;
  policy::Verdict verdict;
};
RecordedStatement statement_event(const flows::Connection& connection, const DatabaseClient& client,
                                  const policy::DbOptions& options,
                                  const sql::StatementRecord& record);

// What a rule about connections says, as a verdict.
policy::Verdict verdict_of(const sql::ConnectionDecision& decision);
policy::Verdict verdict_of(const sql::StatementDecision& decision);

// A statement for the eyes of an approver.
std::string statement_preview(const policy::DbOptions& options, const sql::Judged& judged);

}  // namespace agentsh::pg
