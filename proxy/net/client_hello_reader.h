// Reads a ClientHello from a connection that is about to be judged, and leaves the connection as if
// nobody had.
#pragma once

#include "proxy/codec/tls/client_hello.h"
#include "proxy/net/socket_stream.h"

#include <chrono>

namespace agentsh::net {

// What the client asks for. Every byte that was read is put back (SocketStream::unread), also on
// failure: whoever goes on, accept_tls() or a relay, sees the hello again. Fails with a
// tls::HelloErrc for what is no hello, timed_out, connection_aborted when the client ends before it
// is whole, or the stream's error. After timed_out the stream is closed.
boost::asio::awaitable<Result<tls::ClientHello>> read_client_hello(
    SocketStream& stream, std::chrono::milliseconds timeout);

}  // namespace agentsh::net
