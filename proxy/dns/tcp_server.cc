#include "proxy/dns/tcp_server.h"

#include "base/log.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace agentsh::dns {
namespace {

using boost::system::error_code;

constexpr auto kPauseWithoutDescriptors = std::chrono::milliseconds(100);

Endpoint peer_of(int socket) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (::getpeername(socket, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return Endpoint::from_sockaddr(reinterpret_cast<const sockaddr*>(&address), length)
      .value_or(Endpoint());
}

}  // namespace

Result<> TcpServer::listen(UniqueFd socket) {
  int listening = 0;
  socklen_t length = sizeof listening;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) != 0) {
    return std::unexpected(errno_error("getsockopt SO_ACCEPTCONN", "DNS socket"));
  }
  if (listening == 0) return fail("the DNS socket for TCP does not listen");
  // accept4(2) must return when a client is gone again before it was taken.
  if (::fcntl(socket.get(), F_SETFL, ::fcntl(socket.get(), F_GETFL) | O_NONBLOCK) != 0) {
    return std::unexpected(errno_error("fcntl O_NONBLOCK", "DNS socket"));
  }
  listeners_.push_back(std::make_shared<Listener>(executor_, std::move(socket)));
  wait(listeners_.back());
  return {};
}

void TcpServer::wait(const std::shared_ptr<Listener>& listener) {
  listener->socket.async_wait(boost::asio::posix::descriptor_base::wait_read,
                              [self = shared_from_this(), listener](const error_code& error) {
                                if (!error && listener->socket.is_open())
                                  self->accept_all(listener);
                              });
}

void TcpServer::accept_all(const std::shared_ptr<Listener>& listener) {
  for (;;) {
    UniqueFd socket(::accept4(listener->socket.native_handle(), nullptr, nullptr,
                              SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      adopt(std::move(socket));
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN) return wait(listener);
    log_warning("dns", "session {}: accept: {}", session_->id(), std::strerror(errno));
    listener->pause.expires_after(kPauseWithoutDescriptors);
    listener->pause.async_wait([self = shared_from_this(), listener](const error_code& error) {
      if (!error && listener->socket.is_open()) self->wait(listener);
    });
    return;
  }
}

void TcpServer::adopt(UniqueFd socket) {
  if (connections_.size() >= limits_.max_connections) return;
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const std::uint64_t id = next_id_++;
  const Endpoint client = peer_of(socket.get());
  auto connection =
      std::make_shared<TcpConnection>(executor_, std::move(socket), client, session_, handler_,
                                      limits_.idle_timeout, [weak = weak_from_this(), id] {
                                        if (const auto self = weak.lock())
                                          self->connections_.erase(id);
                                      });
  connections_.emplace(id, connection);
  connection->start();
}

void TcpServer::stop() {
  error_code ignored;
  for (const auto& listener : listeners_) {
    listener->socket.close(ignored);
    listener->pause.cancel();
  }
  listeners_.clear();
  for (const auto& [id, connection] : connections_) connection->stop();
  connections_.clear();
}

}  // namespace agentsh::dns
