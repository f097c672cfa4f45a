// Connections to servers, and the stock of idle ones.
//
// A pooled connection belongs to one session, one target and one TLS name; it is given again only
// for the same three, so nothing that a server ties to a connection crosses between them. What is
// taken from the pool may have been closed by the server meanwhile: is_alive() tells what is known
// so far, and the HTTP flow retries what it safely can.
//
// Threads: one pool per worker, reached through its executor. Lifetime: the pool ends its idle
// connections with the event loop.
#pragma once

#include "proxy/flows/buffer.h"
#include "proxy/flows/services.h"
#include "proxy/net/deadlines.h"

#include <boost/asio/execution_context.hpp>

#include <chrono>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

namespace agentsh::flows {

// Session, target and TLS name, as one comparable text.
std::string upstream_key(std::string_view session, const UpstreamTarget& target,
                         std::string_view tls_name);

// A connection to a server that speaks HTTP, plain or inside TLS.
class Upstream {
 public:
  Upstream(ServerConnection connection, std::string key);

  net::ByteStream& stream() { return *connection_.stream; }
  const std::string& key() const { return key_; }
  net::StreamDeadline& deadline() { return deadline_; }
  // See ServerConnection.
  bool forward_proxy() const { return connection_.forward_proxy; }
  const std::string& proxy_authorization() const { return connection_.proxy_authorization; }
  bool reused() const { return exchanges_ > 0; }
  void count_exchange() { ++exchanges_; }
  // The server ties a user to this connection (NTLM, Negotiate): it must not serve another client.
  void keep_private() { private_ = true; }
  bool is_private() const { return private_; }

  // Nothing has come since the last response: neither an end nor bytes that nobody asked for.
  bool is_alive();

  Buffer in;

 private:
  ServerConnection connection_;
  std::string key_;
  net::StreamDeadline deadline_;
  unsigned exchanges_ = 0;
  bool private_ = false;
};

class UpstreamPool final : public boost::asio::execution_context::service {
 public:
  using key_type = UpstreamPool;
  inline static boost::asio::execution_context::id id;

  struct Limits {
    std::size_t per_key = 32;
    std::size_t total = 256;
    std::chrono::milliseconds idle{60'000};
  };

  static UpstreamPool& of(const boost::asio::any_io_executor& executor);
  explicit UpstreamPool(boost::asio::execution_context& context);

  // The one that was used last, if it still looks alive. Null when there is none.
  std::unique_ptr<Upstream> take(const std::string& key);
  // Beyond the limits the oldest of its key (or this one) is closed.
  void give(std::unique_ptr<Upstream> upstream, const Limits& limits);

  std::size_t size() const { return size_; }

 private:
  struct Idle {
    std::unique_ptr<Upstream> upstream;
    std::chrono::steady_clock::time_point until;
  };

  void shutdown() override { idle_.clear(); }
  void sweep();

  boost::asio::execution_context& context_;
  std::unordered_map<std::string, std::deque<Idle>> idle_;
  std::size_t size_ = 0;
  std::unique_ptr<net::Deadline> sweep_;  // Made with the first connection.
};

}  // namespace agentsh::flows
