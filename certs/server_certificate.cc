// A server's own certificate, from PEM.
#include "certs/leaf.h"
#include "certs/openssl_handles.h"
#include "certs/pem.h"
#include "certs/x509_build.h"

#include <openssl/pem.h>

namespace agentsh::certs {
namespace {

constexpr int kLeastSecurityBits = 112;  // RSA 2048, P-224: what clients of today accept.

Result<X509Ptr> to_certificate(const Der& der) {
  const unsigned char* at = der.data();
  X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (!certificate) return std::unexpected(openssl_error("not a certificate"));
  return certificate;
}

// Instead of OpenSSL's own, which asks at the terminal.
int no_password(char*, int, int, void*) {
  return -1;
}

Result<PkeyPtr> to_key(std::string_view pem) {
  const BioPtr source(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  PkeyPtr key(PEM_read_bio_PrivateKey(source.get(), nullptr, &no_password, nullptr));
  if (!key) return std::unexpected(openssl_error("no private key in PEM without a password"));
  if (EVP_PKEY_get_security_bits(key.get()) < kLeastSecurityBits)
    return fail("the private key is too short (RSA: at least 2048 bits)");
  return key;
}

}  // namespace

Result<std::shared_ptr<const Leaf>> Leaf::from_pem(std::string_view certificates,
                                                   std::string_view key_text) {
  const std::vector<Der> found = certificates_in_pem(certificates);
  if (found.empty()) return fail("no certificate in PEM");
  ChainPtr chain(sk_X509_new_null());
  X509Ptr own;
  for (const Der& der : found) {
    auto certificate = to_certificate(der);
    if (!certificate) return std::unexpected(certificate.error());
    if (!own) {
      own = std::move(*certificate);
    } else if (sk_X509_push(chain.get(), certificate->get()) > 0) {
      static_cast<void>(certificate->release());
    }
  }
  auto key = to_key(key_text);
  if (!key) return std::unexpected(key.error());
  if (X509_check_private_key(own.get(), key->get()) != 1) {
    static_cast<void>(openssl_error(""));  // Empties the queue.
    return fail("the private key does not belong to the first certificate");
  }
  const WallTime not_after = to_wall_time(X509_get0_notAfter(own.get()));
  return std::shared_ptr<const Leaf>(
      new Leaf({}, not_after, own.release(), key->release(), chain.release()));
}

}  // namespace agentsh::certs
