#include "certs/server_end_point.h"

#include "certs/openssl_handles.h"

#include <array>

namespace agentsh::certs {

std::vector<std::uint8_t> server_end_point(x509_st* certificate) {
  int hash = NID_undef;
  if (X509_get_signature_info(certificate, &hash, nullptr, nullptr, nullptr) != 1) return {};
  if (hash == NID_undef) return {};
  const EVP_MD* digest =
      hash == NID_md5 || hash == NID_sha1 ? EVP_sha256() : EVP_get_digestbynid(hash);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (digest == nullptr || X509_digest(certificate, digest, out.data(), &size) != 1) return {};
  return {out.begin(), out.begin() + size};
}

}  // namespace agentsh::certs
