#include "proxy/dns/tcp_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

namespace agentsh::dns {
namespace {

using boost::asio::posix::descriptor_base;
using boost::system::error_code;

constexpr std::size_t kReadBytes = 8192;
constexpr std::size_t kPrefixBytes = 2;

}  // namespace

TcpConnection::TcpConnection(boost::asio::any_io_executor executor, UniqueFd socket,
                             Endpoint client, std::shared_ptr<Session> session,
                             std::shared_ptr<QueryHandler> handler,
                             std::chrono::milliseconds idle_timeout, std::function<void()> closed)
    : socket_(executor, socket.release()),
      idle_timer_(executor),
      client_(client),
      session_(std::move(session)),
      handler_(std::move(handler)),
      idle_timeout_(idle_timeout),
      closed_(std::move(closed)) {}

void TcpConnection::start() {
  touch();
  wait_idle();
  wait_to_read();
}

void TcpConnection::stop() {
  closed_ = nullptr;
  end();
}

void TcpConnection::end() {
  if (!socket_.is_open()) return;
  error_code ignored;
  socket_.close(ignored);
  idle_timer_.cancel();
  if (auto closed = std::exchange(closed_, nullptr)) closed();
}

bool TcpConnection::may_read() const {
  return socket_.is_open() && !client_done_ && in_flight_ < kMaxInFlight &&
         out_.size() - out_sent_ < kMaxUnsentBytes;
}

void TcpConnection::wait_to_read() {
  if (reading_ || !may_read()) return;
  reading_ = true;
  socket_.async_wait(descriptor_base::wait_read,
                     [self = shared_from_this()](const error_code& error) {
                       self->reading_ = false;
                       if (!error && self->socket_.is_open()) self->read();
                     });
}

void TcpConnection::read() {
  std::array<std::uint8_t, kReadBytes> buffer;
  const ssize_t size = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0 && errno != EAGAIN && errno != EINTR) return end();
  if (size == 0) client_done_ = true;
  if (size > 0) {
    touch();
    in_.insert(in_.end(), buffer.begin(), buffer.begin() + size);
  }
  go_on();
}

void TcpConnection::go_on() {
  if (!socket_.is_open() || taking_) return;
  taking_ = true;
  const bool sound = take_frames();
  taking_ = false;
  const bool finished = client_done_ && in_flight_ == 0 && out_sent_ == out_.size();
  if (!sound || finished) return end();
  wait_to_read();
}

// False when the connection must end.
bool TcpConnection::take_frames() {
  std::size_t at = 0;
  while (in_.size() - at >= kPrefixBytes && in_flight_ < kMaxInFlight &&
         out_.size() - out_sent_ < kMaxUnsentBytes) {
    const std::size_t length = static_cast<std::size_t>(in_[at]) << 8 | in_[at + 1];
    if (length < kHeaderBytes || length > kMaxFrameBytes) return false;
    if (in_.size() - at - kPrefixBytes < length) break;
    if (!take_frame(Bytes(in_).subspan(at + kPrefixBytes, length))) return false;
    at += kPrefixBytes + length;
  }
  in_.erase(in_.begin(), in_.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

bool TcpConnection::take_frame(Bytes message) {
  std::vector<std::uint8_t> out;
  QueryHandler::Pending pending;
  switch (handler_->begin(session_, message, QueryTransport::kTcp, client_,
                          std::chrono::steady_clock::now(), out, pending)) {
    case QueryHandler::Result::kDropped:
      return false;
    case QueryHandler::Result::kReplied:
      reply(out);
      return true;
    case QueryHandler::Result::kPending:
      ++in_flight_;
      handler_->finish(std::move(pending),
                       [weak = weak_from_this()](const std::vector<std::uint8_t>& late) {
                         const auto self = weak.lock();
                         if (!self) return;
                         --self->in_flight_;
                         if (!self->socket_.is_open()) return;
                         self->reply(late);
                         self->go_on();
                       });
      return true;
  }
  return false;
}

void TcpConnection::reply(Bytes message) {
  touch();
  out_.push_back(static_cast<std::uint8_t>(message.size() >> 8));
  out_.push_back(static_cast<std::uint8_t>(message.size()));
  out_.insert(out_.end(), message.begin(), message.end());
  if (!writing_) write();
}

void TcpConnection::write() {
  while (out_sent_ < out_.size()) {
    const ssize_t size = ::send(socket_.native_handle(), out_.data() + out_sent_,
                                out_.size() - out_sent_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (size > 0) {
      out_sent_ += static_cast<std::size_t>(size);
      touch();
    } else if (errno == EAGAIN) {
      writing_ = true;
      socket_.async_wait(descriptor_base::wait_write,
                         [self = shared_from_this()](const error_code& error) {
                           self->writing_ = false;
                           if (error || !self->socket_.is_open()) return;
                           self->write();
                           self->go_on();
                         });
      return;
    } else if (errno != EINTR) {
      return end();
    }
  }
  out_.clear();
  out_sent_ = 0;
}

void TcpConnection::wait_idle() {
  idle_timer_.expires_at(last_use_ + idle_timeout_);
  idle_timer_.async_wait([weak = weak_from_this()](const error_code& error) {
    const auto self = weak.lock();
    if (error || !self || !self->socket_.is_open()) return;
    // A question that still waits (for an approval, say) is not idleness.
    if (self->in_flight_ > 0) self->touch();
    if (std::chrono::steady_clock::now() >= self->last_use_ + self->idle_timeout_) {
      return self->end();
    }
    self->wait_idle();
  });
}

}  // namespace agentsh::dns
