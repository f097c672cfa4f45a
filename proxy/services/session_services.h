// The http_services of one session: which there are by its policy as it is now, the placeholders
// that its commands hold, and the inspectors that decide on requests and put secrets in.
//
//   auto services = SessionServices::create(gate, secrets);
//   context.services = services;                      // /svc/NAME/
//   context.inspectors = chain of services and others
//   services->environment("http://127.0.0.1:61954")   // for commands
//
// A placeholder lives as long as the session, whatever happens to the policy. A request that
// carries one to another host than its service's is refused (http_service_leak_blocked), and so is
// one that holds it in Basic credentials or percent-encoded.
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "policies/compiled_policy.h"
#include "policies/gate.h"
#include "proxy/flows/http_inspector.h"
#include "proxy/flows/services.h"
#include "proxy/services/placeholder.h"
#include "proxy/services/scrubber.h"
#include "proxy/services/secret_source.h"
#include "proxy/services/service_table.h"

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::services {

inline constexpr std::string_view kDirectRule = "http-service-direct";

// A secret that can be put in.
struct ReadySecret {
  std::shared_ptr<const SecretText> value;
  std::shared_ptr<const ScrubPlan> scrub;  // Null where responses are not scrubbed.
};

class SessionServices final : public flows::HttpInspectorFactory,
                              public flows::ServiceDirectory,
                              public std::enable_shared_from_this<SessionServices> {
 public:
  // What holds under one policy.
  struct State {
    std::shared_ptr<const policy::CompiledPolicy> policy;
    ServiceTable table;
    std::vector<Placeholder> placeholders;
    const Placeholder* placeholder_of(const Service& service) const;
  };

  // `secrets` may be null: services with a secret then refuse every request.
  static std::shared_ptr<SessionServices> create(std::shared_ptr<policy::Gate> gate,
                                                 std::shared_ptr<SecretSource> secrets);

  std::shared_ptr<const State> state() const;

  // Variables for commands: NAME_API_URL for each service, its placeholder if it has a secret.
  // `base_url` is where /svc/ is found, without a slash at its end.
  std::vector<std::pair<std::string, std::string>> environment(const std::string& base_url) const;

  // What is said of a connection to the host itself: a denial where its service does not allow
  // that, nothing where no service has a say.
  std::optional<policy::Verdict> judge_direct(std::string_view host) const;

  // flows::ServiceDirectory
  std::optional<flows::ServiceTarget> find(std::string_view path) const override;
  std::vector<std::string> names() const override;

  // flows::HttpInspectorFactory
  std::unique_ptr<flows::HttpInspector> inspect(const policy::Actor& actor,
                                                const policy::HttpFacts& facts) override;
  bool http_only(std::string_view host) const override;

  // For inspectors. The service's secret, as fetched last or fetched now.
  boost::asio::awaitable<Result<ReadySecret>> secret_of(std::shared_ptr<const State> state,
                                                        std::shared_ptr<const Service> service,
                                                        boost::asio::any_io_executor executor);
  policy::Gate& gate() { return *gate_; }

 private:
  SessionServices(std::shared_ptr<policy::Gate> gate, std::shared_ptr<SecretSource> secrets)
      : gate_(std::move(gate)), secrets_(std::move(secrets)) {}
  Result<ReadySecret> make_ready(const State& state, const Service& service,
                                 std::shared_ptr<const SecretText> value);

  const std::shared_ptr<policy::Gate> gate_;
  const std::shared_ptr<SecretSource> secrets_;
  mutable std::atomic<std::shared_ptr<const State>> state_;
  // By service and format: what was issued once stays.
  mutable LockGuarded<std::map<std::string, std::string, std::less<>>> issued_;
  LockGuarded<std::map<std::string, ReadySecret, std::less<>>> ready_;  // By service.
};

}  // namespace agentsh::services
