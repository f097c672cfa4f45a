// Both ends of a TLS connection on one event loop, and a transport that misbehaves on order.
#pragma once

#include "certs/leaf.h"
#include "proxy/net/connect.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/tls_stream.h"
#include "tests/support/run_loop.h"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <memory>
#include <optional>
#include <string>

namespace agentsh::net {

// Passes everything on to a real stream, at most `chunk` bytes at a time; the operation (attempt to
// read or write) number `fail_at` and all later ones end as `fail_with` says.
class LimitedStream final : public ByteStream {
 public:
  enum class Failure { kNone, kReset, kEnd };

  LimitedStream(std::unique_ptr<ByteStream> inner, std::size_t chunk)
      : inner_(std::move(inner)), chunk_(chunk) {}

  void fail_at(std::size_t operation, Failure with) {
    fail_at_ = operation;
    fail_with_ = with;
  }
  std::size_t operations() const { return operations_; }

  IoResult try_read(std::span<std::uint8_t> buffer) override {
    if (auto failed = count(true)) return *failed;
    return inner_->try_read(buffer.first(std::min(buffer.size(), chunk_)));
  }
  IoResult try_write(std::span<const Bytes> parts) override {
    if (auto failed = count(false)) return *failed;
    for (const Bytes& part : parts) {
      if (part.empty()) continue;
      const Bytes some = part.first(std::min(part.size(), chunk_));
      return inner_->try_write({&some, 1});
    }
    return {.status = IoStatus::kOk};
  }
  boost::asio::awaitable<Result<>> wait(Want want) override { return inner_->wait(want); }
  boost::asio::awaitable<Result<>> shutdown_write() override { return inner_->shutdown_write(); }
  void close(bool reset = false) override { inner_->close(reset); }
  boost::asio::any_io_executor executor() override { return inner_->executor(); }
  int native_handle() const override { return -1; }

 private:
  std::optional<IoResult> count(bool reading) {
    if (operations_++ < fail_at_) return {};
    if (reading && fail_with_ == Failure::kEnd) return IoResult{.status = IoStatus::kEnd};
    inner_->close(true);
    return IoResult{.status = IoStatus::kError,
                    .error = std::make_error_code(std::errc::connection_reset)};
  }

  std::unique_ptr<ByteStream> inner_;
  std::size_t chunk_;
  std::size_t operations_ = 0;
  std::size_t fail_at_ = SIZE_MAX;
  Failure fail_with_ = Failure::kNone;
};

// Our authority, contexts that trust it, and two transports.
struct TlsPair {
  using StreamPtr = std::unique_ptr<TlsStream>;

  boost::asio::io_context loop{1};
  std::shared_ptr<const certs::Authority> authority = certs::Authority::generate().value();
  std::unique_ptr<const certs::LeafFactory> leaves = certs::LeafFactory::create(authority).value();
  std::shared_ptr<const ServerContext> servers =
      ServerContext::create(TicketKeys::random()).value();
  std::shared_ptr<ClientContext> clients =
      ClientContext::create(certs::TrustStore::from_pem(authority->certificate_pem()).value())
          .value();
  TlsServerOptions server_options{.leaf = leaves->mint("www.example.com").value(),
                                  .server_name = "www.example.com"};
  TlsClientOptions client_options{.host = "www.example.com"};
  Result<StreamPtr> client = nullptr;
  Result<StreamPtr> server = nullptr;

  std::pair<std::unique_ptr<SocketStream>, std::unique_ptr<SocketStream>> transports() {
    return std::move(stream_pair(loop.get_executor()).value());
  }

  // Both handshakes at once.
  void shake(std::unique_ptr<ByteStream> client_side, std::unique_ptr<ByteStream> server_side) {
    using boost::asio::experimental::awaitable_operators::operator&&;
    auto both =
        test::run_loop(loop, connect_tls(clients, std::move(client_side), client_options) &&
                                 accept_tls(servers, std::move(server_side), server_options));
    client = std::move(std::get<0>(both));
    server = std::move(std::get<1>(both));
  }
  void shake() {
    auto [one, other] = transports();
    shake(std::move(one), std::move(other));
  }

  // Reads until `size` bytes are there, the end, or an error.
  Result<std::string> read_up_to(ByteStream& stream, std::size_t size) {
    std::string all;
    std::array<std::uint8_t, 16384> buffer;
    while (all.size() < size) {
      auto got = test::run_loop(
          loop, read(stream, std::span(buffer).first(std::min(buffer.size(), size - all.size()))));
      if (!got) return std::unexpected(got.error());
      if (*got == 0) break;
      all += as_text(std::span(buffer).first(*got));
    }
    return all;
  }
};

}  // namespace agentsh::net
