#include "tests/unit/net/tls_peer.h"

#include "base/bytes.h"
#include "proxy/net/listener.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <memory>

namespace agentsh::net {
namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, certs::OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, certs::OpensslFree<SSL_free>>;

UniqueFd listen_blocking() {
  UniqueFd fd = listen_tcp({*IpAddress::parse("127.0.0.1"), 0}).value();
  ::fcntl(fd.get(), F_SETFL, 0);
  return fd;
}

// A test that goes wrong must not hang its server's thread for ever.
UniqueFd accept_patiently(int listener) {
  UniqueFd socket(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
  const timeval patience{20, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  return socket;
}

int choose(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
           unsigned in_size, void* argument) {
  const auto& wanted = *static_cast<std::string*>(argument);
  ByteReader offered(Bytes(in, in_size));
  while (offered.remaining() > 0) {
    const Bytes name = offered.vector8();
    if (as_text(name) != wanted) continue;
    *out = name.data();
    *size = static_cast<unsigned char>(name.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

void echo(SSL* ssl) {
  std::array<char, 16384> buffer;
  for (;;) {
    const int got = SSL_read(ssl, buffer.data(), buffer.size());
    if (got <= 0) break;
    if (SSL_write(ssl, buffer.data(), got) <= 0) break;
  }
  SSL_shutdown(ssl);
}

ContextPtr make_context(PeerSpec& spec) {
  ContextPtr context(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_security_level(raw, 0);
  SSL_CTX_set_min_proto_version(raw, spec.min_version);
  SSL_CTX_set_max_proto_version(raw, spec.max_version);
  SSL_CTX_set_cipher_list(raw, spec.ciphers);
  SSL_CTX_use_certificate(raw, spec.certificate->certificate.get());
  SSL_CTX_use_PrivateKey(raw, spec.certificate->key.get());
  for (const TestCert* more : spec.chain) SSL_CTX_add1_chain_cert(raw, more->certificate.get());
  if (!spec.alpn.empty()) SSL_CTX_set_alpn_select_cb(raw, &choose, &spec.alpn);
  if (spec.wants_client_certificate) {
    SSL_CTX_set_verify(raw, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

}  // namespace

TlsPeer::TlsPeer(PeerSpec spec)
    : spec_(std::move(spec)),
      listener_(listen_blocking()),
      endpoint_(local_endpoint(listener_.get()).value()) {
  if (!spec_.serve) spec_.serve = &echo;
  thread_ = std::thread(&TlsPeer::run, this);
}

TlsPeer::~TlsPeer() {
  // Ends an accept that nobody came for.
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

void TlsPeer::run() {
  const ContextPtr context = make_context(spec_);
  for (int i = 0; i < spec_.connections; ++i) {
    const UniqueFd socket = accept_patiently(listener_.get());
    if (!socket) break;
    const SslPtr ssl(SSL_new(context.get()));
    SSL_set_fd(ssl.get(), socket.get());
    if (SSL_accept(ssl.get()) == 1) spec_.serve(ssl.get());
    ERR_clear_error();
  }
}

PlainPeer::PlainPeer(std::function<void(int)> serve)
    : listener_(listen_blocking()), endpoint_(local_endpoint(listener_.get()).value()) {
  thread_ = std::thread([this, serve = std::move(serve)] {
    const UniqueFd socket = accept_patiently(listener_.get());
    if (socket) serve(socket.get());
  });
}

PlainPeer::~PlainPeer() {
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

}  // namespace agentsh::net
