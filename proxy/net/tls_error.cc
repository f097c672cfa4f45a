#include "proxy/net/tls_error.h"

#include <string>

namespace agentsh::net {
namespace {

class TlsCategory final : public std::error_category {
 public:
  const char* name() const noexcept override { return "tls"; }
  std::string message(int code) const override { return text(static_cast<TlsErrc>(code)); }

 private:
  static const char* text(TlsErrc code) {
    switch (code) {
      case TlsErrc::kExpired:
        return "certificate has expired";
      case TlsErrc::kNotYetValid:
        return "certificate is not valid yet";
      case TlsErrc::kHostnameMismatch:
        return "hostname mismatch";
      case TlsErrc::kSelfSigned:
        return "self-signed certificate";
      case TlsErrc::kUntrustedRoot:
        return "self-signed certificate in chain";
      case TlsErrc::kUnknownAuthority:
        return "unknown CA";
      case TlsErrc::kRevoked:
        return "certificate is revoked";
      case TlsErrc::kWeak:
        return "key or signature is too weak";
      case TlsErrc::kWrongPurpose:
        return "certificate is not for servers";
      case TlsErrc::kBadCertificate:
        return "bad certificate";
      case TlsErrc::kNotTls:
        return "the peer does not speak TLS";
      case TlsErrc::kVersion:
        return "no common TLS version";
      case TlsErrc::kHandshake:
        return "handshake failure";
      case TlsErrc::kNoApplicationProtocol:
        return "no common application protocol";
      case TlsErrc::kCertificateRefused:
        return "the peer refused our certificate";
      case TlsErrc::kServerNameChanged:
        return "the server name changed during the handshake";
      case TlsErrc::kAlert:
        return "the peer ended the handshake";
      case TlsErrc::kClosed:
        return "the peer closed during the handshake";
      case TlsErrc::kTimeout:
        return "the handshake timed out";
      case TlsErrc::kInternal:
        return "internal TLS error";
    }
    return "unknown TLS error";
  }
};

const TlsCategory& category() {
  static const TlsCategory instance;
  return instance;
}

}  // namespace

std::error_code make_error_code(TlsErrc code) {
  return {static_cast<int>(code), category()};
}

bool is_certificate_error(const std::error_code& code) {
  return code.category() == category() &&
         code.value() <= static_cast<int>(TlsErrc::kBadCertificate);
}

}  // namespace agentsh::net
