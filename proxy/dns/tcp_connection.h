// One client connection of DNS over TCP (RFC 7766): framed messages, several questions at a time,
// replies as they are ready.
//
// Bounded: questions of at most kMaxFrameBytes, kMaxInFlight of them at a time, kMaxUnsentBytes of
// replies that the client does not take; beyond either limit nothing more is read. An idle
// connection is closed. A frame that cannot be a question ends the connection.
//
// Threads: of its executor. Lifetime: shared by its owner and what it waits for.
#pragma once

#include "base/unique_fd.h"
#include "proxy/dns/query_handler.h"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace agentsh::dns {

class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  static constexpr std::size_t kMaxFrameBytes = 2048;
  static constexpr std::size_t kMaxInFlight = 32;
  static constexpr std::size_t kMaxUnsentBytes = 128 * 1024;

  // `socket` is connected and non-blocking. `closed` is called once, when the connection ends by
  // itself.
  TcpConnection(boost::asio::any_io_executor executor, UniqueFd socket, Endpoint client,
                std::shared_ptr<Session> session, std::shared_ptr<QueryHandler> handler,
                std::chrono::milliseconds idle_timeout, std::function<void()> closed);

  void start();
  // Ends the connection now, without calling `closed`.
  void stop();

 private:
  bool may_read() const;
  void wait_to_read();
  void read();
  // Takes what has come, as far as the limits go, and waits for more.
  void go_on();
  bool take_frames();
  bool take_frame(Bytes message);
  void reply(Bytes message);
  void write();
  void touch() { last_use_ = std::chrono::steady_clock::now(); }
  void wait_idle();
  void end();

  boost::asio::posix::stream_descriptor socket_;
  boost::asio::steady_timer idle_timer_;
  const Endpoint client_;
  const std::shared_ptr<Session> session_;
  const std::shared_ptr<QueryHandler> handler_;
  const std::chrono::milliseconds idle_timeout_;
  std::function<void()> closed_;

  std::vector<std::uint8_t> in_;
  std::vector<std::uint8_t> out_;
  std::size_t out_sent_ = 0;
  std::size_t in_flight_ = 0;
  bool taking_ = false;
  bool reading_ = false;
  bool writing_ = false;
  bool client_done_ = false;  // The client has sent its last byte.
  TimePoint last_use_{};
};

}  // namespace agentsh::dns
