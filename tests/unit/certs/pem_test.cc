#include "certs/pem.h"

#include "base/encoding.h"
#include "certs/authority.h"

#include <gmock/gmock.h>

namespace agentsh::certs {
namespace {

TEST(Pem, FindsCertificatesAmongOtherThings) {
  const auto one = Authority::generate().value();
  const auto other = Authority::generate().value();
  const std::string text =
      "# comment\n" + one->certificate_pem() +
      "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n"
      "-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n"
      "-----BEGIN CERTIFICATE REQUEST-----\nMAA=\n-----END CERTIFICATE REQUEST-----\n" +
      "subject=x\r\n" + other->certificate_pem() + "-----BEGIN CERTIFICATE-----\ncut off";
  const std::vector<Der> found = certificates_in_pem(text);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(sha256_hex(found[0]), one->fingerprint());
  EXPECT_EQ(sha256_hex(found[1]), other->fingerprint());
}

TEST(Pem, CutsTrustSettingsOff) {
  const auto authority = Authority::generate().value();
  Der trusted(authority->certificate_der().begin(), authority->certificate_der().end());
  trusted.insert(trusted.end(), {0x30, 0x02, 0x05, 0x00});
  const std::string text = "-----BEGIN TRUSTED CERTIFICATE-----\n" + to_base64(as_text(trusted)) +
                           "\n-----END TRUSTED CERTIFICATE-----\n";
  const std::vector<Der> found = certificates_in_pem(text);
  ASSERT_EQ(found.size(), 1u) << text;
  EXPECT_EQ(sha256_hex(found[0]), authority->fingerprint());
}

TEST(Pem, WritesWhatItReads) {
  const auto authority = Authority::generate().value();
  const std::vector<Der> found = certificates_in_pem(authority->certificate_pem());
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(certificate_to_pem(found[0]), authority->certificate_pem());
}

TEST(Pem, SurvivesAnyText) {
  for (const char* text : {"", "-----BEGIN ", "-----BEGIN CERTIFICATE-----",
                           "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
                           "-----BEGIN -----\n-----END -----",
                           "-----BEGIN CERTIFICATE-----\nMIL/////\n-----END CERTIFICATE-----",
                           "-----BEGIN CERTIFICATE-----\nMIAA\n-----END CERTIFICATE-----"}) {
    EXPECT_TRUE(certificates_in_pem(text).empty()) << text;
  }
}

}  // namespace
}  // namespace agentsh::certs
