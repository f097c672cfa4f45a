// Serves one UDP socket of a session: datagrams are taken and answered in batches (recvmmsg(2),
// sendmmsg(2)), and each reply leaves from the address that its question was sent to, which is what
// connected clients and the kernel's redirect expect.
//
// Threads: of its executor. Lifetime: shared; stop() closes the socket, and replies that come later
// are dropped. Errors: a reply that the socket does not take is dropped, as any datagram may be.
#pragma once

#include "base/result.h"
#include "base/unique_fd.h"
#include "proxy/dns/query_handler.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>

namespace agentsh::dns {

struct UdpPeer;

class UdpServer : public std::enable_shared_from_this<UdpServer> {
 public:
  // Takes a bound UDP socket. Fails when it is none.
  static Result<std::shared_ptr<UdpServer>> open(boost::asio::any_io_executor executor,
                                                 UniqueFd socket, std::shared_ptr<Session> session,
                                                 std::shared_ptr<QueryHandler> handler);
  void start() { wait(); }
  void stop();

 private:
  UdpServer(boost::asio::any_io_executor executor, UniqueFd socket,
            std::shared_ptr<Session> session, std::shared_ptr<QueryHandler> handler);
  void wait();
  // Serves what is there, up to a few batches. False once the socket is broken.
  bool serve();
  void reply_later(QueryHandler::Pending pending, const UdpPeer& peer);

  boost::asio::posix::stream_descriptor socket_;
  const std::shared_ptr<Session> session_;
  const std::shared_ptr<QueryHandler> handler_;
  ReplyMemo memo_;
};

}  // namespace agentsh::dns
