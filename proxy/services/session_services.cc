#include "proxy/services/session_services.h"

#include "audit/event.h"
#include "proxy/services/secret_fetch.h"
#include "proxy/services/service_inspector.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::services {
namespace asio = boost::asio;

namespace {

constexpr std::string_view kPrefix = "/svc/";

}  // namespace

std::shared_ptr<SessionServices> SessionServices::create(std::shared_ptr<policy::Gate> gate,
                                                         std::shared_ptr<SecretSource> secrets) {
  return std::shared_ptr<SessionServices>(new SessionServices(std::move(gate), std::move(secrets)));
}

const Placeholder* SessionServices::State::placeholder_of(const Service& service) const {
  const auto found = std::ranges::find(placeholders, service.name(), &Placeholder::service);
  return found == placeholders.end() ? nullptr : &*found;
}

std::shared_ptr<const SessionServices::State> SessionServices::state() const {
  auto policy = gate_->policy();
  auto known = state_.load();
  if (known != nullptr && known->policy == policy) return known;
  auto made =
      std::make_shared<State>(State{policy, ServiceTable(policy->policy().http_services), {}});
  auto issued = issued_.lock();
  for (const auto& service : made->table.services()) {
    const auto& secret = service->declared().secret;
    if (!secret) continue;
    std::string& text = (*issued)[service->name() + " " + secret->format];
    if (text.empty()) text = make_placeholder(secret->format, secret->random_length);
    made->placeholders.push_back({text, service->name()});
  }
  state_.store(made);
  return made;
}

std::vector<std::pair<std::string, std::string>> SessionServices::environment(
    const std::string& base_url) const {
  std::vector<std::pair<std::string, std::string>> variables;
  const auto now = state();
  for (const auto& service : now->table.services()) {
    variables.emplace_back(service->declared().expose_as,
                           fmt::format("{}{}{}/", base_url, kPrefix, service->name()));
    if (const Placeholder* placeholder = now->placeholder_of(*service)) {
      variables.emplace_back(service->declared().secret->expose_as, placeholder->text);
    }
  }
  return variables;
}

std::optional<policy::Verdict> SessionServices::judge_direct(std::string_view host) const {
  const auto service = state()->table.with_host(host);
  if (service == nullptr || service->declared().allow_direct) return {};
  return policy::Verdict::deny(
      kDirectRule,
      fmt::format("It is reached through its service: send the request to ${} instead, which is "
                  "http://.../svc/{}/.",
                  service->declared().expose_as, service->name()));
}

std::optional<flows::ServiceTarget> SessionServices::find(std::string_view path) const {
  if (!path.starts_with(kPrefix)) return {};
  path.remove_prefix(kPrefix.size());
  const std::size_t end = std::min(path.find_first_of("/?"), path.size());
  const auto service = state()->table.with_name(path.substr(0, end));
  if (service == nullptr) return {};
  std::string_view rest = path.substr(end);
  // The variable's value ends with a slash, and many clients put another one behind it.
  if (rest.starts_with("//")) rest.remove_prefix(1);
  std::string target = service->base_path();
  if (!rest.starts_with('/')) target += '/';
  target += rest;
  return flows::ServiceTarget{service->name(), service->host(), service->port(), std::move(target)};
}

std::vector<std::string> SessionServices::names() const {
  std::vector<std::string> names;
  for (const auto& service : state()->table.services()) names.push_back(service->name());
  return names;
}

bool SessionServices::http_only(std::string_view host) const {
  return state()->table.with_host(host) != nullptr;
}

std::unique_ptr<flows::HttpInspector> SessionServices::inspect(const policy::Actor& actor,
                                                               const policy::HttpFacts& facts) {
  auto now = state();
  auto service = facts.via_service.empty() ? now->table.with_host(facts.host)
                                           : now->table.with_name(facts.via_service);
  if (service == nullptr && now->placeholders.empty()) return nullptr;
  return make_service_inspector(shared_from_this(), std::move(now), std::move(service), actor,
                                facts);
}

Result<ReadySecret> SessionServices::make_ready(const State& state, const Service& service,
                                                std::shared_ptr<const SecretText> value) {
  const Placeholder* placeholder = state.placeholder_of(service);
  if (placeholder == nullptr) return fail("the service has no placeholder");
  if (value->size() != placeholder->text.size()) {
    return fail(fmt::format("the secret has {} characters where its format makes {}", value->size(),
                            placeholder->text.size()));
  }
  {
    auto ready = ready_.lock();
    const auto known = ready->find(service.name());
    if (known != ready->end() && known->second.value == value) return known->second;
  }
  ReadySecret made{value, nullptr};
  if (service.declared().scrub_response) {
    auto plan = ScrubPlan::make(value->view(), placeholder->text);
    if (!plan) return std::unexpected(plan.error());
    made.scrub = std::move(*plan);
  }
  audit::Event event("secret_access");
  event.source = "proxy";
  event.operation = "read";
  const std::string& reference = service.declared().secret->ref;
  event.field("service", service.name()).field("source", reference.substr(0, reference.find(':')));
  gate_->record(std::move(event));
  ready_.lock()->insert_or_assign(service.name(), made);
  return made;
}

asio::awaitable<Result<ReadySecret>> SessionServices::secret_of(
    std::shared_ptr<const State> state, std::shared_ptr<const Service> service,
    asio::any_io_executor executor) {
  if (secrets_ == nullptr) co_return fail("there is no source of secrets");
  auto value = co_await fetch_secret(*secrets_, service->declared().secret->ref,
                                     state->policy->policy().providers, executor);
  if (!value) co_return std::unexpected(value.error());
  co_return make_ready(*state, *service, std::move(*value));
}

}  // namespace agentsh::services
