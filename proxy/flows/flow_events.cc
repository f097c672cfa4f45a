#include "proxy/flows/flow_events.h"

namespace agentsh::flows {

audit::Event connection_event(const Connection& connection, std::string type,
                              std::string_view name) {
  audit::Event event(std::move(type));
  event.source = "proxy";
  event.command_id = connection.actor.command_id;
  event.pid = connection.actor.pid;
  event.program = connection.actor.program;
  event.domain = name;
  event.remote = connection.destination.to_string();
  return event;
}

audit::Event connect_event(const Connection& connection, std::string_view name,
                           std::string_view protocol) {
  audit::Event event = connection_event(connection, "net_connect", name);
  event.operation = "connect";
  event.fields.reserve(5);
  event.field("protocol", std::string(protocol))
      .field("resolved_ip", connection.destination.address.to_string())
      .field("port", static_cast<std::int64_t>(connection.destination.port));
  if (!connection.sni.empty()) event.field("sni", connection.sni);
  return event;
}

audit::Event close_event(const Connection& connection) {
  audit::Event event = connection_event(connection, "net_close", connection.name);
  event.operation = "close";
  event.field("bytes_sent", static_cast<std::int64_t>(connection.bytes_sent))
      .field("bytes_received", static_cast<std::int64_t>(connection.bytes_received))
      .field("duration_ms", milliseconds_since(connection.opened));
  if (connection.requests > 0) {
    event.field("requests", static_cast<std::int64_t>(connection.requests));
  }
  return event;
}

audit::Event intercept_event(const Connection& connection, const TlsLeg& server) {
  audit::Event event = connection_event(connection, "tls_intercept", connection.name);
  event.operation = "intercept";
  event.field("sni", connection.sni)
      .field("certificate_subject", server.subject)
      .field("certificate_issuer", server.issuer)
      .field("tls_version", server.version)
      .field("alpn", server.alpn);
  return event;
}

audit::Event intercept_failure_event(const Connection& connection, std::string_view leg,
                                     std::string_view reason) {
  audit::Event event = connection_event(connection, "tls_intercept", connection.name);
  event.operation = "intercept";
  event.field("sni", connection.sni)
      .field("failed_leg", std::string(leg))
      .field("error", std::string(reason));
  return event;
}

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

}  // namespace agentsh::flows
