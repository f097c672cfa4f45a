#include "certs/trust_store.h"

#include "base/file_io.h"
#include "certs/openssl_handles.h"
#include "certs/pem.h"

#include <openssl/err.h>

namespace agentsh::certs {

TrustStore::TrustStore() : store_(X509_STORE_new()) {}
TrustStore::~TrustStore() {
  X509_STORE_free(store_);
}

Result<> TrustStore::add_text(std::string_view pem, std::string_view name, bool lenient) {
  std::size_t added = 0;
  for (const Der& der : certificates_in_pem(pem)) {
    const unsigned char* at = der.data();
    const X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (certificate && X509_STORE_add_cert(store_, certificate.get()) == 1) {
      ++added;
    } else if (!lenient) {
      return std::unexpected(openssl_error("a certificate in " + std::string(name)));
    }
  }
  ERR_clear_error();
  if (added == 0 && !lenient) {
    return fail(std::string(name) + " holds no certificate in PEM form");
  }
  size_ += added;
  return {};
}

Result<> TrustStore::add_file(const std::string& path, bool lenient) {
  Result<std::string> text = read_file(path);
  if (!text) return std::unexpected(text.error());
  return add_text(*text, path, lenient);
}

Result<std::shared_ptr<const TrustStore>> TrustStore::load(const std::string& host_bundle,
                                                           std::span<const std::string> extra) {
  std::shared_ptr<TrustStore> store(new TrustStore);
  if (!host_bundle.empty()) {
    if (auto added = store->add_file(host_bundle, true); !added) {
      return std::unexpected(added.error());
    }
  }
  for (const std::string& path : extra) {
    if (auto added = store->add_file(path, false); !added) return std::unexpected(added.error());
  }
  if (store->size() == 0) {
    return fail(
        "there is no CA certificate to verify servers with: install the package "
        "ca-certificates or name a file of your own CAs in the configuration",
        std::errc::no_such_file_or_directory);
  }
  return store;
}

Result<std::shared_ptr<const TrustStore>> TrustStore::from_pem(std::string_view pem) {
  std::shared_ptr<TrustStore> store(new TrustStore);
  if (auto added = store->add_text(pem, "the text", false); !added) {
    return std::unexpected(added.error());
  }
  return store;
}

}  // namespace agentsh::certs
