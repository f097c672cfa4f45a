// Cancels what waits on a socket when its time is up.
//
//   SocketDeadline deadline(socket, std::chrono::seconds(1));
//   auto [error] = co_await socket.async_wait(...);
//   if (deadline.expired()) ...
//
// Threads: of the socket's executor. Must not outlive the socket.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <memory>

namespace agentsh::dns {

template <class Socket>
class SocketDeadline {
 public:
  SocketDeadline(Socket& socket, std::chrono::steady_clock::duration after)
      : timer_(socket.get_executor(), after), state_(std::make_shared<State>(&socket)) {
    timer_.async_wait([state = state_](const boost::system::error_code& error) {
      if (error || state->socket == nullptr) return;
      state->expired = true;
      boost::system::error_code ignored;
      state->socket->cancel(ignored);
    });
  }
  SocketDeadline(const SocketDeadline&) = delete;
  SocketDeadline& operator=(const SocketDeadline&) = delete;
  ~SocketDeadline() { state_->socket = nullptr; }

  bool expired() const { return state_->expired; }

 private:
  struct State {
    explicit State(Socket* owner) : socket(owner) {}
    Socket* socket;
    bool expired = false;
  };
  boost::asio::steady_timer timer_;
  std::shared_ptr<State> state_;
};

}  // namespace agentsh::dns
