#include "certs/leaf.h"

#include "certs/leaf_cache.h"
#include "certs/pem.h"
#include "certs/trust_store.h"
#include "certs/x509_build.h"
#include "tests/unit/certs/cert_testing.h"

#include <gmock/gmock.h>

#include <set>
#include <thread>

namespace agentsh::certs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

struct Signer {
  std::shared_ptr<const Authority> authority = Authority::generate().value();
  std::unique_ptr<const LeafFactory> factory = LeafFactory::create(authority).value();
};

std::string text_of(const Leaf& leaf) {
  const TempFolder folder;
  const Der der = to_der(leaf.certificate()).value();
  folder.put("leaf.pem", certificate_to_pem(der));
  return run_command("openssl x509 -noout -text -in " + folder / "leaf.pem").output;
}

// What a strict client would say.
CommandResult verify(const Signer& signer, const Leaf& leaf, const std::string& option) {
  const TempFolder folder;
  folder.put("ca.pem", signer.authority->certificate_pem());
  folder.put("leaf.pem", certificate_to_pem(to_der(leaf.certificate()).value()));
  return run_command("openssl verify -x509_strict -purpose sslserver " + option + " -CAfile " +
                     folder / "ca.pem" + " " + folder / "leaf.pem");
}

TEST(Leaf, NamesItsHostAndVerifies) {
  const Signer signer;
  auto leaf = signer.factory->mint("www.example.com");
  ASSERT_TRUE(leaf) << leaf.error().what;
  const std::string text = text_of(**leaf);
  EXPECT_THAT(text,
              AllOf(HasSubstr("DNS:www.example.com"), HasSubstr("CN = www.example.com"),
                    HasSubstr("TLS Web Server Authentication"), HasSubstr("Digital Signature"),
                    HasSubstr("Subject Key Identifier"), HasSubstr("Authority Key Identifier"),
                    HasSubstr("Version: 3"), Not(HasSubstr("Client Authentication"))));
  auto verified = verify(signer, **leaf, "-verify_hostname www.example.com");
  EXPECT_EQ(verified.status, 0) << verified.output;
  EXPECT_NE(verify(signer, **leaf, "-verify_hostname example.com").status, 0);
}

TEST(Leaf, AddressesAreAddressNames) {
  const Signer signer;
  for (const char* address : {"192.0.2.7", "2001:db8::1"}) {
    auto leaf = signer.factory->mint(address);
    ASSERT_TRUE(leaf) << leaf.error().what;
    EXPECT_THAT(text_of(**leaf), AllOf(HasSubstr("IP Address:"), HasSubstr("Name: critical")));
    auto verified = verify(signer, **leaf, std::string("-verify_ip ") + address);
    EXPECT_EQ(verified.status, 0) << verified.output;
  }
}

TEST(Leaf, LongNamesHaveNoCommonName) {
  const Signer signer;
  const std::string host = std::string(60, 'a') + '.' + std::string(60, 'b') + ".example";
  auto leaf = signer.factory->mint(host);
  ASSERT_TRUE(leaf) << leaf.error().what;
  auto verified = verify(signer, **leaf, "-verify_hostname " + host);
  EXPECT_EQ(verified.status, 0) << verified.output;
}

TEST(Leaf, RefusesWhatIsNoHost) {
  const Signer signer;
  for (const std::string& bad :
       {std::string(), std::string("*.example"), std::string("A.example"), std::string("a b"),
        std::string("a\0b", 3), std::string("a.example."), std::string(300, 'a')}) {
    EXPECT_FALSE(signer.factory->mint(bad)) << bad;
  }
}

TEST(Leaf, IsBackdatedAndShortLived) {
  const Signer signer;
  auto leaf = signer.factory->mint("a.example");
  ASSERT_TRUE(leaf);
  const auto now = std::chrono::system_clock::now();
  const auto begin = to_wall_time(X509_get0_notBefore((*leaf)->certificate()));
  const auto end = to_wall_time(X509_get0_notAfter((*leaf)->certificate()));
  EXPECT_LE(begin, now - std::chrono::minutes(59));
  EXPECT_LE(end, now + std::chrono::hours(24 * 30));
  EXPECT_GE(end, now + std::chrono::hours(24));
  EXPECT_LE(std::chrono::abs(end - (*leaf)->not_after()), std::chrono::seconds(1));
}

TEST(Leaf, SerialNumbersDifferAndTheKeyIsShared) {
  const Signer signer;
  std::set<std::string> serials;
  for (int i = 0; i < 50; ++i) {
    auto leaf = signer.factory->mint("a.example");
    ASSERT_TRUE(leaf);
    const ASN1_INTEGER* serial = X509_get0_serialNumber((*leaf)->certificate());
    EXPECT_EQ(ASN1_STRING_length(serial), 16);
    serials.emplace(reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)), 16);
    EXPECT_EQ(X509_check_private_key((*leaf)->certificate(), (*leaf)->key()), 1);
  }
  EXPECT_EQ(serials.size(), 50u);
  const Signer other;
  EXPECT_NE(EVP_PKEY_eq(signer.factory->mint("a.example").value()->key(),
                        other.factory->mint("a.example").value()->key()),
            1);
}

TEST(Leaf, ManyThreadsMint) {
  const Signer signer;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const std::string host = "h" + std::to_string(t) + "-" + std::to_string(i) + ".example";
        if (auto leaf = signer.factory->mint(host)) good += (*leaf)->host() == host ? 1 : 0;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 200);
}

TEST(LeafCache, GivesTheSameLeafAndForgetsTheLeastRecentlyUsed) {
  LeafCache cache(LeafFactory::create(Authority::generate().value()).value(), 2);
  auto a = cache.get("a.example").value();
  cache.warm("b.example");
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.get("a.example").value(), a);
  cache.warm("c.example");  // Drops b, which was used longest ago.
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.get("a.example").value(), a);
  cache.warm("d.example");
  cache.warm("e.example");
  EXPECT_NE(cache.get("a.example").value(), a);
  // What a connection still holds outlives its place in the cache.
  EXPECT_EQ(a->host(), "a.example");
}

TEST(LeafCache, BadHostsTakeNoRoom) {
  LeafCache cache(LeafFactory::create(Authority::generate().value()).value());
  EXPECT_FALSE(cache.get("*"));
  cache.warm("not a host");
  EXPECT_EQ(cache.size(), 0u);
}

TEST(LeafCache, ManyThreadsShareIt) {
  LeafCache cache(LeafFactory::create(Authority::generate().value()).value(), 8);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string host = "h" + std::to_string((i * 7 + t) % 16) + ".example";
        auto leaf = cache.get(host);
        if (!leaf || (*leaf)->host() != host) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(cache.size(), 8u);
}

TEST(TrustStore, IsLenientWithTheHostsAndStrictWithOurs) {
  const TempFolder folder;
  auto none = TrustStore::load("");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().what, HasSubstr("ca-certificates"));
  const Signer signer;
  const std::string ca = folder.put("ca.pem", signer.authority->certificate_pem());
  const std::string broken =
      folder.put("broken.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
  const std::vector<std::string> extra{ca};
  EXPECT_EQ(TrustStore::load("", extra).value()->size(), 1u);
  EXPECT_EQ(TrustStore::load(ca, extra).value()->size(), 2u);
  EXPECT_EQ(TrustStore::load(broken, extra).value()->size(), 1u)
      << "the host's are taken as they are";
  const std::vector<std::string> bad{broken};
  auto refused = TrustStore::load(ca, bad);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("broken.pem"));
  const std::vector<std::string> missing{folder / "missing.pem"};
  EXPECT_FALSE(TrustStore::load(ca, missing));
  const std::vector<std::string> empty{folder.put("empty.pem", "nothing")};
  EXPECT_FALSE(TrustStore::load(ca, empty));
}

}  // namespace
}  // namespace agentsh::certs
