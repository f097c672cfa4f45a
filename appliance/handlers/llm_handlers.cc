#include "appliance/gateway/accounting.h"
#include "appliance/handlers/handlers.h"
#include "base/json_writer.h"
#include "dlp/profile.h"
#include "proxy/gateway/keys_file.h"

#include <fmt/format.h>

namespace agentsh {
namespace {

using api::Exchange;
using api::Response;
using api::Role;
using boost::asio::awaitable;
using gateway::Period;

constexpr Period kPeriods[] = {Period::kHour, Period::kDay, Period::kMonth, Period::kTotal};

std::optional<WallTime> parse_time(std::string_view text) {
  if (auto time = parse_rfc3339(text)) return time;
  if (auto back = parse_duration(text)) {
    return std::chrono::system_clock::now() -
           std::chrono::duration_cast<std::chrono::system_clock::duration>(*back);
  }
  return {};
}

Result<gateway::UsageQuery> parse_query(const api::Request& request) {
  gateway::UsageQuery query;
  const std::string_view by = request.parameter("by", "model");
  const auto group = gateway::parse_group_by(by);
  if (!group) return fail(fmt::format("by: \"{}\" is none of model, session, key, day", by));
  query.by = *group;
  for (const auto& [name, target] :
       {std::pair("since", &query.since), std::pair("until", &query.until)}) {
    const std::string_view text = request.parameter(name);
    if (text.empty()) continue;
    *target = parse_time(text);
    if (!*target) {
      return fail(fmt::format("{}: \"{}\" is neither an RFC 3339 time nor a duration", name, text));
    }
  }
  query.session = request.parameter("session");
  query.key = request.parameter("key");
  return query;
}

awaitable<Response> usage(Accounting& accounting, Exchange& exchange) {
  auto query = parse_query(exchange.request);
  if (!query) co_return Response::error(query.error());
  auto report = accounting.ledger().report(*query);
  if (!report) co_return Response::error(report.error());
  co_return Response::json(gateway::to_json(*report));
}

// The key as it is shown: never its hash.
void write_key(const gateway::VirtualKey& key, Accounting& accounting, JsonWriter& json) {
  const WallTime now = std::chrono::system_clock::now();
  json.field("id", key.id).field("state", to_string(key.state(now)));
  json.field("created", format_rfc3339(key.created));
  if (key.revoked) json.field("revoked", format_rfc3339(*key.revoked));
  gateway::write_key_spec(key, json);
  json.key("used").begin_object();
  for (const Period period : kPeriods) {
    const gateway::Used used = accounting.spending()->used("key:" + key.id, period);
    json.key(to_string(period)).begin_object().field("tokens", used.tokens);
    json.field("dollars", llm::format_dollars(used.nano_dollars)).end_object();
  }
  json.end_object();
}

awaitable<Response> create_key(gateway::KeyStore& keys, Accounting& accounting,
                               audit::Recorder& recorder, Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  auto spec = gateway::parse_key_spec(body->root());
  if (!spec) co_return Response::error(spec.error());
  if (!spec->dlp_profile.empty() && !dlp::parse_mode(spec->dlp_profile)) {
    co_return Response::error(400, "dlp: is none of redact, tokenize, block, audit, disabled");
  }
  auto created = keys.create(std::move(*spec), std::chrono::system_clock::now());
  if (!created) co_return Response::error(created.error());
  audit::Event event("gateway_key_created");
  event.source = "api";
  event.field("key_id", created->key.id).field("name", created->key.name);
  event.field("caller", exchange.request.caller.name);
  recorder.record(std::move(event));
  JsonWriter json;
  json.begin_object().field("key", created->secret);
  write_key(created->key, accounting, json);
  json.end_object();
  co_return Response::json(json.take(), 201);
}

awaitable<Response> list_keys(gateway::KeyStore& keys, Accounting& accounting) {
  JsonWriter json;
  json.begin_object().key("keys").begin_array();
  for (const gateway::VirtualKey& key : keys.current()->all()) {
    json.begin_object();
    write_key(key, accounting, json);
    json.end_object();
  }
  json.end_array().end_object();
  co_return Response::json(json.take());
}

awaitable<Response> revoke_key(gateway::KeyStore& keys, Accounting& accounting,
                               audit::Recorder& recorder, Exchange& exchange) {
  auto revoked = keys.revoke(exchange.request.captures.front(), std::chrono::system_clock::now());
  if (!revoked) co_return Response::error(revoked.error());
  audit::Event event("gateway_key_revoked");
  event.source = "api";
  event.field("key_id", revoked->id).field("name", revoked->name);
  event.field("caller", exchange.request.caller.name);
  recorder.record(std::move(event));
  JsonWriter json;
  json.begin_object();
  write_key(*revoked, accounting, json);
  json.end_object();
  co_return Response::json(json.take());
}

// The reference's fields, and the sums.
awaitable<Response> proxy_status(const LlmState& state, std::string session) {
  auto report = state.accounting->ledger().report({.session = session});
  if (!report) co_return Response::error(report.error());
  JsonWriter json;
  json.begin_object().field("state", state.enabled ? "running" : "disabled");
  json.field("address", state.enabled ? "transparent" : "");
  json.field("mode", state.mode).field("dlp_mode", state.dlp_mode);
  const std::vector<std::string> detectors = state.detectors();
  json.field("active_patterns", detectors.size()).key("pattern_names").begin_array();
  for (const std::string& id : detectors) json.value(id);
  json.end_array();
  const gateway::UsageSums& sums = report->totals;
  json.field("total_requests", sums.requests + sums.refused)
      .field("requests_with_redactions", sums.redacted)
      .field("total_input_tokens", sums.input)
      .field("total_output_tokens", sums.output);
  json.optional_field("session_id", session);
  json.key("usage").begin_object();
  gateway::write_sums(sums, json);
  json.end_object().key("gateway").begin_array();
  for (const std::string& address : state.gateway_addresses) json.value(address);
  json.end_array().end_object();
  co_return Response::json(json.take());
}

awaitable<Response> llm_log(Accounting& accounting, std::string session) {
  auto text = accounting.log().read(session);
  if (!text) co_return Response::error(text.error());
  co_return Response{200, std::move(*text), "application/x-ndjson"};
}

// What belongs to a session is its owner's and the admin's.
bool may_see(SessionRegistry& sessions, const Exchange& exchange) {
  return exchange.request.caller.role == Role::kAdmin ||
         sessions.find(exchange.request.captures.front(), exchange.request.caller) != nullptr;
}

awaitable<Response> no_such_session(std::string id) {
  co_return Response::error(404, fmt::format("session not found: {}", id));
}

}  // namespace

void add_llm_routes(api::Router& router, SessionRegistry& sessions, audit::Recorder& recorder,
                    LlmState state) {
  auto shared = std::make_shared<const LlmState>(std::move(state));
  Accounting& accounting = *shared->accounting;
  router.add("GET", "/api/v1/usage", Role::kAdmin,
             [shared, &accounting](Exchange& exchange) { return usage(accounting, exchange); });
  router.add("GET", "/api/v1/proxy", Role::kAdmin,
             [shared](Exchange&) { return proxy_status(*shared, {}); });
  router.add("GET", "/api/v1/sessions/{id}/proxy", Role::kAgent,
             [shared, &sessions](Exchange& exchange) {
               const std::string id = exchange.request.captures.front();
               return may_see(sessions, exchange) ? proxy_status(*shared, id) : no_such_session(id);
             });
  router.add("GET", "/api/v1/sessions/{id}/llm-requests", Role::kAgent,
             [shared, &accounting, &sessions](Exchange& exchange) {
               const std::string id = exchange.request.captures.front();
               return may_see(sessions, exchange) ? llm_log(accounting, id) : no_such_session(id);
             });
  router.add("POST", "/api/v1/gateway/keys", Role::kAdmin,
             [shared, &accounting, &recorder](Exchange& exchange) {
               return create_key(*shared->keys, accounting, recorder, exchange);
             });
  router.add("GET", "/api/v1/gateway/keys", Role::kAdmin,
             [shared, &accounting](Exchange&) { return list_keys(*shared->keys, accounting); });
  router.add("DELETE", "/api/v1/gateway/keys/{id}", Role::kAdmin,
             [shared, &accounting, &recorder](Exchange& exchange) {
               return revoke_key(*shared->keys, accounting, recorder, exchange);
             });
}

}  // namespace agentsh
