// Certificates in PEM files (RFC 7468): found, decoded and written without looking inside them.
#pragma once

#include "base/bytes.h"
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace agentsh::certs {

using Der = std::vector<std::uint8_t>;

// The certificates of a PEM text in their order. Everything else is skipped: comments, keys, other
// blocks, and certificates whose base64 is broken. The trust settings of OpenSSL's "TRUSTED
// CERTIFICATE" are cut off.
std::vector<Der> certificates_in_pem(std::string_view text);

// One CERTIFICATE block with lines of 64 characters.
std::string certificate_to_pem(Bytes der);

// SHA-256 in hexadecimal: what names a certificate.
std::string sha256_hex(Bytes data);

}  // namespace agentsh::certs
