#include "certs/x509_build.h"

#include "base/random.h"

#include <array>
#include <chrono>
#include <ctime>

namespace agentsh::certs {

bool add_name_entry(X509_NAME* name, int nid, std::string_view value) {
  return X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(value.data()),
                                    static_cast<int>(value.size()), -1, 0) == 1;
}

bool set_random_serial(X509* certificate) {
  std::array<std::uint8_t, 16> bytes{};
  fill_random(bytes);
  bytes[0] = static_cast<std::uint8_t>((bytes[0] & 0x7f) | 0x40);  // Positive, always 16 bytes.
  const BignumPtr number(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
  return number != nullptr &&
         BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
}

bool set_validity(X509* certificate, WallTime not_before, WallTime not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(certificate),
                       std::chrono::system_clock::to_time_t(not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(certificate),
                       std::chrono::system_clock::to_time_t(not_after)) != nullptr;
}

Result<> add_extension(X509* certificate, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  if (!extension || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return std::unexpected(openssl_error("cannot add a certificate extension"));
  }
  return {};
}

Result<Der> to_der(X509* certificate) {
  const int size = i2d_X509(certificate, nullptr);
  if (size <= 0) return std::unexpected(openssl_error("cannot encode a certificate"));
  Der der(static_cast<std::size_t>(size));
  unsigned char* out = der.data();
  i2d_X509(certificate, &out);
  return der;
}

WallTime to_wall_time(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace agentsh::certs
