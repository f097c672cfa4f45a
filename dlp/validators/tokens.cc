// What issuers build into their tokens: check sums, dates of issue, encoded structure.

#include "dlp/validators/encodings.h"
#include "dlp/validators/families.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace agentsh::dlp {

namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= ' ' && c <= '~') || c == '\t'; });
}

bool is_decimal(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

bool base62_crc_matches(std::string_view body, std::string_view check) {
  const std::array<char, 6> expected = base62(crc32(body));
  return check == std::string_view(expected.data(), expected.size());
}

// GitHub and npm: <prefix>_<random><CRC-32 of the random part, six digits of base 62>.
bool github_checksum(std::string_view value, const ValidatorParameters&) {
  const auto separator = value.rfind('_');
  if (separator == std::string_view::npos || value.size() < separator + 8) return false;
  const std::string_view rest = value.substr(separator + 1);
  return base62_crc_matches(rest.substr(0, rest.size() - 6), rest.substr(rest.size() - 6));
}

// Synapse: syt_<user in base64>_<20 letters>_<CRC-32 of all before it, in base 62>.
bool synapse_checksum(std::string_view value, const ValidatorParameters&) {
  const auto separator = value.rfind('_');
  if (separator == std::string_view::npos) return false;
  return base62_crc_matches(value.substr(0, separator), value.substr(separator + 1));
}

// Grafana: glsa_<32>_<CRC-32 of all before it, its bytes from the least significant on, in hex>.
bool grafana_checksum(std::string_view value, const ValidatorParameters&) {
  const auto separator = value.rfind('_');
  if (separator == std::string_view::npos) return false;
  const std::uint32_t crc = crc32(value.substr(0, separator));
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%02x%02x%02x%02x", crc & 0xFF, crc >> 8 & 0xFF,
                crc >> 16 & 0xFF, crc >> 24);
  return value.substr(separator + 1) == std::string_view(text.data(), 8);
}

// Atlassian: AT...=<CRC-32 of all up to the sign, that included, in upper case hex>.
bool atlassian_checksum(std::string_view value, const ValidatorParameters&) {
  const auto separator = value.rfind('=');
  if (separator == std::string_view::npos) return false;
  std::array<char, 9> text{};
  std::snprintf(text.data(), text.size(), "%08X", crc32(value.substr(0, separator + 1)));
  return value.substr(separator + 1) == std::string_view(text.data(), 8);
}

// RFC 7519: the header is a JSON object with an "alg", the claims are a JSON object.
bool jwt(std::string_view value, const ValidatorParameters&) {
  const auto first = value.find('.');
  const auto second = value.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return false;
  std::array<char, 1024> buffer{};
  const auto header = decode_base64(value.substr(0, first), buffer);
  if (!header || header->empty() || header->front() != '{' || !header->contains("\"alg\"")) {
    return false;
  }
  const auto claims = decode_base64(value.substr(first + 1, second - first - 1), buffer);
  return claims && claims->starts_with("{\"");
}

// PyPI: "pypi-" and a macaroon of version 2 in base64: 2, then fields of type, length and bytes:
// location (1) pypi.org, identifier (2), end of section, caveats, and a signature (6) of 32 bytes.
bool pypi_macaroon(std::string_view value, const ValidatorParameters&) {
  if (!value.starts_with("pypi-")) return false;
  std::array<char, 1024> buffer{};
  const auto bytes = decode_base64(value.substr(5), buffer);
  if (!bytes || bytes->size() < 40 || (*bytes)[0] != 2 || (*bytes)[1] != 1) return false;
  const auto length = static_cast<std::size_t>(static_cast<std::uint8_t>((*bytes)[2]));
  if (bytes->size() < length + 4) return false;
  const std::string_view location = bytes->substr(3, length);
  return (location == "pypi.org" || location == "test.pypi.org") && (*bytes)[3 + length] == 2;
}

// Discord: the bot's numeric id in base64 before the first dot.
bool discord_token(std::string_view value, const ValidatorParameters&) {
  std::array<char, 32> buffer{};
  const auto id = decode_base64(value.substr(0, value.find('.')), buffer);
  return id && id->size() >= 17 && id->size() <= 20 && is_decimal(*id);
}

// A JSON object in base64 behind `skip` characters of prefix.
bool base64_json(std::string_view value, const ValidatorParameters& parameters) {
  const auto skip =
      static_cast<std::size_t>(parameters.numbers.empty() ? 0 : parameters.numbers[0]);
  if (value.size() <= skip) return false;
  std::array<char, 2048> buffer{};
  const auto text = decode_base64(value.substr(skip), buffer);
  return text && text->starts_with("{\"") && is_printable(*text);
}

// Base64 of printable ASCII.
bool base64_text(std::string_view value, const ValidatorParameters&) {
  std::array<char, 512> buffer{};
  const auto text = decode_base64(value, buffer);
  return text && text->size() >= 4 && is_printable(*text);
}

// RFC 7617: base64 of "user:password".
bool basic_credentials(std::string_view value, const ValidatorParameters&) {
  std::array<char, 512> buffer{};
  const auto text = decode_base64(value, buffer);
  if (!text || !is_printable(*text)) return false;
  const auto colon = text->find(':');
  return colon != std::string_view::npos && colon > 0 && colon + 1 < text->size();
}

// Azure: a SHA-256 in base64, percent encoded or not.
bool azure_sas(std::string_view value, const ValidatorParameters&) {
  std::array<char, 64> text{};
  std::size_t size = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (size == text.size()) return false;
    if (value[i] != '%') {
      text[size++] = value[i];
      continue;
    }
    if (i + 2 >= value.size()) return false;
    const char low = static_cast<char>(value[i + 2] | 32);
    text[size++] = value[i + 1] == '3' && low == 'd' ? '=' : low == 'b' ? '+' : '/';
    i += 2;
  }
  std::array<char, 48> buffer{};
  const auto digest = decode_base64({text.data(), size}, buffer);
  return digest && digest->size() == 32;
}

// Is there a key in this PEM block (RFC 7468, RFC 1421 headers allowed)? Line breaks may be written
// as \n. DER begins with a SEQUENCE, "M" in base64; OpenSSH has a magic of its own; PGP a packet
// tag.
bool pem_body(std::string_view value, const ValidatorParameters&) {
  const auto head = value.find("-----", 5);
  const auto tail = value.rfind("-----END");
  if (head == std::string_view::npos || tail == std::string_view::npos || head + 5 > tail) {
    return false;
  }
  std::string_view body = value.substr(head + 5, tail - head - 5);
  const bool has_headers = body.contains(": ");
  std::array<bool, 128> seen{};
  std::size_t distinct = 0;
  std::size_t count = 0;
  char first = 0;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (c == '\\' && i + 1 < body.size()) {
      ++i;  // \n or \r.
      continue;
    }
    if (c == '.' && body.substr(i).starts_with("...")) return false;
    const bool base64 = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                        (c >= 'a' && c <= 'z') || c == '+' || c == '/';
    if (!base64) continue;
    if (count++ == 0) first = c;
    if (!seen[static_cast<std::size_t>(c)]) ++distinct;
    seen[static_cast<std::size_t>(c)] = true;
  }
  if (count < 60 || distinct < 24) return false;
  if (value.starts_with("-----BEGIN OPENSSH")) return first == 'b';
  if (value.starts_with("-----BEGIN PGP")) return has_headers || first == 'l' || first == 'x';
  return has_headers || first == 'M';
}

constexpr std::array kEntries = {
    ValidatorEntry{"atlassian_checksum", atlassian_checksum, 0, 0, "CRC-32 of Atlassian tokens"},
    ValidatorEntry{"azure_sas", azure_sas, 0, 0, "a signature of 32 bytes in base64"},
    ValidatorEntry{"base64_json", base64_json, 0, 1,
                   "base64 of a JSON object, behind N characters"},
    ValidatorEntry{"base64_text", base64_text, 0, 0, "base64 of printable text"},
    ValidatorEntry{"basic_credentials", basic_credentials, 0, 0, "base64 of user:password"},
    ValidatorEntry{"discord_token", discord_token, 0, 0, "a Discord id in its first part"},
    ValidatorEntry{"github_checksum", github_checksum, 0, 0,
                   "CRC-32 in base 62 of GitHub and npm tokens"},
    ValidatorEntry{"grafana_checksum", grafana_checksum, 0, 0, "CRC-32 of Grafana tokens"},
    ValidatorEntry{"jwt", jwt, 0, 0, "header and claims of a JSON Web Token"},
    ValidatorEntry{"pem_body", pem_body, 0, 0, "a PEM block with a key in it"},
    ValidatorEntry{"pypi_macaroon", pypi_macaroon, 0, 0, "a macaroon of PyPI"},
    ValidatorEntry{"synapse_checksum", synapse_checksum, 0, 0, "CRC-32 of Matrix access tokens"},
};

}  // namespace

std::span<const ValidatorEntry> token_validators() {
  return kEntries;
}

}  // namespace agentsh::dlp
