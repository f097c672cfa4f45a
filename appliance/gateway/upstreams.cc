#include "appliance/gateway/upstreams.h"

#include "proxy/llm/dialect.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh {
namespace {

using config::KeyField;

// The field that a provider's servers look for the key in.
KeyField usual_field(std::string_view provider) {
  if (provider == "anthropic") return KeyField::kXApiKey;
  if (provider == "gcp.gemini") return KeyField::kXGoogApiKey;
  if (provider == "azure.ai.openai" || provider == "azure.ai.inference") return KeyField::kApiKey;
  return KeyField::kBearer;
}

void set_key_field(KeyField field, gateway::Upstream& upstream) {
  switch (field) {
    case KeyField::kBearer:
      upstream.key_field = "authorization";
      upstream.key_prefix = "Bearer ";
      break;
    case KeyField::kXApiKey:
      upstream.key_field = "x-api-key";
      break;
    case KeyField::kXGoogApiKey:
      upstream.key_field = "x-goog-api-key";
      break;
    case KeyField::kApiKey:
      upstream.key_field = "api-key";
      break;
    case KeyField::kAutomatic:
    case KeyField::kNone:
      break;
  }
}

Result<gateway::Upstream> read_upstream(const config::GatewayUpstream& one) {
  const auto server = llm::parse_base_url(one.base_url);
  if (!server) {
    return fail(fmt::format("gateway.upstreams: {}: {} is no base URL", one.name, one.base_url));
  }
  gateway::Upstream upstream;
  upstream.name = one.name;
  upstream.provider = one.provider;
  upstream.tls = one.base_url.starts_with("https://");
  upstream.host = server->host;
  upstream.port = server->port;
  upstream.path = server->path;
  if (!one.api_key.empty()) {
    const auto known =
        llm::recognise({.host = server->host, .port = server->port, .path = "/"}, {});
    const std::string provider = one.provider.empty() && known ? known->provider : one.provider;
    set_key_field(one.key_field == KeyField::kAutomatic ? usual_field(provider) : one.key_field,
                  upstream);
  }
  for (const auto& [name, value] : one.headers) upstream.fields.emplace_back(name, value);
  return upstream;
}

}  // namespace

Result<std::vector<gateway::Upstream>> read_upstreams(const config::GatewaySection& section) {
  std::vector<gateway::Upstream> upstreams;
  for (const config::GatewayUpstream& one : section.upstreams) {
    if (std::ranges::find(upstreams, one.name, &gateway::Upstream::name) != upstreams.end()) {
      return fail(fmt::format("gateway.upstreams: {} is there twice", one.name));
    }
    auto upstream = read_upstream(one);
    if (!upstream) return std::unexpected(upstream.error());
    upstreams.push_back(std::move(*upstream));
  }
  if (upstreams.empty()) return fail("gateway.upstreams: the gateway has no upstream");
  return upstreams;
}

Result<gateway::RouteTable> read_routes(const config::GatewaySection& section) {
  std::vector<gateway::Route> routes;
  for (const config::GatewayRoute& one : section.routes) {
    gateway::Route& route = routes.emplace_back();
    route.models = one.models;
    route.path_prefix = one.path;
    for (const config::GatewayChoice& choice : one.upstreams) {
      const auto found =
          std::ranges::find(section.upstreams, choice.upstream, &config::GatewayUpstream::name);
      if (found == section.upstreams.end()) {
        return fail(fmt::format("gateway.routes: there is no upstream \"{}\"", choice.upstream));
      }
      route.choices.push_back({static_cast<std::size_t>(found - section.upstreams.begin()),
                               static_cast<unsigned>(choice.weight)});
    }
  }
  if (routes.empty()) {
    gateway::Route& all = routes.emplace_back();
    for (std::size_t i = 0; i < section.upstreams.size(); ++i) all.choices.push_back({i, 0});
  }
  return gateway::RouteTable(std::move(routes));
}

}  // namespace agentsh
