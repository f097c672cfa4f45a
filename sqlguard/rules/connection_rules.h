// database_connection_rules of a policy, for one service: who may connect, cancel, replicate.
//
// All rules that match are collected, their order plays no part: any deny wins, then approve,
// audit, allow. What no rule matches: a service with rules of the kind is closed to it, as one with
// tls_mode passthrough and every replication connection is; else it may connect (its statements
// are judged one by one) and cancel (it needs the key that it was given).
//
// Threads: immutable; any thread.
#pragma once

#include "base/result.h"
#include "policies/model_database.h"

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::sql {

// What a connection is. For a service with tls_mode passthrough only client_identity is known.
struct ConnectionFacts {
  policy::DbConnectionKind kind = policy::DbConnectionKind::kConnect;
  std::string_view db_user = {};  // The role that the server sees.
  std::string_view database = {};
  std::string_view application_name = {};
  // Who the client is: the name that it logged in with at the guard, or the session's name.
  std::string_view client_identity = {};
};

struct ConnectionDecision {
  policy::Decision decision = policy::Decision::kDeny;
  std::string rule_name = {};  // Empty: no rule matched.
  std::string message = {};    // The rule's, rendered.
  std::string reason = {};     // "rule no-superuser", "no rule permits user a to connect to b"
  std::optional<std::uint32_t> rule = {};                         // In ConnectionRules::rules().
  std::optional<std::chrono::nanoseconds> approval_timeout = {};  // The shortest that contributes.
  std::vector<std::string> audit_rules = {};  // Names of the audit rules that matched.

  bool permitted() const {
    return decision == policy::Decision::kAllow || decision == policy::Decision::kAudit;
  }
};

class ConnectionRules {
 public:
  // The rules that apply to `service`. Fails on a glob that does not parse.
  static Result<ConnectionRules> compile(const policy::DatabasePolicy& policy,
                                         const policy::DbService& service);
  ConnectionRules(ConnectionRules&&) noexcept;
  ConnectionRules& operator=(ConnectionRules&&) noexcept;
  ~ConnectionRules();

  ConnectionDecision decide(const ConnectionFacts& facts) const;
  std::span<const policy::DatabaseConnectionRule> rules() const;

 private:
  struct Compiled;
  explicit ConnectionRules(std::unique_ptr<const Compiled> compiled);
  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace agentsh::sql
