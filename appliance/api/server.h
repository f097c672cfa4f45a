// The control API's listeners: HTTP/1.1 on a Unix socket with peer credentials, and on TCP with API
// keys, there plain or over TLS 1.2 and later.
//
// Nothing inside a session can reach either: sessions have their own network namespace and a view
// of the filesystem without the socket. As a second wall, a Unix peer that is in a session's PID
// namespace is refused.
//
// Threads: everything on the executor's. Errors in one connection end that connection.
#pragma once

#include "appliance/api/router.h"
#include "base/ip.h"
#include "certs/leaf.h"
#include "proxy/net/listener.h"
#include "proxy/net/task_group.h"
#include "proxy/net/tls_context.h"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace agentsh::api {

// Decides who a caller is. `request` has the API key; for the Unix socket `caller` holds the peer's
// ids already.
using Authenticator = std::function<void(const Request& request, Caller& caller)>;

struct ServerOptions {
  std::chrono::milliseconds read_timeout{30'000};    // For a request to arrive.
  std::chrono::milliseconds write_timeout{300'000};  // For a peer that does not read.
  std::size_t max_body = 10u << 20;
  std::string key_header = "x-api-key";
};

class Server {
 public:
  Server(boost::asio::any_io_executor executor, Router router, Authenticator authenticate,
         ServerOptions options);

  // Takes over listening sockets.
  Result<> serve_unix(UniqueFd listener);
  Result<> serve_tcp(UniqueFd listener);
  // The same with TLS and set_certificate()'s certificate. A plain request is told so.
  Result<> serve_tls(UniqueFd listener);
  // For connections from now on.
  void set_certificate(std::shared_ptr<const certs::Leaf> certificate) {
    certificate_ = std::move(certificate);
  }
  const Router& router() const { return router_; }

  // Stops accepting and ends the connections.
  boost::asio::awaitable<void> shutdown();

 private:
  enum class Kind { kUnix, kTcp, kTls };
  Result<> serve(UniqueFd listener, Kind kind);
  boost::asio::awaitable<void> accept(std::shared_ptr<net::Listener> listener, Kind kind);
  boost::asio::awaitable<void> converse(UniqueFd socket, Kind kind);
  boost::asio::awaitable<std::unique_ptr<net::ByteStream>> shake_hands(
      std::unique_ptr<net::SocketStream> stream);
  boost::asio::awaitable<bool> answer_one(Connection& connection, Caller peer);

  boost::asio::any_io_executor executor_;
  Router router_;
  Authenticator authenticate_;
  ServerOptions options_;
  net::TaskGroup tasks_;
  std::vector<std::shared_ptr<net::Listener>> listeners_;
  std::shared_ptr<const net::ServerContext> tls_;
  std::shared_ptr<const certs::Leaf> certificate_;
};

// Makes the Unix socket: a stale one (nobody answers) is replaced, a live one is an error that says
// so.
Result<UniqueFd> listen_on_unix_socket(const std::string& path, mode_t mode,
                                       std::optional<gid_t> group);

}  // namespace agentsh::api
