// Connections to servers from this process's own network namespace, straight or through a
// corporate proxy.
//
// Straight: exactly the address that was checked. Through a proxy: CONNECT with the host name,
// where one is known (such proxies decide by name), else with the address; plain HTTP in absolute
// form. Which address the proxy then connects to is its own affair.
#pragma once

#include "proxy/flows/services.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::flows {

struct CorporateProxy {
  // Where it is now; empty while its name cannot be resolved. Called on any worker's thread.
  std::function<std::optional<Endpoint>()> endpoint;
  std::string authorization;                // Value of Proxy-Authorization; empty: none.
  std::vector<std::string> direct_domains;  // Canonical; these and their subdomains go straight.
  std::vector<Cidr> direct_networks;
};

struct ConnectorOptions {
  std::chrono::milliseconds timeout{10'000};
  std::optional<CorporateProxy> proxy = {};
};

class DirectConnector final : public UpstreamConnector {
 public:
  explicit DirectConnector(ConnectorOptions options) : options_(std::move(options)) {}

  boost::asio::awaitable<Result<ServerConnection>> connect(boost::asio::any_io_executor executor,
                                                           UpstreamTarget target,
                                                           ServerUse use) override;

 private:
  bool goes_straight(const UpstreamTarget& target) const;
  boost::asio::awaitable<Result<ServerConnection>> connect_by_proxy(
      boost::asio::any_io_executor executor, UpstreamTarget target, ServerUse use);

  const ConnectorOptions options_;
};

}  // namespace agentsh::flows
