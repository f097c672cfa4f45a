#include "appliance/handlers/handlers.h"
#include "appliance/version.h"
#include "base/json_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

using api::Exchange;
using api::Response;
using api::Role;
using boost::asio::awaitable;

awaitable<Response> document(std::shared_ptr<const std::string> json) {
  co_return Response::json(*json);
}

awaitable<Response> say(std::string text) {
  co_return Response::text(std::move(text));
}

// Prometheus text exposition format 0.0.4.
awaitable<Response> metrics(const Health& health) {
  const auto uptime =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - health.started).count();
  std::string text;
  auto gauge = [&text](std::string_view name, std::string_view help, double value) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} gauge\n{0} {2}\n", name, help, value);
  };
  auto counter = [&text](std::string_view name, std::string_view help, std::uint64_t value) {
    text += fmt::format("# HELP {0} {1}\n# TYPE {0} counter\n{0} {2}\n", name, help, value);
  };
  gauge("agentsh_up", "1 while the server runs", 1);
  gauge("agentsh_uptime_seconds", "Seconds since the server started", uptime);
  gauge("agentsh_sessions_active", "Sessions that exist",
        static_cast<double>(health.sessions.size()));
  counter("agentsh_events_total", "Audit events recorded", health.recorder.recorded());
  counter("agentsh_events_dropped_total", "Audit events that found no room",
          health.recorder.dropped());
  gauge("agentsh_audit_writing", "1 while the audit log can be written",
        health.recorder.writing() ? 1 : 0);
  if (health.accounting) health.accounting->metrics().write(text);
  co_return Response{200, std::move(text), "text/plain; version=0.0.4; charset=utf-8"};
}

std::string openapi(const std::vector<api::Router::Description>& routes) {
  JsonWriter json(2);
  json.begin_object().field("openapi", "3.1.0").key("info").begin_object();
  json.field("title", "agentsh control API").field("version", kVersion).end_object();
  json.key("paths").begin_object();
  std::vector<std::string> done;
  for (const auto& route : routes) {
    if (std::ranges::find(done, route.pattern) != done.end()) continue;
    done.push_back(route.pattern);
    json.key(route.pattern).begin_object();
    for (const auto& other : routes) {
      if (other.pattern != route.pattern) continue;
      std::string method = other.method;
      for (char& c : method) c = static_cast<char>(c | 32);
      json.key(method).begin_object();
      json.field("x-role", other.role == Role::kNone       ? "none"
                           : other.role == Role::kAgent    ? "agent"
                           : other.role == Role::kApprover ? "approver"
                                                           : "admin");
      json.key("responses")
          .begin_object()
          .key("200")
          .begin_object()
          .field("description", "OK")
          .end_object();
      json.key("default")
          .begin_object()
          .field("description", "{\"error\": sentence}")
          .end_object()
          .end_object();
      json.end_object();
    }
    json.end_object();
  }
  return json.end_object().end_object().take();
}

}  // namespace

void add_health_routes(api::Router& router, Health health, const config::ServerConfig& config) {
  router.add("GET", config.health.path, Role::kNone, [](Exchange&) { return say("ok\n"); });
  router.add("GET", config.health.readiness_path, Role::kNone,
             [](Exchange&) { return say("ready\n"); });
  if (config.metrics.enabled) {
    auto shared = std::make_shared<Health>(std::move(health));
    router.add("GET", config.metrics.path, Role::kNone,
               [shared](Exchange&) { return metrics(*shared); });
  }
  auto description = std::make_shared<const std::string>(openapi(router.describe()));
  router.add("GET", "/openapi.json", Role::kNone,
             [description](Exchange&) { return document(description); });
}

}  // namespace agentsh
