// A server's certificate and key as openssl(1) makes them.
#include "certs/leaf.h"
#include "certs/openssl_handles.h"
#include "tests/unit/certs/cert_testing.h"

#include <gmock/gmock.h>
#include <openssl/x509.h>

namespace agentsh::certs {
namespace {

using ::testing::HasSubstr;

class ServerCertificateTest : public ::testing::Test {
 protected:
  // A self-signed certificate <name>.pem with <name>.key.
  void make(const std::string& name, const std::string& algorithm, const std::string& more = {}) {
    auto made =
        run_command("openssl req -x509 -newkey " + algorithm + " -days 2 -subj /CN=" + name + " " +
                    (more.empty() ? "-nodes" : more) + " -keyout " + folder_ / (name + ".key") +
                    " -out " + folder_ / (name + ".pem") + " 2>&1");
    ASSERT_EQ(made.status, 0) << made.output;
  }
  std::string text(const std::string& name) {
    return run_command("cat " + (folder_ / name)).output;
  }
  std::string failure(const std::string& certificates, const std::string& key) {
    auto leaf = Leaf::from_pem(certificates, key);
    return leaf ? "none" : leaf.error().what;
  }
  TempFolder folder_;
};

TEST_F(ServerCertificateTest, IsTakenWithWhatLeadsToItsRoot) {
  for (const char* algorithm : {"ec -pkeyopt ec_paramgen_curve:P-256", "rsa:2048", "ed25519"}) {
    make("own", algorithm);
    make("issuer", "ec -pkeyopt ec_paramgen_curve:P-256");
    auto leaf = Leaf::from_pem(text("own.pem") + text("issuer.pem"), text("own.key"));
    ASSERT_TRUE(leaf) << algorithm << leaf.error().what;
    EXPECT_EQ(sk_X509_num((*leaf)->chain()), 1);
    EXPECT_GT((*leaf)->not_after(), std::chrono::system_clock::now() + std::chrono::hours(40));
  }
  EXPECT_EQ(sk_X509_num((*Leaf::from_pem(text("own.pem"), text("own.key")))->chain()), 0);
}

TEST_F(ServerCertificateTest, WhatIsWrongIsSaid) {
  make("own", "ec -pkeyopt ec_paramgen_curve:P-256");
  make("other", "ec -pkeyopt ec_paramgen_curve:P-256");
  make("weak", "rsa:1024");
  make("locked", "rsa:2048", "-passout pass:secret");
  EXPECT_THAT(failure("", text("own.key")), HasSubstr("no certificate"));
  EXPECT_THAT(failure(text("own.key"), text("own.key")), HasSubstr("no certificate"));
  EXPECT_THAT(failure(text("own.pem"), ""), HasSubstr("no private key"));
  EXPECT_THAT(failure(text("own.pem"), text("own.pem")), HasSubstr("no private key"));
  EXPECT_THAT(failure(text("own.pem"), text("other.key")), HasSubstr("does not belong"));
  EXPECT_THAT(failure(text("weak.pem"), text("weak.key")), HasSubstr("too short"));
  EXPECT_THAT(failure(text("locked.pem"), text("locked.key")), HasSubstr("without a password"));
  EXPECT_EQ(failure(text("own.pem"), text("own.key")), "none");
}

}  // namespace
}  // namespace agentsh::certs
