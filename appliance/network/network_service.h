// The proxy stack of the daemon: worker threads that serve every session's connections and DNS
// queries.
//
// A session's connections are accepted by all workers (each has a duplicate of the listening
// sockets) and stay on the one that accepted them. Its DNS sockets are served by one worker.
//
// Threads: open(), close(), publish() from the API's loop; record_refusal() from any.
#pragma once

#include "appliance/config/config.h"
#include "appliance/network/ingress.h"
#include "audit/recorder.h"
#include "base/result.h"
#include "policies/gate.h"
#include "sandbox/process/launcher.h"

#include <boost/asio/any_io_executor.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace agentsh {

namespace certs {
class LeafCache;
}
namespace flows {
class HttpInspectorFactory;
}
namespace services {
class SecretSource;
class SessionServices;
}  // namespace services

// A session as the network sees it.
struct NetworkSession {
  std::shared_ptr<policy::Gate> gate;
  std::shared_ptr<Ingress> ingress;
  std::shared_ptr<certs::LeafCache> leaves;
  std::vector<std::uint16_t> host_ports;
  std::shared_ptr<flows::HttpInspectorFactory> inspectors;  // May be null.
  std::shared_ptr<services::SessionServices> services;      // Nearer to the server than those.
};

class NetworkService {
 public:
  static Result<std::unique_ptr<NetworkService>> create(
      const config::ServerConfig& config, audit::Recorder& recorder,
      std::shared_ptr<services::SecretSource> secrets);
  // Ends all connections, the workers' threads last.
  ~NetworkService();

  // Serves the session's sockets until close().
  Result<> open(NetworkSession session);
  void close(const std::string& session_id);

  // Listens on 127.0.0.1:`host_port` (0: any free one) and passes connections on to what `connect`
  // makes. Returns the port. Ends with the session. `connect` is called on the API's loop.
  using ConnectInside = std::function<void(std::function<void(Result<UniqueFd>)> done)>;
  Result<std::uint16_t> publish(const std::string& session_id, std::uint16_t host_port,
                                boost::asio::any_io_executor executor, ConnectInside connect);

  // Where a session's programs find an HTTP proxy, if they insist on one.
  static std::string proxy_url();

  // Where a session's programs find the policy's http_services, as /svc/NAME/: a loopback port that
  // the redirect takes to the proxy.
  static constexpr std::uint16_t kServicePort = 61954;
  static std::string services_url();

  // The kernel refused something by itself: one event for it.
  void record_refusal(const bpf::KernelRefusal& refusal);

 private:
  struct State;
  explicit NetworkService(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace agentsh
