// Why a TLS connection could not be made, as a code for programs and a sentence for people: the
// sentence stands in the 502 page that a sandboxed program gets when its server cannot be trusted.
//
//   "www.example.com: its certificate has expired on 2025-01-31T00:00:00Z"
//   "www.example.com: its certificate is for a.example, b.example, not for this name"
#pragma once

#include <system_error>

namespace agentsh::net {

enum class TlsErrc {
  // The peer's certificate.
  kExpired = 1,
  kNotYetValid,
  kHostnameMismatch,
  kSelfSigned,        // The server's own certificate is its issuer.
  kUntrustedRoot,     // The chain ends in a root that we do not know.
  kUnknownAuthority,  // The issuer is not known: untrusted, or the server left its intermediate
                      // out.
  kRevoked,
  kWeak,            // Keys or signatures below today's minimum.
  kWrongPurpose,    // Not made for servers.
  kBadCertificate,  // Anything else.
  // The handshake.
  kNotTls,                 // The peer speaks something else.
  kVersion,                // No common protocol version: older than TLS 1.2.
  kHandshake,              // No common cipher or group, or a handshake that is broken.
  kNoApplicationProtocol,  // ALPN without a common protocol.
  kCertificateRefused,     // The peer does not accept our certificate.
  kServerNameChanged,      // The handshake names another host than the first ClientHello.
  kAlert,                  // The peer gave up for another reason; the text says which.
  kClosed,                 // The peer closed in the middle of the handshake.
  kTimeout,
  kInternal,
};

std::error_code make_error_code(TlsErrc code);

// True for the codes that speak about the peer's certificate: the connection was made and not
// trusted.
bool is_certificate_error(const std::error_code& code);

}  // namespace agentsh::net

template <>
struct std::is_error_code_enum<agentsh::net::TlsErrc> : std::true_type {};
