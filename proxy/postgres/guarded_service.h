// A declared database service with its rules, as one version of a policy has them.
//
// Threads: immutable; shared by all connections of a session.
#pragma once

#include "base/result.h"
#include "policies/model.h"
#include "sqlguard/classifier/classify.h"
#include "sqlguard/connection/judge.h"
#include "sqlguard/rules/connection_rules.h"
#include "sqlguard/rules/database_rules.h"

#include <boost/asio/any_io_executor.hpp>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::pg {

struct GuardedService {
  policy::DbService service;
  policy::DbOptions options;
  std::vector<policy::SecretProvider> providers;
  sql::Dialect dialect = sql::Dialect::kPostgres;
  std::shared_ptr<const sql::DatabaseRules> statements;
  std::shared_ptr<const sql::ConnectionRules> connections;

  static Result<std::shared_ptr<const GuardedService>> compile(const policy::Policy& policy,
                                                               const policy::DbService& declared);
};

// The judge of the service on the event loop of `executor`; kept there while connections use it.
std::shared_ptr<sql::Judge> judge_for(const boost::asio::any_io_executor& executor,
                                      const std::shared_ptr<const GuardedService>& service);

}  // namespace agentsh::pg
