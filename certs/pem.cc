#include "certs/pem.h"

#include "base/encoding.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <optional>

namespace agentsh::certs {
namespace {

constexpr std::string_view kBegin = "-----BEGIN ";
constexpr std::string_view kDashes = "-----";

// The bytes of the first DER element: a certificate without what OpenSSL appends to it.
std::optional<std::size_t> element_size(Bytes der) {
  ByteReader reader(der);
  if (reader.u8() != 0x30) return {};
  std::size_t length = reader.u8();
  if (length > 0x80) {
    const std::size_t width = length & 0x7f;
    if (width > 4) return {};
    length = 0;
    for (std::size_t i = 0; i < width; ++i) length = length << 8 | reader.u8();
  } else if (length == 0x80) {
    return {};
  }
  if (!reader.ok() || length > reader.remaining()) return {};
  return reader.position() + length;
}

std::optional<Der> decode_body(std::string_view body) {
  std::string packed;
  packed.reserve(body.size());
  for (const char c : body) {
    if (c != '\n' && c != '\r' && c != ' ' && c != '\t') packed += c;
  }
  const std::optional<std::string> bytes = from_base64(packed);
  if (!bytes) return {};
  const std::optional<std::size_t> size = element_size(as_bytes(*bytes));
  if (!size) return {};
  return Der(bytes->begin(), bytes->begin() + static_cast<std::ptrdiff_t>(*size));
}

}  // namespace

std::vector<Der> certificates_in_pem(std::string_view text) {
  std::vector<Der> found;
  for (std::size_t at = text.find(kBegin); at != std::string_view::npos;
       at = text.find(kBegin, at)) {
    at += kBegin.size();
    const std::size_t label_end = text.find(kDashes, at);
    if (label_end == std::string_view::npos) break;
    const std::string_view label = text.substr(at, label_end - at);
    const std::size_t body = label_end + kDashes.size();
    const std::size_t end = text.find(std::string("-----END ").append(label), body);
    if (end == std::string_view::npos) continue;
    if (label == "CERTIFICATE" || label == "TRUSTED CERTIFICATE" || label == "X509 CERTIFICATE") {
      std::optional<Der> der = decode_body(text.substr(body, end - body));
      if (der) found.push_back(std::move(*der));
    }
    at = end;
  }
  return found;
}

std::string certificate_to_pem(Bytes der) {
  const std::string base64 = to_base64(as_text(der));
  std::string text = "-----BEGIN CERTIFICATE-----\n";
  for (std::size_t at = 0; at < base64.size(); at += 64) {
    text.append(base64, at, 64);
    text += '\n';
  }
  return text + "-----END CERTIFICATE-----\n";
}

std::string sha256_hex(Bytes data) {
  std::array<std::uint8_t, 32> digest{};
  unsigned size = digest.size();
  EVP_Digest(data.data(), data.size(), digest.data(), &size, EVP_sha256(), nullptr);
  return to_hex(digest);
}

}  // namespace agentsh::certs
