// What OpenSSL's callbacks find behind an SSL object. For the .cc files of TLS only.
#pragma once

#include "proxy/net/byte_stream.h"
#include "proxy/net/tls_context.h"
#include "proxy/net/tls_error.h"

#include <openssl/ssl.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace agentsh::net {

// One side's hopes for a handshake, and what became of them. Dropped when it is over.
struct TlsHandshake {
  std::vector<std::string> alpn;
  std::string name;  // Server: the name the first ClientHello had. Client: the host.
  bool any_name = false;
  std::optional<TlsErrc> failure;
  std::string failure_text;
};

struct TlsState {
  ByteStream* transport = nullptr;
  std::error_code transport_error;  // Why the BIO failed.
  bool transport_ended = false;
  Want blocked_on = Want::kRead;  // What the transport wanted when it would have blocked.
  std::unique_ptr<TlsHandshake> handshake;
  // Client side: where new sessions go.
  std::shared_ptr<ClientContext> client;
  std::string session_key;
};

// The index of the TlsState in SSL's and SSL_CTX's extra data.
int tls_state_index();
inline TlsState* tls_state(const SSL* ssl) {
  return static_cast<TlsState*>(SSL_get_ex_data(ssl, tls_state_index()));
}

// A BIO that reads from and writes to the state's transport without waiting.
BIO* make_stream_bio(TlsState* state);

// What went wrong, from the last return value and this thread's error queue, which is emptied.
// `subject` begins the sentence.
Error tls_handshake_error(const SSL* ssl, int result, const std::string& subject);
// The same for reading and writing after the handshake.
std::error_code tls_stream_error(const SSL* ssl, int result);

// SSL_set_verify's callback: records why a certificate is not accepted.
int record_verification(int ok, X509_STORE_CTX* context);

}  // namespace agentsh::net
