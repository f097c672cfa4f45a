#include "certs/leaf.h"

#include "base/domain.h"
#include "base/encoding.h"
#include "base/ip.h"
#include "certs/leaf_key.h"
#include "certs/openssl_handles.h"
#include "certs/x509_build.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace agentsh::certs {

// What is the same in every leaf of a factory.
struct LeafFactory::Parts {
  PkeyPtr key;
  // Key usage, extended key usage, subject and authority key identifiers, encoded once.
  std::vector<ExtensionPtr> extensions;
};

namespace {

constexpr std::size_t kMaxCommonName = 64;  // ub-common-name, RFC 5280.

// SHA-1 of the public key's bits, as RFC 5280 §4.2.1.2 suggests: an identifier, not a protection.
Result<Der> key_identifier(EVP_PKEY* key) {
  const X509Ptr holder(X509_new());
  Der digest(20);
  unsigned size = 20;
  if (X509_set_pubkey(holder.get(), key) != 1 ||
      X509_pubkey_digest(holder.get(), EVP_sha1(), digest.data(), &size) != 1) {
    return std::unexpected(openssl_error("cannot compute a key identifier"));
  }
  return digest;
}

using OctetStringPtr = std::unique_ptr<ASN1_OCTET_STRING, OpensslFree<ASN1_OCTET_STRING_free>>;
using AuthorityKeyPtr = std::unique_ptr<AUTHORITY_KEYID, OpensslFree<AUTHORITY_KEYID_free>>;

ExtensionPtr subject_key_extension(const Der& identifier) {
  const OctetStringPtr octets(ASN1_OCTET_STRING_new());
  ASN1_OCTET_STRING_set(octets.get(), identifier.data(), static_cast<int>(identifier.size()));
  return ExtensionPtr(X509V3_EXT_i2d(NID_subject_key_identifier, 0, octets.get()));
}

ExtensionPtr authority_key_extension(X509* issuer) {
  const AuthorityKeyPtr value(AUTHORITY_KEYID_new());
  value->keyid = ASN1_OCTET_STRING_dup(X509_get0_subject_key_id(issuer));
  return ExtensionPtr(X509V3_EXT_i2d(NID_authority_key_identifier, 0, value.get()));
}

ExtensionPtr configured_extension(int nid, const char* value) {
  return ExtensionPtr(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value));
}

GeneralNamesPtr alternative_names(std::string_view host, const std::optional<IpAddress>& address) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (address) {
    ASN1_OCTET_STRING* octets = ASN1_OCTET_STRING_new();
    const auto& bytes = address->bytes();
    const std::size_t size = address->is_v4() ? 4 : 16;
    ASN1_OCTET_STRING_set(octets, bytes.data() + (16 - size), static_cast<int>(size));
    GENERAL_NAME_set0_value(name, GEN_IPADD, octets);
  } else {
    ASN1_IA5STRING* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, host.data(), static_cast<int>(host.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
  }
  GeneralNamesPtr names(GENERAL_NAMES_new());
  sk_GENERAL_NAME_push(names.get(), name);
  return names;
}

}  // namespace

Leaf::Leaf(std::string host, WallTime not_after, x509_st* certificate, evp_pkey_st* key,
           stack_st_X509* chain)
    : host_(std::move(host)),
      not_after_(not_after),
      certificate_(certificate),
      key_(key),
      chain_(chain) {}

Leaf::~Leaf() {
  ChainFree()(chain_);
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

LeafFactory::LeafFactory(std::shared_ptr<const Authority> authority, std::unique_ptr<Parts> parts)
    : authority_(std::move(authority)), parts_(std::move(parts)) {}
LeafFactory::~LeafFactory() = default;

Result<std::unique_ptr<const LeafFactory>> LeafFactory::create(
    std::shared_ptr<const Authority> authority) {
  auto parts = std::make_unique<Parts>();
  Result<PkeyPtr> key = make_leaf_key();
  if (!key) return std::unexpected(key.error());
  parts->key = std::move(*key);
  Result<Der> identifier = key_identifier(parts->key.get());
  if (!identifier) return std::unexpected(identifier.error());
  auto& extensions = parts->extensions;
  extensions.push_back(configured_extension(NID_key_usage, "critical,digitalSignature"));
  extensions.push_back(configured_extension(NID_ext_key_usage, "serverAuth"));
  extensions.push_back(subject_key_extension(*identifier));
  extensions.push_back(authority_key_extension(authority->certificate()));
  if (std::ranges::any_of(extensions, [](const ExtensionPtr& one) { return one == nullptr; })) {
    return std::unexpected(openssl_error("cannot encode the leaf's extensions"));
  }
  return std::unique_ptr<const LeafFactory>(
      new LeafFactory(std::move(authority), std::move(parts)));
}

Result<std::shared_ptr<const Leaf>> LeafFactory::mint(std::string_view host) const {
  const std::optional<IpAddress> address = IpAddress::parse(host);
  if (!address && canonical_host(host) != host) {
    return fail("cannot make a certificate for '" + printable(host) +
                "': neither a canonical host name nor an IP address");
  }
  // Nobody looks at the common name when there is an alternative name; it is for people.
  const bool with_name = !address && host.size() <= kMaxCommonName;
  const WallTime now = std::chrono::system_clock::now();
  const WallTime not_after = std::min(now + kLifetime, authority_->not_after());
  X509Ptr leaf(X509_new());
  X509* raw = leaf.get();
  bool built = X509_set_version(raw, X509_VERSION_3) == 1 && set_random_serial(raw) &&
               set_validity(raw, now - kBackdate, not_after) &&
               (!with_name || add_name_entry(X509_get_subject_name(raw), NID_commonName, host)) &&
               X509_set_issuer_name(raw, X509_get_subject_name(authority_->certificate())) == 1 &&
               X509_set_pubkey(raw, parts_->key.get()) == 1;
  // Critical where the subject is empty (RFC 5280 §4.2.1.6).
  const GeneralNamesPtr names = alternative_names(host, address);
  built = built && X509_add1_ext_i2d(raw, NID_subject_alt_name, names.get(), with_name ? 0 : 1,
                                     X509V3_ADD_APPEND) == 1;
  for (const ExtensionPtr& extension : parts_->extensions) {
    built = built && X509_add_ext(raw, extension.get(), -1) == 1;
  }
  if (!built || X509_sign(raw, authority_->key(), EVP_sha256()) == 0) {
    return std::unexpected(openssl_error("cannot make a certificate for " + std::string(host)));
  }
  EVP_PKEY_up_ref(parts_->key.get());
  return std::shared_ptr<const Leaf>(
      new Leaf(std::string(host), not_after, leaf.release(), parts_->key.get()));
}

}  // namespace agentsh::certs
