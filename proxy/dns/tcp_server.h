// Accepts DNS connections of one session: from a listening socket, or handed over one by one.
//
// Threads: of its executor. Lifetime: shared; stop() ends the socket and its connections. Errors:
// when descriptors run out, accepting pauses for a moment.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/dns/tcp_connection.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>
#include <unordered_map>

namespace agentsh::dns {

struct TcpLimits {
  std::size_t max_connections = 64;  // Per session; more are closed at once.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(10);
};

class TcpServer : public std::enable_shared_from_this<TcpServer> {
 public:
  TcpServer(boost::asio::any_io_executor executor, std::shared_ptr<Session> session,
            std::shared_ptr<QueryHandler> handler, TcpLimits limits)
      : executor_(std::move(executor)),
        session_(std::move(session)),
        handler_(std::move(handler)),
        limits_(limits) {}

  // Serves a listening socket. Fails when it is none.
  Result<> listen(UniqueFd socket);
  // Serves a connected socket.
  void adopt(UniqueFd socket);
  void stop();

  std::size_t connections() const { return connections_.size(); }

 private:
  struct Listener {
    Listener(const boost::asio::any_io_executor& executor, UniqueFd fd)
        : socket(executor, fd.release()), pause(executor) {}
    boost::asio::posix::stream_descriptor socket;
    boost::asio::steady_timer pause;
  };
  void wait(const std::shared_ptr<Listener>& listener);
  void accept_all(const std::shared_ptr<Listener>& listener);

  const boost::asio::any_io_executor executor_;
  const std::shared_ptr<Session> session_;
  const std::shared_ptr<QueryHandler> handler_;
  const TcpLimits limits_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::unordered_map<std::uint64_t, std::shared_ptr<TcpConnection>> connections_;
  std::uint64_t next_id_ = 0;
};

}  // namespace agentsh::dns
