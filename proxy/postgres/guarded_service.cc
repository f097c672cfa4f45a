#include "proxy/postgres/guarded_service.h"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/query.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace agentsh::pg {
namespace asio = boost::asio;

namespace {

// The judges of one loop. One that no connection uses stays until there are too many.
class Judges final : public asio::execution_context::service {
 public:
  using key_type = Judges;
  inline static asio::execution_context::id id;
  static constexpr std::size_t kMaximum = 32;

  explicit Judges(asio::execution_context& context) : service(context) {}

  std::shared_ptr<sql::Judge> get(const std::shared_ptr<const GuardedService>& service) {
    const auto found = std::ranges::find(known_, service, &Known::service);
    if (found != known_.end()) return found->judge;
    if (known_.size() >= kMaximum)
      std::erase_if(known_, [](const Known& one) { return one.judge.use_count() == 1; });
    known_.push_back(
        {service, std::make_shared<sql::Judge>(service->statements, service->dialect)});
    return known_.back().judge;
  }

 private:
  struct Known {
    std::shared_ptr<const GuardedService> service;
    std::shared_ptr<sql::Judge> judge;
  };
  void shutdown() override { known_.clear(); }

  std::vector<Known> known_;
};

sql::Dialect dialect_of(policy::DbDialect dialect) {
  switch (dialect) {
    case policy::DbDialect::kPostgres:
      return sql::Dialect::kPostgres;
    case policy::DbDialect::kAuroraPostgres:
      return sql::Dialect::kAuroraPostgres;
    case policy::DbDialect::kRedshift:
      return sql::Dialect::kRedshift;
    case policy::DbDialect::kCockroachdb:
      return sql::Dialect::kCockroachdb;
  }
  return sql::Dialect::kPostgres;
}

// What would have to be done to results is not left out in silence: the loader refuses these keys,
// and so does this.
bool needs_more_than_limits(const policy::DatabasePolicy& policy,
                            const policy::DbService& service) {
  const auto concerns = [&](const auto& entry) {
    return entry.db_service.empty() || entry.db_service == service.name;
  };
  return !service.budgets.empty() || std::ranges::any_of(policy.masks, concerns) ||
         std::ranges::any_of(policy.rules, [&](const policy::DatabaseRule& rule) {
           return concerns(rule) && rule.limits.statement_timeout;
         });
}

}  // namespace

Result<std::shared_ptr<const GuardedService>> GuardedService::compile(
    const policy::Policy& policy, const policy::DbService& declared) {
  if (needs_more_than_limits(policy.database, declared))
    return fail(
        "budgets, masks and timeouts of single rules are not enforced by this version: leave them "
        "out");
  auto statement_rules = sql::DatabaseRules::compile(policy.database, declared);
  if (!statement_rules) return std::unexpected(statement_rules.error());
  auto connection_rules = sql::ConnectionRules::compile(policy.database, declared);
  if (!connection_rules) return std::unexpected(connection_rules.error());
  auto result = std::make_shared<GuardedService>();
  result->service = declared;
  result->options = policy.database.options;
  result->providers = policy.providers;
  result->dialect = dialect_of(declared.dialect);
  result->statements = std::make_shared<const sql::DatabaseRules>(std::move(*statement_rules));
  result->connections = std::make_shared<const sql::ConnectionRules>(std::move(*connection_rules));
  return result;
}

std::shared_ptr<sql::Judge> judge_for(const asio::any_io_executor& executor,
                                      const std::shared_ptr<const GuardedService>& service) {
  return asio::use_service<Judges>(asio::query(executor, asio::execution::context)).get(service);
}

}  // namespace agentsh::pg
