// One client connection on its way through the flows: what is known of it, what was decided, what
// has been read of it and not used yet.
//
// Owned by the coroutine of run_flow(); flows get a reference. Threads: one worker's.
#pragma once

#include "proxy/flows/buffer.h"
#include "proxy/flows/http_inspector.h"
#include "proxy/flows/options.h"
#include "proxy/flows/services.h"

#include <chrono>
#include <memory>
#include <string>

namespace agentsh::flows {

// What all connections of a session share. The composition root keeps it alive by shared_ptr.
struct FlowContext {
  std::shared_ptr<FlowPolicy> policy;
  std::shared_ptr<NameLeases> leases;
  std::shared_ptr<NameResolver> resolver;
  std::shared_ptr<TlsServices> tls;
  std::shared_ptr<UpstreamConnector> connector;
  std::shared_ptr<HttpInspectorFactory> inspectors;  // May be null.
  std::shared_ptr<ServiceDirectory> services;        // May be null.
  std::shared_ptr<DatabaseGuard> databases;          // May be null.
  FlowOptions options;
};

struct Connection {
  std::shared_ptr<const FlowContext> context;
  std::unique_ptr<net::ByteStream> client;
  Buffer start;  // Read from `client` and not used yet.
  Endpoint destination;
  policy::Actor actor;
  // The client connected to the proxy itself (HTTP_PROXY), not to a server.
  bool explicit_proxy = false;
  // It connected to the address where the policy's services are (/svc/NAME/).
  bool service_listener = false;
  bool in_tunnel = false;  // Inside of a CONNECT.
  bool tls = false;        // TLS was opened; `client` is the inside.
  std::string sni;
  // A connection to `destination` that was opened before it was known what is spoken on it.
  std::unique_ptr<net::ByteStream> preconnected;

  // For net_close: payload of the client's leg, in the session's view.
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t requests = 0;
  std::string name;  // Under which it was last allowed.
  std::chrono::steady_clock::time_point opened = std::chrono::steady_clock::now();

  const FlowOptions& options() const { return context->options; }
};

}  // namespace agentsh::flows
