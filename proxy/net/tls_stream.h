// TLS over any ByteStream, itself a ByteStream, both sides of it.
//
// How a connection is opened in the middle, upstream first:
//
//   stream->unread(hello_bytes);                        // read only to be parsed
//   auto up = co_await connect_tls(clients, std::move(tcp), {.host = "a.example", .port = 443});
//   auto leaf = leaves.get("a.example");
//   auto down = co_await accept_tls(servers, std::move(stream),
//                                   {.leaf = *leaf, .server_name = hello.server_name});
//   if (!up) answer 502 with up.error().what over `down`;
//
// Errors of the two functions carry a TlsErrc (or the transport's code) and a sentence that begins
// with the host. On failure the transport is closed.
//
// Reading: the end of the peer's bytes is close_notify; a transport that ends without it is an
// error for which truncated() is true. Writing: after kWouldBlock the next try_write must begin
// with the same bytes, because some of them are in a record already. shutdown_write() sends
// close_notify and leaves the transport open for what the peer still says.
//
// Memory: an idle stream holds no record buffers.
#pragma once

#include "certs/leaf.h"
#include "proxy/net/byte_stream.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/tls_error.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct ssl_st;

namespace agentsh::net {

struct TlsState;

// For events and logs.
struct TlsInfo {
  std::string_view version;  // "TLSv1.3"
  std::string_view cipher;   // "TLS_AES_128_GCM_SHA256"
  std::string alpn;          // What was agreed on; "" without ALPN.
  bool resumed = false;
  // Of the server's certificate, as "CN = www.example.com, O = Example"; "" on the server's side.
  std::string peer_subject;
  std::string peer_issuer;
};

class TlsStream final : public ByteStream {
 public:
  ~TlsStream() override;

  IoResult try_read(std::span<std::uint8_t> buffer) override;
  IoResult try_write(std::span<const Bytes> parts) override;
  boost::asio::awaitable<Result<>> wait(Want want) override;
  boost::asio::awaitable<Result<>> shutdown_write() override;
  void close(bool reset = false) override;
  boost::asio::any_io_executor executor() override { return transport_->executor(); }
  int native_handle() const override { return transport_->native_handle(); }

  TlsInfo info() const;
  // What a login inside can be bound to (RFC 5929): of the server's certificate, ours on the
  // server's side. Empty where it is not defined.
  std::vector<std::uint8_t> server_end_point() const;

 private:
  friend struct TlsConnector;
  TlsStream(std::unique_ptr<ByteStream> transport, std::unique_ptr<TlsState> state, ssl_st* ssl);
  boost::asio::awaitable<Result<>> handshake(std::string subject,
                                             std::chrono::milliseconds timeout);
  IoResult read_once(std::span<std::uint8_t> buffer);
  IoResult blocked_or_failed(int result);

  std::unique_ptr<ByteStream> transport_;
  std::unique_ptr<TlsState> state_;
  ssl_st* ssl_;
  // Nothing is left in the session to be read: only then waiting for the socket makes sense.
  bool read_blocked_ = false;
  std::error_code failure_;  // Of the stream as a whole: nothing moves after it.
};

struct TlsServerOptions {
  std::shared_ptr<const certs::Leaf> leaf;
  // What we speak, best first. A client that offers others only gets no_application_protocol; one
  // without ALPN is taken.
  std::vector<std::string> alpn = {"http/1.1"};
  // The name that the ClientHello parser read, canonical, "" for none: the handshake must name the
  // same.
  std::string server_name;
  // For a server of our own, whose certificate does not depend on the name: any or none will do.
  bool any_server_name = false;
  // Tickets are only good within one scope (a session's id) and for one host.
  std::string scope;
  std::chrono::milliseconds timeout{10000};
};

// The handshake with a client. `context` need not outlive the stream.
boost::asio::awaitable<Result<std::unique_ptr<TlsStream>>> accept_tls(
    std::shared_ptr<const ServerContext> context, std::unique_ptr<ByteStream> transport,
    TlsServerOptions options);

struct TlsClientOptions {
  // A canonical host name or an IP address in text: what is sent as SNI (names only) and what the
  // certificate must be for.
  std::string host;
  std::uint16_t port = 443;  // Sessions are kept per host and port.
  std::vector<std::string> alpn = {"http/1.1"};
  // Ours, if the server asks for one. Sessions of such connections are not kept.
  std::shared_ptr<const certs::Leaf> certificate = {};
  std::chrono::milliseconds timeout{10000};
};

// The handshake with a server, its certificate verified.
boost::asio::awaitable<Result<std::unique_ptr<TlsStream>>> connect_tls(
    std::shared_ptr<ClientContext> context, std::unique_ptr<ByteStream> transport,
    TlsClientOptions options);

}  // namespace agentsh::net
