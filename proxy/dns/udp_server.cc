#include "proxy/dns/udp_server.h"

#include "base/log.h"
#include "proxy/dns/udp_batch.h"

#include <sys/socket.h>

#include <chrono>
#include <cstring>

namespace agentsh::dns {
namespace {

// Batches before the thread's other sockets get their turn.
constexpr int kBatchesInARow = 4;

UdpBatch& thread_batch() {
  static thread_local const auto batch = std::make_unique<UdpBatch>();
  return *batch;
}

}  // namespace

Result<std::shared_ptr<UdpServer>> UdpServer::open(boost::asio::any_io_executor executor,
                                                   UniqueFd socket,
                                                   std::shared_ptr<Session> session,
                                                   std::shared_ptr<QueryHandler> handler) {
  int type = 0;
  socklen_t length = sizeof type;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_TYPE, &type, &length) != 0) {
    return std::unexpected(errno_error("getsockopt SO_TYPE", "DNS socket"));
  }
  if (type != SOCK_DGRAM) return fail("the DNS socket for UDP is not a datagram socket");
  if (needs_packet_info(socket.get()) && !enable_packet_info(socket.get())) {
    return std::unexpected(errno_error("setsockopt IP_PKTINFO", "DNS socket"));
  }
  return std::shared_ptr<UdpServer>(new UdpServer(std::move(executor), std::move(socket),
                                                  std::move(session), std::move(handler)));
}

UdpServer::UdpServer(boost::asio::any_io_executor executor, UniqueFd socket,
                     std::shared_ptr<Session> session, std::shared_ptr<QueryHandler> handler)
    : socket_(std::move(executor), socket.release()),
      session_(std::move(session)),
      handler_(std::move(handler)) {}

void UdpServer::stop() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void UdpServer::wait() {
  socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& error) {
                       if (error || !self->socket_.is_open()) return;
                       if (self->serve()) {
                         self->wait();
                       } else {
                         self->stop();
                       }
                     });
}

bool UdpServer::serve() {
  UdpBatch& batch = thread_batch();
  const int fd = socket_.native_handle();
  for (int round = 0; round < kBatchesInARow; ++round) {
    const int count = batch.receive(fd);
    if (count < 0) {
      log_error("dns", "session {}: UDP socket: {}", session_->id(), std::strerror(errno));
      return false;
    }
    const TimePoint now = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
      const Endpoint client = batch.client(i);
      if (batch.was_cut(i)) {
        handler_->too_long(session_, client, now);
        continue;
      }
      QueryHandler::Pending pending;
      const auto result = handler_->begin(session_, batch.datagram(i), QueryTransport::kUdp, client,
                                          now, batch.reply_buffer(), pending, &memo_);
      if (result == QueryHandler::Result::kReplied) batch.queue_reply(i);
      if (result == QueryHandler::Result::kPending) reply_later(std::move(pending), batch.peer(i));
    }
    batch.send(fd);
    if (static_cast<std::size_t>(count) < UdpBatch::kSize) break;
  }
  return true;
}

void UdpServer::reply_later(QueryHandler::Pending pending, const UdpPeer& peer) {
  handler_->finish(std::move(pending),
                   [weak = weak_from_this(), peer](const std::vector<std::uint8_t>& reply) {
                     const auto self = weak.lock();
                     if (!self || !self->socket_.is_open()) return;
                     send_datagram(self->socket_.native_handle(), reply, peer);
                   });
}

}  // namespace agentsh::dns
