// The database services of a session's policy: which connections are theirs, and what becomes of
// those that go to other databases.
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "policies/gate.h"
#include "proxy/flows/services.h"
#include "proxy/postgres/guard_flow.h"

#include <chrono>
#include <map>
#include <memory>
#include <string>

namespace agentsh::guard {

// The rules of a policy's services, compiled once for each version of it.
class ServiceRules {
 public:
  explicit ServiceRules(std::shared_ptr<policy::Gate> gate) : gate_(std::move(gate)) {}

  // Null: the policy has no such service, or the trail cannot be written.
  std::shared_ptr<const pg::GuardedService> get(const std::string& service);
  // get() for one connection, which asks again and again.
  static std::function<std::shared_ptr<const pg::GuardedService>()> watch(
      std::shared_ptr<ServiceRules> rules, std::string service);

 private:
  struct Compiled {
    std::shared_ptr<const void> version;
    std::map<std::string, std::shared_ptr<const pg::GuardedService>, std::less<>> services;
  };
  const std::shared_ptr<policy::Gate> gate_;
  LockGuarded<Compiled> compiled_;
};

class SessionDatabases final : public flows::DatabaseGuard {
 public:
  SessionDatabases(std::shared_ptr<policy::Gate> gate, std::shared_ptr<pg::CancelTable> cancels,
                   std::shared_ptr<pg::CredentialSource> credentials)
      : gate_(gate),
        rules_(std::make_shared<ServiceRules>(std::move(gate))),
        cancels_(std::move(cancels)),
        credentials_(std::move(credentials)) {}

  std::optional<std::string> service_at(const Endpoint& destination,
                                        const flows::NameLeases& leases) const override;
  boost::asio::awaitable<void> serve(flows::Connection& connection, std::string service) override;
  bool permits_undeclared(const flows::Connection& connection) override;

 private:
  struct Seen {
    std::chrono::steady_clock::time_point next;
    std::int64_t suppressed = 0;
  };

  const std::shared_ptr<policy::Gate> gate_;
  const std::shared_ptr<ServiceRules> rules_;
  const std::shared_ptr<pg::CancelTable> cancels_;
  const std::shared_ptr<pg::CredentialSource> credentials_;
  LockGuarded<std::map<std::string, Seen>> bypasses_;  // By destination: one event a minute.
};

// Is a service of the policy at this host? Canonical.
bool is_database_host(const policy::DatabasePolicy& policy, std::string_view host);

}  // namespace agentsh::guard
