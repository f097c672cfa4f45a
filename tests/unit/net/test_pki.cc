#include "tests/unit/net/test_pki.h"

#include "certs/x509_build.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdexcept>

namespace agentsh::net {
namespace {

using std::chrono::hours;

certs::PkeyPtr make_key(KeyKind kind) {
  switch (kind) {
    case KeyKind::kP256:
      return certs::PkeyPtr(EVP_EC_gen("P-256"));
    case KeyKind::kRsa2048:
      return certs::PkeyPtr(EVP_RSA_gen(2048));
    case KeyKind::kRsa1024:
      return certs::PkeyPtr(EVP_RSA_gen(1024));
    case KeyKind::kEd25519:
      return certs::PkeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  }
  return nullptr;
}

void require(bool good, const char* what) {
  if (!good) throw std::runtime_error(certs::openssl_error(what).what);
}

void add(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const certs::ExtensionPtr made(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  require(made != nullptr && X509_add_ext(certificate, made.get(), -1) == 1, value.c_str());
}

void add_raw_dns(X509* certificate, const std::string& bytes) {
  GENERAL_NAME* name = GENERAL_NAME_new();
  ASN1_IA5STRING* text = ASN1_IA5STRING_new();
  ASN1_STRING_set(text, bytes.data(), static_cast<int>(bytes.size()));
  GENERAL_NAME_set0_value(name, GEN_DNS, text);
  const certs::GeneralNamesPtr names(GENERAL_NAMES_new());
  sk_GENERAL_NAME_push(names.get(), name);
  X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND);
}

void add_unknown(X509* certificate, const std::string& oid) {
  ASN1_OBJECT* object = OBJ_txt2obj(oid.c_str(), 1);
  ASN1_OCTET_STRING* value = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(value, reinterpret_cast<const unsigned char*>("\x05\x00"), 2);
  const certs::ExtensionPtr made(X509_EXTENSION_create_by_OBJ(nullptr, object, 1, value));
  X509_add_ext(certificate, made.get(), -1);
  ASN1_OCTET_STRING_free(value);
  ASN1_OBJECT_free(object);
}

void add_extensions(const CertSpec& spec, X509* certificate, X509* issuer) {
  if (spec.ca) {
    std::string constraints = "critical,CA:TRUE";
    if (spec.path_length >= 0) constraints += ",pathlen:" + std::to_string(spec.path_length);
    add(certificate, issuer, NID_basic_constraints, constraints);
    add(certificate, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else if (!spec.usage.empty()) {
    add(certificate, issuer, NID_ext_key_usage, spec.usage);
  }
  add(certificate, issuer, NID_subject_key_identifier, "hash");
  if (!spec.names.empty()) {
    std::string names;
    for (const std::string& name : spec.names) names += (names.empty() ? "" : ",") + name;
    add(certificate, issuer, NID_subject_alt_name, names);
  }
  if (!spec.raw_dns.empty()) add_raw_dns(certificate, spec.raw_dns);
  if (!spec.unknown_critical.empty()) add_unknown(certificate, spec.unknown_critical);
  for (const auto& [nid, value] : spec.extensions) add(certificate, issuer, nid, value);
}

template <class Write>
std::string to_pem(Write write) {
  const certs::BioPtr out(BIO_new(BIO_s_mem()));
  write(out.get());
  char* data = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(out.get(), &data));
  return {data, size};
}

}  // namespace

TestCert issue(const CertSpec& spec, const TestCert* issuer) {
  TestCert made{certs::X509Ptr(X509_new()), make_key(spec.key)};
  X509* raw = made.certificate.get();
  X509* signer = issuer != nullptr ? issuer->certificate.get() : raw;
  EVP_PKEY* signing_key = issuer != nullptr ? issuer->key.get() : made.key.get();
  const auto now = std::chrono::system_clock::now();
  require(X509_set_version(raw, X509_VERSION_3) == 1 && certs::set_random_serial(raw) &&
              certs::set_validity(raw, now + hours(24 * spec.valid_from),
                                  now + hours(24 * spec.valid_to)) &&
              certs::add_name_entry(X509_get_subject_name(raw), NID_commonName, spec.common_name) &&
              X509_set_issuer_name(raw, X509_get_subject_name(signer)) == 1 &&
              X509_set_pubkey(raw, made.key.get()) == 1,
          "certificate");
  add_extensions(spec, raw, signer);
  const bool ed25519 = EVP_PKEY_is_a(signing_key, "ED25519") == 1;
  const EVP_MD* digest = ed25519 ? nullptr : spec.sha1 ? EVP_sha1() : EVP_sha256();
  require(X509_sign(raw, signing_key, digest) > 0, "sign");
  return made;
}

std::string TestCert::pem() const {
  return to_pem([&](BIO* out) { PEM_write_bio_X509(out, certificate.get()); });
}

std::string TestCert::key_pem() const {
  return to_pem([&](BIO* out) {
    PEM_write_bio_PKCS8PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  });
}

CertSpec ca_spec(std::string name) {
  return {.common_name = std::move(name), .ca = true};
}

CertSpec host_spec(const std::string& name) {
  return {.common_name = name, .names = {"DNS:" + name}};
}

}  // namespace agentsh::net
