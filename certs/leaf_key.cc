// Deprecated calls on purpose: OpenSSL 3.0 encodes the public key of a provider key through its
// encoder machinery and decodes it again each time it is put into a certificate, which costs 130 of
// the 185 µs that minting would take. A key of the older kind is encoded directly.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "certs/leaf_key.h"

#include <openssl/ec.h>

namespace agentsh::certs {

Result<PkeyPtr> make_leaf_key() {
  using EcKeyPtr = std::unique_ptr<EC_KEY, OpensslFree<EC_KEY_free>>;
  EcKeyPtr ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  PkeyPtr key(EVP_PKEY_new());
  if (!ec || !key || EC_KEY_generate_key(ec.get()) != 1 ||
      EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) != 1) {
    return std::unexpected(openssl_error("cannot make the leaf key"));
  }
  return key;
}

}  // namespace agentsh::certs
