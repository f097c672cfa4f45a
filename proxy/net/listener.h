// A listening socket that somebody made (often inside a session's network namespace) and this event
// loop serves.
//
// When the process is out of descriptors, accept() waits and tries again instead of spinning or
// failing; connections queue in the kernel meanwhile. One line in the log says so.
#pragma once

#include "base/ip.h"
#include "base/result.h"
#include "base/unique_fd.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <memory>
#include <optional>

namespace agentsh::net {

struct Accepted {
  UniqueFd socket;               // Non-blocking, close-on-exec.
  std::optional<Endpoint> peer;  // Nothing for Unix sockets.
};

class Listener {
 public:
  // Takes over a socket on which listen(2) was called.
  static Result<std::unique_ptr<Listener>> adopt(boost::asio::any_io_executor executor,
                                                 UniqueFd socket);

  // The next connection. Fails with operation_canceled after close(), else only for errors that
  // will not go away.
  boost::asio::awaitable<Result<Accepted>> accept();
  void close();
  int native_handle() const { return fd_; }

 private:
  Listener(boost::asio::any_io_executor executor, int fd);
  boost::asio::awaitable<Result<>> wait_for_descriptors(int errno_value);

  boost::asio::posix::stream_descriptor socket_;
  int fd_;
  bool starved_ = false;
};

// A listening TCP socket of this process's own network namespace, for tests and standing listeners.
// Port 0 lets the kernel choose; local_endpoint() says what it chose.
Result<UniqueFd> listen_tcp(const Endpoint& endpoint, int backlog = 1024);
Result<Endpoint> local_endpoint(int socket);

}  // namespace agentsh::net
