#include "proxy/net/tls_stream.h"

#include "base/encoding.h"
#include "base/ip.h"
#include "base/time_format.h"
#include "certs/openssl_handles.h"
#include "certs/server_end_point.h"
#include "proxy/net/deadlines.h"
#include "proxy/net/tls_state.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <optional>

namespace agentsh::net {
namespace asio = boost::asio;

namespace {

constexpr std::size_t kRecord = 16384;  // The most that one record carries.
// Parts smaller than this are put together: a record of their own costs more than copying them.
constexpr std::size_t kWorthARecord = 4096;

// The next bytes to encrypt: the first part if it fills a record reasonably, else as many parts as
// fit, put together in this thread's scratch buffer.
Bytes gather(std::span<const Bytes> parts) {
  while (!parts.empty() && parts.front().empty()) parts = parts.subspan(1);
  if (parts.empty()) return {};
  if (parts.size() == 1 || parts.front().size() >= kWorthARecord) return parts.front();
  thread_local std::array<std::uint8_t, kRecord> scratch;
  std::size_t used = 0;
  for (const Bytes& part : parts) {
    const std::size_t count = std::min(part.size(), scratch.size() - used);
    std::copy_n(part.begin(), count, scratch.begin() + static_cast<std::ptrdiff_t>(used));
    used += count;
  }
  return Bytes(scratch).first(used);
}

// RFC 7301: length-prefixed names.
std::vector<std::uint8_t> protocol_list(const std::vector<std::string>& names) {
  ByteWriter out;
  for (const std::string& name : names) {
    out.u8(static_cast<std::uint8_t>(name.size()));
    out.text(name);
  }
  return out.take();
}

// One line of printable ASCII, at most 512 bytes: it comes from the peer and goes into events.
std::string distinguished_name(const X509_NAME* name) {
  const certs::BioPtr out(BIO_new(BIO_s_mem()));
  if (!out || X509_NAME_print_ex(out.get(), name, 0, XN_FLAG_ONELINE) < 0) return {};
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return printable({text, std::min<std::size_t>(static_cast<std::size_t>(size), 512)});
}

bool set_leaf(SSL* ssl, const certs::Leaf& leaf) {
  return SSL_use_cert_and_key(ssl, leaf.certificate(), leaf.key(), leaf.chain(), 1) == 1;
}

// Tickets of another host or scope are not recognised: the client does a full handshake.
bool set_ticket_scope(SSL* ssl, const TlsServerOptions& options) {
  const std::string text = options.scope + '\0' + options.leaf->host();
  std::array<unsigned char, 32> digest{};
  unsigned size = digest.size();
  return EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) == 1 &&
         SSL_set_session_id_context(ssl, digest.data(), size) == 1;
}

bool set_expected_host(SSL* ssl, const std::string& host) {
  if (IpAddress::parse(host)) {
    return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  }
  return SSL_set1_host(ssl, host.c_str()) == 1 && SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
}

}  // namespace

// Makes streams whose handshake has not begun.
struct TlsConnector {
  static Result<std::unique_ptr<TlsStream>> make(SSL_CTX* context,
                                                 std::unique_ptr<ByteStream> transport,
                                                 TlsHandshake handshake) {
    auto state = std::make_unique<TlsState>();
    state->transport = transport.get();
    state->handshake = std::make_unique<TlsHandshake>(std::move(handshake));
    SSL* ssl = SSL_new(context);
    if (ssl == nullptr) return std::unexpected(certs::openssl_error("cannot make a TLS session"));
    TlsState* raw = state.get();
    std::unique_ptr<TlsStream> stream(new TlsStream(std::move(transport), std::move(state), ssl));
    BIO* bio = make_stream_bio(raw);
    if (bio == nullptr || SSL_set_ex_data(ssl, tls_state_index(), raw) != 1) {
      BIO_free(bio);
      return std::unexpected(certs::openssl_error("cannot make a TLS session"));
    }
    SSL_set_bio(ssl, bio, bio);
    return stream;
  }

  static Result<std::unique_ptr<TlsStream>> make_server(SSL_CTX* context,
                                                        std::unique_ptr<ByteStream> transport,
                                                        const TlsServerOptions& options) {
    auto made = make(context, std::move(transport),
                     {.alpn = options.alpn,
                      .name = options.server_name,
                      .any_name = options.any_server_name,
                      .failure = {},
                      .failure_text = {}});
    if (!made) return made;
    SSL* ssl = (*made)->ssl_;
    if (!set_leaf(ssl, *options.leaf) || !set_ticket_scope(ssl, options)) {
      return std::unexpected(certs::openssl_error("cannot use the certificate"));
    }
    SSL_set_accept_state(ssl);
    return made;
  }

  static Result<std::unique_ptr<TlsStream>> make_client(
      const std::shared_ptr<ClientContext>& context, std::unique_ptr<ByteStream> transport,
      const TlsClientOptions& options) {
    auto made = make(context->handle(), std::move(transport),
                     {.alpn = {}, .name = options.host, .failure = {}, .failure_text = {}});
    if (!made) return made;
    SSL* ssl = (*made)->ssl_;
    const std::vector<std::uint8_t> protocols = protocol_list(options.alpn);
    if (!set_expected_host(ssl, options.host) ||
        SSL_set_alpn_protos(ssl, protocols.data(), static_cast<unsigned>(protocols.size())) != 0) {
      return std::unexpected(certs::openssl_error("cannot set up TLS for " + options.host));
    }
    SSL_set_connect_state(ssl);
    if (options.certificate) {
      if (!set_leaf(ssl, *options.certificate))
        return std::unexpected(certs::openssl_error("cannot use the client certificate"));
      return made;
    }
    TlsState& state = *(*made)->state_;
    state.client = context;
    state.session_key = fmt::format("{}:{}", options.host, options.port);
    for (const std::string& protocol : options.alpn) state.session_key += ' ' + protocol;
    if (const SslSessionPtr session = context->sessions().take(state.session_key)) {
      SSL_set_session(ssl, session.get());
    }
    return made;
  }

  static asio::awaitable<Result<std::unique_ptr<TlsStream>>> shake(
      Result<std::unique_ptr<TlsStream>> made, std::string subject,
      std::chrono::milliseconds timeout) {
    if (!made) co_return made;
    Result<> done = co_await (*made)->handshake(std::move(subject), timeout);
    if (!done) co_return std::unexpected(done.error());
    co_return made;
  }
};

TlsStream::TlsStream(std::unique_ptr<ByteStream> transport, std::unique_ptr<TlsState> state,
                     ssl_st* ssl)
    : transport_(std::move(transport)), state_(std::move(state)), ssl_(ssl) {}

TlsStream::~TlsStream() {
  // A session whose connection ends without close_notify would be marked as not resumable, which
  // is a rule of SSL 3: whoever just closes may come back.
  if (!failure_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

asio::awaitable<Result<>> TlsStream::handshake(std::string subject,
                                               std::chrono::milliseconds timeout) {
  StreamDeadline deadline(*transport_);
  deadline.expires_after(timeout);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    if (result == 1) break;
    const int kind = SSL_get_error(ssl_, result);
    Result<> ready;
    if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
      ready = co_await transport_->wait(state_->blocked_on);
    } else {
      ready = std::unexpected(tls_handshake_error(ssl_, result, subject));
    }
    if (deadline.expired()) {
      ready = std::unexpected(Error{
          TlsErrc::kTimeout, subject + ": no TLS handshake within " + format_duration(timeout)});
    }
    if (!ready) {
      failure_ = ready.error().code;
      close();
      co_return ready;
    }
  }
  state_->handshake.reset();
  co_return Result<>();
}

IoResult TlsStream::blocked_or_failed(int result) {
  const int kind = SSL_get_error(ssl_, result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) {
    return {.want = state_->blocked_on};
  }
  if (kind == SSL_ERROR_ZERO_RETURN) return {.status = IoStatus::kEnd};
  failure_ = tls_stream_error(ssl_, result);
  return {.status = IoStatus::kError, .error = failure_};
}

IoResult TlsStream::read_once(std::span<std::uint8_t> buffer) {
  ERR_clear_error();
  std::size_t got = 0;
  const int result = SSL_read_ex(ssl_, buffer.data(), buffer.size(), &got);
  if (result == 1) return {.status = IoStatus::kOk, .bytes = got};
  return blocked_or_failed(result);
}

IoResult TlsStream::try_read(std::span<std::uint8_t> buffer) {
  if (failure_) return {.status = IoStatus::kError, .error = failure_};
  if (buffer.empty()) return {.status = IoStatus::kOk};
  const IoResult got = read_once(buffer);
  // Where OpenSSL holds nothing more, the transport's event tells of what comes next: no attempt is
  // needed to find out that there is nothing.
  read_blocked_ = got.status == IoStatus::kWouldBlock ||
                  (got.status == IoStatus::kOk && SSL_has_pending(ssl_) == 0);
  return got;
}

IoResult TlsStream::try_write(std::span<const Bytes> parts) {
  if (failure_) return {.status = IoStatus::kError, .error = failure_};
  const Bytes data = gather(parts);
  if (data.empty()) return {.status = IoStatus::kOk};
  ERR_clear_error();
  std::size_t sent = 0;
  const int result = SSL_write_ex(ssl_, data.data(), data.size(), &sent);
  if (result == 1) return {.status = IoStatus::kOk, .bytes = sent};
  IoResult failure = blocked_or_failed(result);
  if (failure.status == IoStatus::kEnd) {
    failure = {.status = IoStatus::kError, .error = std::make_error_code(std::errc::broken_pipe)};
  }
  return failure;
}

asio::awaitable<Result<>> TlsStream::wait(Want want) {
  // What has been decrypted already raises no event.
  if (want == Want::kRead && !read_blocked_) co_return Result<>();
  co_return co_await transport_->wait(want);
}

asio::awaitable<Result<>> TlsStream::shutdown_write() {
  for (;;) {
    if (failure_) {
      co_return std::unexpected(Error{failure_, "close_notify: " + failure_.message()});
    }
    ERR_clear_error();
    const int result = SSL_shutdown(ssl_);
    if (result >= 0) co_return Result<>();
    const IoResult why = blocked_or_failed(result);
    if (why.status != IoStatus::kWouldBlock) {
      co_return std::unexpected(Error{why.error, "close_notify: " + why.error.message()});
    }
    Result<> ready = co_await transport_->wait(why.want);
    if (!ready) co_return ready;
  }
}

void TlsStream::close(bool reset) {
  transport_->close(reset);
}

TlsInfo TlsStream::info() const {
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &protocol, &size);
  TlsInfo info{.version = SSL_get_version(ssl_),
               .cipher = SSL_get_cipher_name(ssl_),
               .alpn = std::string(as_text(Bytes(protocol, size))),
               .resumed = SSL_session_reused(ssl_) == 1};
  if (const X509* peer = SSL_get0_peer_certificate(ssl_)) {
    info.peer_subject = distinguished_name(X509_get_subject_name(peer));
    info.peer_issuer = distinguished_name(X509_get_issuer_name(peer));
  }
  return info;
}

std::vector<std::uint8_t> TlsStream::server_end_point() const {
  X509* certificate =
      SSL_is_server(ssl_) == 1 ? SSL_get_certificate(ssl_) : SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return {};
  return certs::server_end_point(certificate);
}

asio::awaitable<Result<std::unique_ptr<TlsStream>>> accept_tls(
    std::shared_ptr<const ServerContext> context, std::unique_ptr<ByteStream> transport,
    TlsServerOptions options) {
  std::string subject = options.leaf->host();
  auto made = TlsConnector::make_server(context->handle(), std::move(transport), options);
  co_return co_await TlsConnector::shake(std::move(made), std::move(subject), options.timeout);
}

asio::awaitable<Result<std::unique_ptr<TlsStream>>> connect_tls(
    std::shared_ptr<ClientContext> context, std::unique_ptr<ByteStream> transport,
    TlsClientOptions options) {
  auto made = TlsConnector::make_client(context, std::move(transport), options);
  co_return co_await TlsConnector::shake(std::move(made), options.host, options.timeout);
}

}  // namespace agentsh::net
