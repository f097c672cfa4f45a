#include "appliance/handlers/handlers.h"
#include "base/domain.h"
#include "base/file_io.h"
#include "base/json_writer.h"
#include "policies/compiled_policy.h"
#include "policies/loader.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace agentsh {
namespace {

using api::Exchange;
using api::Response;
using api::Role;
using boost::asio::awaitable;
using policy::Verdict;

bool may_answer(const SessionRegistry& sessions, const policy::PendingApproval& approval,
                const api::Caller& caller) {
  return sessions.find(approval.request.session_id, caller) != nullptr;
}

awaitable<Response> list_approvals(SessionRegistry& sessions, policy::ApprovalQueue& approvals,
                                   Exchange& exchange) {
  JsonWriter json;
  json.begin_object().key("approvals").begin_array();
  for (const policy::PendingApproval& pending : approvals.pending()) {
    if (!may_answer(sessions, pending, exchange.request.caller)) continue;
    json.begin_object().field("id", std::string_view(pending.id));
    json.field("created_at", std::string_view(format_rfc3339(pending.created_at)));
    json.field("expires_at", std::string_view(format_rfc3339(pending.expires_at)));
    json.field("session_id", std::string_view(pending.request.session_id));
    json.optional_field("command_id", pending.request.command_id);
    json.field("kind", std::string_view(pending.request.kind))
        .field("target", std::string_view(pending.request.target));
    json.field("rule", std::string_view(pending.request.rule));
    json.field("message", std::string_view(pending.request.message)).key("fields").begin_object();
    for (const auto& [name, value] : pending.request.fields)
      json.field(name, std::string_view(value));
    json.end_object().end_object();
  }
  co_return Response::json(json.end_array().end_object().take());
}

awaitable<Response> resolve_approval(SessionRegistry& sessions, policy::ApprovalQueue& approvals,
                                     Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  const std::string_view decision = body->root().text("decision");
  if (decision != "approve" && decision != "deny") {
    co_return Response::error(400, "decision: must be \"approve\" or \"deny\"");
  }
  const std::string& id = exchange.request.captures[0];
  for (const policy::PendingApproval& pending : approvals.pending()) {
    if (pending.id == id && !may_answer(sessions, pending, exchange.request.caller)) {
      co_return Response::error(403, "this approval is of somebody else's session");
    }
  }
  auto resolved = approvals.resolve(id, decision == "approve", body->root().text("reason"),
                                    exchange.request.caller.name);
  if (!resolved) co_return Response::error(resolved.error());
  JsonWriter json;
  json.begin_object().field("id", std::string_view(id)).field("decision", decision).end_object();
  co_return Response::json(json.take());
}

awaitable<Response> list_policies(policy::PolicyStore& policies) {
  JsonWriter json;
  json.begin_object().key("policies").begin_array();
  for (const policy::PolicyListing& listing : policies.list()) {
    json.begin_object()
        .field("name", std::string_view(listing.name))
        .field("path", std::string_view(listing.path));
    json.optional_field("description", listing.description)
        .optional_field("error", listing.error)
        .end_object();
  }
  co_return Response::json(json.end_array().end_object().take());
}

awaitable<Response> show_policy(policy::PolicyStore& policies, Exchange& exchange) {
  auto path = policies.find(exchange.request.captures[0]);
  if (!path) co_return Response::error(path.error());
  auto text = read_file(*path, 4 << 20);
  if (!text) co_return Response::error(text.error());
  co_return Response{200, std::move(*text), "application/yaml"};
}

awaitable<Response> validate_policy(Exchange& exchange) {
  policy::Diagnostics problems("policy");
  const bool valid = policy::load_policy(exchange.request.body, problems).has_value();
  JsonWriter json;
  json.begin_object().field("valid", valid).key("problems").begin_array();
  if (!valid) json.value(std::string_view(problems.to_error().what));
  co_return Response::json(json.end_array().end_object().take());
}

// "host:port" or "host" as a connection; the session's leases are not asked, the name is believed.
Result<Verdict> judge_connection(const policy::CompiledPolicy& compiled,
                                 const std::string& target) {
  auto parts = split_host_port(target, 443);
  if (!parts) return fail("path: expected host:port, not " + target);
  policy::ConnectFacts facts;
  facts.port = parts->port;
  if (auto address = IpAddress::parse(parts->host)) {
    facts.address = *address;
    return compiled.decide(facts);
  }
  auto name = canonical_host(parts->host);
  if (!name) return fail("path: not a host name: " + parts->host);
  facts.name = *name;
  facts.address = IpAddress::v4(0x08080808);  // Some public address, as such a name has.
  return compiled.decide(facts);
}

Result<Verdict> judge(const policy::CompiledPolicy& compiled, const std::string& operation,
                      const std::string& target) {
  if (operation == "connect" || operation == "net_connect")
    return judge_connection(compiled, target);
  if (operation == "dns") {
    auto name = canonical_host(target);
    if (!name) return fail("path: not a host name: " + target);
    return compiled.decide(policy::DnsFacts{*name, "A"});
  }
  if (operation == "exec") {
    std::istringstream words(target);
    std::string command;
    words >> command;
    std::vector<std::string> arguments;
    for (std::string word; words >> word;) arguments.push_back(word);
    return compiled.decide(policy::CommandFacts{command, arguments, 0, {}});
  }
  if (!policy::parse_file_operation(operation)) {
    return fail("operation: \"" + operation +
                "\" is none of connect, dns, exec and the file operations");
  }
  return compiled.decide(policy::FileFacts{target, operation});
}

awaitable<Response> test_policy(SessionRegistry& sessions, policy::PolicyStore& policies,
                                const config::ServerConfig& config, Exchange& exchange) {
  auto body = exchange.json_body();
  if (!body) co_return Response::error(body.error());
  const JsonValue root = body->root();
  std::shared_ptr<const policy::CompiledPolicy> compiled;
  if (const std::string_view id = root.text("session_id"); !id.empty()) {
    auto session = sessions.find(id, exchange.request.caller);
    if (!session) co_return Response::error(404, fmt::format("session not found: {}", id));
    compiled = session->gate().policy();
  } else {
    const std::string name(root.text("policy", config.policies.default_policy));
    const policy::Variables variables({{"PROJECT_ROOT", "/workspace"},
                                       {"HOME", "/root"},
                                       {"GIT_ROOT", "/workspace"},
                                       {"WORKSPACE", "/workspace"}});
    auto loaded = policies.get(name, variables);
    if (!loaded) co_return Response::error(loaded.error());
    compiled = *loaded;
  }
  auto verdict =
      judge(*compiled, std::string(root.text("operation")), std::string(root.text("path")));
  if (!verdict) co_return Response::error(verdict.error());
  JsonWriter json;
  json.begin_object().field("decision", verdict->permitted()        ? "allow"
                                        : verdict->needs_approval() ? "approve"
                                                                    : "deny");
  json.field("policy_decision", to_string(verdict->decision()))
      .field("rule", std::string_view(verdict->rule()));
  json.field("reason", std::string_view(verdict->message())).end_object();
  co_return Response::json(json.take());
}

awaitable<Response> show_authority(SessionTrust& trust) {
  co_return Response{200, trust.current()->authority->certificate_pem(), "application/x-pem-file"};
}

awaitable<Response> rotate_authority(SessionTrust& trust) {
  if (auto rotated = trust.rotate(); !rotated) co_return Response::error(rotated.error());
  JsonWriter json;
  json.begin_object()
      .field("fingerprint", std::string_view(trust.current()->authority->fingerprint()))
      .end_object();
  co_return Response::json(json.take());
}

}  // namespace

void add_policy_routes(api::Router& router, SessionRegistry& sessions,
                       policy::ApprovalQueue& approvals, policy::PolicyStore& policies,
                       SessionTrust& trust, const config::ServerConfig& config) {
  router.add("GET", "/api/v1/approvals", Role::kApprover,
             [&](Exchange& exchange) { return list_approvals(sessions, approvals, exchange); });
  router.add("POST", "/api/v1/approvals/{id}", Role::kApprover,
             [&](Exchange& exchange) { return resolve_approval(sessions, approvals, exchange); });
  router.add("GET", "/api/v1/policies", Role::kAdmin,
             [&](Exchange&) { return list_policies(policies); });
  router.add("GET", "/api/v1/policies/{name}", Role::kAdmin,
             [&](Exchange& exchange) { return show_policy(policies, exchange); });
  router.add("POST", "/api/v1/policies/validate", Role::kAdmin, validate_policy);
  router.add("POST", "/api/v1/policy/test", Role::kAgent,
             [&](Exchange& exchange) { return test_policy(sessions, policies, config, exchange); });
  router.add("GET", "/api/v1/ca", Role::kAgent, [&](Exchange&) { return show_authority(trust); });
  router.add("POST", "/api/v1/ca/rotate", Role::kAdmin,
             [&](Exchange&) { return rotate_authority(trust); });
}

}  // namespace agentsh
