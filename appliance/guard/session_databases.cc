#include "appliance/guard/session_databases.h"

#include "base/domain.h"
#include "base/log.h"
#include "policies/compiled_policy.h"
#include "proxy/flows/connection.h"
#include "proxy/flows/flow_events.h"

#include <algorithm>
#include <utility>

namespace agentsh::guard {
namespace {

constexpr std::chrono::seconds kSameBypass{60};
constexpr std::size_t kMaximumBypasses = 1024;
constexpr std::string_view kUndeclaredRule = "undeclared-database";

bool is_host(const policy::DbService& service, std::string_view host) {
  const auto canonical = canonical_host(service.upstream_host);
  return canonical && *canonical == host;
}

bool is_at(const policy::DbService& service, const Endpoint& destination,
           const flows::NameLeases& leases) {
  if (service.upstream_port != destination.port) return false;
  if (const auto fixed = IpAddress::parse(service.upstream_host))
    return *fixed == destination.address;
  const auto host = canonical_host(service.upstream_host);
  return host && leases.is_leased(*host, destination.address);
}

}  // namespace

bool is_database_host(const policy::DatabasePolicy& policy, std::string_view host) {
  return std::ranges::any_of(
      policy.services, [host](const policy::DbService& service) { return is_host(service, host); });
}

std::shared_ptr<const pg::GuardedService> ServiceRules::get(const std::string& service) {
  auto version = gate_->version();
  if (version == nullptr) return nullptr;
  auto compiled = compiled_.lock();
  if (compiled->version != version) {
    compiled->services.clear();
    compiled->version = std::move(version);
  }
  const auto known = compiled->services.find(service);
  if (known != compiled->services.end()) return known->second;
  const auto policy = gate_->policy();
  const policy::DatabasePolicy& database = policy->policy().database;
  const auto declared = std::ranges::find(database.services, service, &policy::DbService::name);
  std::shared_ptr<const pg::GuardedService> result;
  if (declared != database.services.end()) {
    auto made = pg::GuardedService::compile(policy->policy(), *declared);
    if (made)
      result = std::move(*made);
    else
      log_error("guard", "db_services {}: {}", service, made.error().what);
  }
  compiled->services[service] = result;
  return result;
}

std::function<std::shared_ptr<const pg::GuardedService>()> ServiceRules::watch(
    std::shared_ptr<ServiceRules> rules, std::string service) {
  struct Last {
    std::shared_ptr<const void> version;
    std::shared_ptr<const pg::GuardedService> service;
  };
  auto last = std::make_shared<Last>();
  return [rules = std::move(rules), service = std::move(service), last] {
    auto version = rules->gate_->version();
    if (version == nullptr) return std::shared_ptr<const pg::GuardedService>();
    if (version != last->version) {
      last->service = rules->get(service);
      last->version = std::move(version);
    }
    return last->service;
  };
}

std::optional<std::string> SessionDatabases::service_at(const Endpoint& destination,
                                                        const flows::NameLeases& leases) const {
  const auto policy = gate_->policy();
  for (const policy::DbService& service : policy->policy().database.services) {
    if (is_at(service, destination, leases)) return service.name;
  }
  return std::nullopt;
}

boost::asio::awaitable<void> SessionDatabases::serve(flows::Connection& connection,
                                                     std::string service) {
  auto context = std::make_shared<pg::GuardContext>();
  const auto declared = rules_->get(service);
  context->service = ServiceRules::watch(rules_, std::move(service));
  context->cancels = cancels_;
  context->credentials = credentials_;
  // A login that is relayed works only without TLS on this leg, which never leaves the machine.
  if (declared != nullptr && declared->service.credentials) {
    context->accept_tls = [flow = connection.context, host = declared->service.upstream_host](
                              std::unique_ptr<net::ByteStream> client) {
      return flow->tls->accept(std::move(client), {.leaf_name = host,
                                                   .server_name = {},
                                                   .timeout = flow->options.hello,
                                                   .alpn = {"postgresql"},
                                                   .any_server_name = true});
    };
  }
  context->client_identity = gate_->session_id();
  co_await pg::run_guard(connection, std::move(context));
}

bool SessionDatabases::permits_undeclared(const flows::Connection& connection) {
  const auto policy = gate_->policy();
  const policy::DbUnavoidability mode = policy->policy().database.options.unavoidability;
  if (mode == policy::DbUnavoidability::kOff) return true;
  const bool permitted = mode == policy::DbUnavoidability::kObserve;
  std::int64_t suppressed = 0;
  {
    const auto now = std::chrono::steady_clock::now();
    auto bypasses = bypasses_.lock();
    if (bypasses->size() >= kMaximumBypasses) bypasses->clear();
    Seen& seen = (*bypasses)[connection.destination.to_string()];
    if (now < seen.next) {
      ++seen.suppressed;
      return permitted;
    }
    seen.next = now + kSameBypass;
    suppressed = std::exchange(seen.suppressed, 0);
  }
  audit::Event event = flows::connection_event(connection, "db_bypass_attempt", connection.name);
  event.operation = "connect";
  event.field("bypass_mode", std::string("tcp_direct")).field("suppressed_count", suppressed);
  gate_->record(std::move(event),
                permitted ? policy::Verdict::from_rule(policy::Decision::kAudit, kUndeclaredRule,
                                                       "a database that is no db_services entry")
                          : policy::Verdict::deny(kUndeclaredRule,
                                                  "a database that is no db_services entry"));
  return permitted;
}

}  // namespace agentsh::guard
