// A client's connection to the gateway: its requests are read whole, checked against the key that
// they present, and sent to one of the upstreams that the routes name; answers stream back.
//
//   present key -> key's models, budgets -> route -> upstream (or the next) -> answer
//
// A request goes to another upstream only when the one before cannot have served it: it could not
// be reached, or it said itself that it has no capacity (429, 503, 529) before anything of its
// answer was given to the client.
//
// Who looks into the exchange, counts it and edits it is the LLM inspector, as for sessions.
//
// Threads: a connection stays on its worker; the context is shared by all of one worker's, what it
// points to by all workers.
#pragma once

#include "proxy/flows/connection.h"
#include "proxy/gateway/keys.h"
#include "proxy/gateway/routing.h"
#include "proxy/llm/services.h"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace agentsh::gateway {

// A provider's server.
struct Upstream {
  std::string name;
  // For prices and records; empty: told from the host.
  std::string provider;
  bool tls = true;
  std::string host;  // A host name or an address.
  std::uint16_t port = 443;
  std::string path;  // Of the base URL.
  // The field that the provider's key goes in, and what stands before the key: "authorization",
  // "Bearer ". Empty: no key.
  std::string key_field;
  std::string key_prefix;
  std::vector<std::pair<std::string, std::string>> fields;  // Set in each request.

  std::string authority() const;
};

struct GatewayContext {
  std::shared_ptr<const flows::FlowContext> flow;
  std::shared_ptr<KeyStore> keys;
  std::shared_ptr<const std::vector<Upstream>> upstreams;
  std::shared_ptr<const RouteTable> routes;
  std::shared_ptr<UpstreamHealth> health;
  // The provider's key, as it is now. Must not block.
  std::function<Result<std::string>(std::size_t upstream)> provider_key;
  // What the exchanges of a key with an upstream are to be like; null: it will be known after
  // wait_for_services(). Must not block.
  std::function<Result<std::shared_ptr<const llm::LlmServices>>(const VirtualKey& key,
                                                                const Upstream& upstream)>
      services;
  std::function<boost::asio::awaitable<void>(boost::asio::any_io_executor)> wait_for_services;
  // Something that would be too late or too early for the inspector: a request without a valid key,
  // or for what the key may not use.
  std::function<void(audit::Event)> record;
  std::function<std::string()> metrics;  // Null: not served here.
  std::uint64_t max_request_bytes = 64u << 20;
};

// Serves the connection until it ends. `client` is inside TLS if there is any.
boost::asio::awaitable<void> run_gateway(std::shared_ptr<const GatewayContext> context,
                                         std::unique_ptr<net::ByteStream> client, Endpoint peer);

}  // namespace agentsh::gateway
