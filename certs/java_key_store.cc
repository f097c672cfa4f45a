#include "certs/java_key_store.h"

#include <openssl/evp.h>

#include <array>
#include <string_view>

namespace agentsh::certs {
namespace {

constexpr std::uint32_t kMagic = 0xfeedfeed;
constexpr std::uint32_t kVersion = 2;
constexpr std::uint32_t kTrustedCertificate = 2;
// What the format mixes into its checksum (sun.security.provider.JavaKeyStore).
constexpr std::string_view kWhitener = "Mighty Aphrodite";

void write_utf(ByteWriter& out, std::string_view text) {
  out.u16(static_cast<std::uint16_t>(text.size()));
  out.text(text);
}

// SHA-1 over the password in UTF-16, the whitener and the content.
std::array<std::uint8_t, 20> checksum(Bytes content) {
  ByteWriter seed;
  for (const char c : std::string_view(kJavaStorePassword)) {
    seed.u16(static_cast<std::uint16_t>(c));
  }
  seed.text(kWhitener);
  seed.bytes(content);
  std::array<std::uint8_t, 20> digest{};
  unsigned size = digest.size();
  EVP_Digest(seed.view().data(), seed.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return digest;
}

}  // namespace

std::string java_trust_store(std::span<const Der> certificates) {
  ByteWriter out;
  out.u32(kMagic);
  out.u32(kVersion);
  out.u32(static_cast<std::uint32_t>(certificates.size()));
  for (const Der& der : certificates) {
    out.u32(kTrustedCertificate);
    write_utf(out, "agentsh-" + sha256_hex(der).substr(0, 16));
    out.u32(
        0);  // Creation time, milliseconds in 64 bits: none, so that equal inputs give equal files.
    out.u32(0);
    write_utf(out, "X.509");
    out.u32(static_cast<std::uint32_t>(der.size()));
    out.bytes(der);
  }
  const std::array<std::uint8_t, 20> digest = checksum(out.view());
  out.bytes(digest);
  return std::string(as_text(out.view()));
}

}  // namespace agentsh::certs
