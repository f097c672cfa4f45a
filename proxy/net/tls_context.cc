#include "proxy/net/tls_context.h"

#include "base/domain.h"
#include "base/random.h"
#include "certs/openssl_handles.h"
#include "proxy/net/tls_state.h"

#include <openssl/ssl.h>

#include <algorithm>

namespace agentsh::net {
namespace {

// AES with 128 bits first: as good against everything known, and a fifth faster.
constexpr const char* kCipherSuites =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
// TLS 1.2 towards clients; towards servers OpenSSL's own list at security level 2 stands.
constexpr const char* kServerCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// Without the finite-field groups, whose large ones cost a peer's whim milliseconds.
constexpr const char* kGroups = "X25519:P-256:P-384:P-521";

Result<SslContextPtr> make_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  if (!context) return std::unexpected(certs::openssl_error("cannot make a TLS context"));
  SSL_CTX* raw = context.get();
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_mode(raw, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  // One system call for a record's header and body, and for whatever follows it.
  SSL_CTX_set_read_ahead(raw, 1);
  SSL_CTX_set_security_level(raw, 2);
  if (SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(raw, kCipherSuites) != 1 ||
      SSL_CTX_set1_groups_list(raw, kGroups) != 1) {
    return std::unexpected(certs::openssl_error("cannot set up a TLS context"));
  }
  return context;
}

// The handshake must name the host that the policy decided on: OpenSSL reads the hello again, and a
// second one after a HelloRetryRequest.
int check_server_name(SSL* ssl, int*, void*) {
  TlsHandshake* handshake = tls_state(ssl)->handshake.get();
  if (handshake == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  const char* raw = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  const std::string name = raw != nullptr ? canonical_host(raw).value_or(raw) : std::string();
  if (name != handshake->name && !handshake->any_name) {
    handshake->failure = TlsErrc::kServerNameChanged;
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  return raw != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// Our preference decides among what the client offers.
int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_size,
                    const unsigned char* offered, unsigned offered_size, void*) {
  TlsHandshake* handshake = tls_state(ssl)->handshake.get();
  if (handshake == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  for (const std::string& ours : handshake->alpn) {
    ByteReader list(Bytes(offered, offered_size));
    while (list.remaining() > 0) {
      const Bytes name = list.vector8();
      if (as_text(name) != ours) continue;
      *chosen = name.data();
      *chosen_size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
  }
  handshake->failure = TlsErrc::kNoApplicationProtocol;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A session that the server allows to be resumed: ours to keep when 1 is returned.
int keep_session(SSL* ssl, SSL_SESSION* session) {
  TlsState* state = tls_state(ssl);
  if (state == nullptr || !state->client) return 0;
  state->client->sessions().put(state->session_key, SslSessionPtr(session));
  return 1;
}

}  // namespace

void SslContextFree::operator()(ssl_ctx_st* context) const {
  SSL_CTX_free(context);
}

int tls_state_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

TicketKeys TicketKeys::random() {
  TicketKeys keys{};
  fill_random(keys.bytes);
  return keys;
}

Result<std::shared_ptr<const ServerContext>> ServerContext::create(const TicketKeys& tickets) {
  auto context = make_context(TLS_server_method());
  if (!context) return std::unexpected(context.error());
  SSL_CTX* raw = context->get();
  SSL_CTX_set_options(raw, SSL_OP_CIPHER_SERVER_PREFERENCE);
  // Tickets only: no state of ours for clients that may never come back.
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 1);
  auto keys = tickets.bytes;
  if (SSL_CTX_set_cipher_list(raw, kServerCiphers) != 1 ||
      SSL_CTX_set_tlsext_ticket_keys(raw, keys.data(), keys.size()) != 1) {
    return std::unexpected(certs::openssl_error("cannot set up a TLS context"));
  }
  SSL_CTX_set_tlsext_servername_callback(raw, &check_server_name);
  SSL_CTX_set_alpn_select_cb(raw, &choose_protocol, nullptr);
  return std::shared_ptr<const ServerContext>(new ServerContext(std::move(*context)));
}

Result<std::shared_ptr<ClientContext>> ClientContext::create(
    std::shared_ptr<const certs::TrustStore> trust) {
  auto context = make_context(TLS_client_method());
  if (!context) return std::unexpected(context.error());
  SSL_CTX* raw = context->get();
  SSL_CTX_set1_cert_store(raw, trust->store());
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, &record_verification);
  X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(raw);
  // Whatever the operator put into the store is trusted, an intermediate or a single server too.
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
  X509_VERIFY_PARAM_set_hostflags(
      rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(raw, &keep_session);
  return std::shared_ptr<ClientContext>(new ClientContext(std::move(*context)));
}

}  // namespace agentsh::net
