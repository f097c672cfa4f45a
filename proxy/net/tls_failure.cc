// OpenSSL's reasons as our codes and sentences.
#include "base/encoding.h"
#include "base/ip.h"
#include "base/time_format.h"
#include "certs/openssl_handles.h"
#include "certs/x509_build.h"
#include "proxy/net/tls_state.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <string>

namespace agentsh::net {
namespace {

constexpr std::size_t kNamesShown = 5;

TlsErrc code_of_verification(int error) {
  switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return TlsErrc::kExpired;
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return TlsErrc::kNotYetValid;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return TlsErrc::kHostnameMismatch;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
      return TlsErrc::kSelfSigned;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return TlsErrc::kUntrustedRoot;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_UNTRUSTED:
      return TlsErrc::kUnknownAuthority;
    case X509_V_ERR_CERT_REVOKED:
      return TlsErrc::kRevoked;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return TlsErrc::kWeak;
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_CERT_REJECTED:
      return TlsErrc::kWrongPurpose;
    default:
      return TlsErrc::kBadCertificate;
  }
}

std::string name_text(const X509_NAME* name) {
  char text[256] = {};
  X509_NAME_get_text_by_NID(const_cast<X509_NAME*>(name), NID_commonName, text, sizeof(text));
  if (text[0] == '\0') X509_NAME_oneline(name, text, sizeof(text));
  return printable(text);
}

std::string general_name_text(const GENERAL_NAME* name) {
  int type = 0;
  const void* value = GENERAL_NAME_get0_value(name, &type);
  const auto* string = static_cast<const ASN1_STRING*>(value);
  if (type == GEN_DNS) {
    return printable({reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                      static_cast<std::size_t>(ASN1_STRING_length(string))});
  }
  const int size = type == GEN_IPADD ? ASN1_STRING_length(string) : 0;
  if (size != 4 && size != 16) return {};
  return IpAddress::from_network(ASN1_STRING_get0_data(string), static_cast<std::size_t>(size))
      .to_string();
}

// "a.example, b.example and 12 more".
std::string names_of(X509* certificate) {
  const certs::GeneralNamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  const int count = names ? sk_GENERAL_NAME_num(names.get()) : 0;
  std::string text;
  std::size_t shown = 0;
  std::size_t more = 0;
  for (int i = 0; i < count; ++i) {
    const std::string name = general_name_text(sk_GENERAL_NAME_value(names.get(), i));
    if (name.empty()) continue;
    if (shown == kNamesShown) {
      ++more;
      continue;
    }
    if (shown++ > 0) text += ", ";
    text += name;
  }
  return more > 0 ? text + fmt::format(" and {} more", more) : text;
}

// The sentence's predicate. `depth` 0 is the server's own certificate.
std::string describe_verification(TlsErrc code, int error, int depth, X509* certificate) {
  const std::string whose = depth == 0 || certificate == nullptr
                                ? "its certificate"
                                : fmt::format("its issuer's certificate '{}'",
                                              name_text(X509_get_subject_name(certificate)));
  if (certificate == nullptr) return whose + ": " + X509_verify_cert_error_string(error);
  switch (code) {
    case TlsErrc::kExpired:
      return fmt::format("{} has expired on {}", whose,
                         format_rfc3339(certs::to_wall_time(X509_get0_notAfter(certificate))));
    case TlsErrc::kNotYetValid:
      return fmt::format("{} is valid from {} only", whose,
                         format_rfc3339(certs::to_wall_time(X509_get0_notBefore(certificate))));
    case TlsErrc::kHostnameMismatch: {
      const std::string names = names_of(certificate);
      if (names.empty()) return "hostname mismatch: its certificate names no host";
      return fmt::format("hostname mismatch: its certificate is for {}, not for this name", names);
    }
    case TlsErrc::kSelfSigned:
      return "its certificate is self-signed and not in the trust store";
    case TlsErrc::kUntrustedRoot:
      return fmt::format(
          "self-signed certificate in chain: its root '{}' is not in the trust store",
          name_text(X509_get_subject_name(certificate)));
    case TlsErrc::kUnknownAuthority:
      return fmt::format(
          "unknown CA: '{}', which issued {}, is not in the trust store and the server "
          "did not send its certificate",
          name_text(X509_get_issuer_name(certificate)), whose);
    default:
      return fmt::format("{}: {}", whose, X509_verify_cert_error_string(error));
  }
}

constexpr int kAlertOffset = SSL_AD_REASON_OFFSET;

TlsErrc code_of_alert(int alert) {
  switch (alert) {
    case SSL_AD_PROTOCOL_VERSION:
      return TlsErrc::kVersion;
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_INSUFFICIENT_SECURITY:
      return TlsErrc::kHandshake;
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return TlsErrc::kNoApplicationProtocol;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
      return TlsErrc::kCertificateRefused;
    default:
      return TlsErrc::kAlert;
  }
}

TlsErrc code_of_reason(int reason) {
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_UNEXPECTED_MESSAGE:
      return TlsErrc::kNotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_WRONG_SSL_VERSION:
      return TlsErrc::kVersion;
    case SSL_R_EE_KEY_TOO_SMALL:
    case SSL_R_CA_KEY_TOO_SMALL:
    case SSL_R_CA_MD_TOO_WEAK:
    case SSL_R_DH_KEY_TOO_SMALL:
      return TlsErrc::kWeak;
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return TlsErrc::kClosed;
    default:
      return TlsErrc::kHandshake;
  }
}

Error tls_error(TlsErrc code, const std::string& subject, const std::string& detail) {
  const std::error_code error = code;
  std::string text = subject + ": ";
  text += detail.empty() ? error.message() : detail;
  return Error{error, std::move(text)};
}

// From OpenSSL's queue: the first entry is the cause, later ones its consequences.
Error queued_error(unsigned long queued, const std::string& subject) {
  const int reason = ERR_GET_REASON(queued);
  if (ERR_GET_LIB(queued) == ERR_LIB_SSL && reason > kAlertOffset) {
    const int alert = reason - kAlertOffset;
    const TlsErrc code = code_of_alert(alert);
    return tls_error(code, subject,
                     fmt::format("{} (alert '{}')", std::error_code(code).message(),
                                 SSL_alert_desc_string_long(alert)));
  }
  const TlsErrc code =
      ERR_GET_LIB(queued) == ERR_LIB_SSL ? code_of_reason(reason) : TlsErrc::kHandshake;
  const char* text = ERR_reason_error_string(queued);
  if (text == nullptr) return tls_error(code, subject, {});
  return tls_error(code, subject, fmt::format("{} ({})", std::error_code(code).message(), text));
}

}  // namespace

int record_verification(int ok, X509_STORE_CTX* context) {
  if (ok == 1) return ok;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(context, SSL_get_ex_data_X509_STORE_CTX_idx()));
  TlsState* state = tls_state(ssl);
  if (state == nullptr || state->handshake == nullptr) return ok;
  const int error = X509_STORE_CTX_get_error(context);
  const TlsErrc code = code_of_verification(error);
  state->handshake->failure = code;
  state->handshake->failure_text =
      describe_verification(code, error, X509_STORE_CTX_get_error_depth(context),
                            X509_STORE_CTX_get_current_cert(context));
  return ok;
}

Error tls_handshake_error(const SSL* ssl, int result, const std::string& subject) {
  const int kind = SSL_get_error(ssl, result);
  const unsigned long queued = ERR_get_error();
  ERR_clear_error();
  const TlsState& state = *tls_state(ssl);
  if (state.handshake && state.handshake->failure) {
    return tls_error(*state.handshake->failure, subject, state.handshake->failure_text);
  }
  if (state.transport_error) {
    return Error{state.transport_error,
                 subject + ": " + state.transport_error.message() + " during the TLS handshake"};
  }
  if (state.transport_ended) return tls_error(TlsErrc::kClosed, subject, {});
  if (queued != 0) return queued_error(queued, subject);
  return tls_error(kind == SSL_ERROR_ZERO_RETURN ? TlsErrc::kClosed : TlsErrc::kInternal, subject,
                   {});
}

std::error_code tls_stream_error(const SSL* ssl, int result) {
  const int kind = SSL_get_error(ssl, result);
  const unsigned long queued = ERR_get_error();
  ERR_clear_error();
  const TlsState& state = *tls_state(ssl);
  if (state.transport_ended) return StreamErrc::kTruncated;
  if (state.transport_error) return state.transport_error;
  if (kind == SSL_ERROR_SSL && ERR_GET_REASON(queued) > kAlertOffset) {
    return code_of_alert(ERR_GET_REASON(queued) - kAlertOffset);
  }
  return queued != 0 ? TlsErrc::kHandshake : TlsErrc::kInternal;
}

}  // namespace agentsh::net
