#include "certs/trust_locations.h"

#include "tests/unit/certs/cert_testing.h"

#include <gmock/gmock.h>

#include <set>

namespace agentsh::certs {
namespace {

using ::testing::Contains;
using ::testing::Pair;
using ::testing::StartsWith;

std::optional<TrustPlace> place(const std::vector<TrustPlace>& places, const std::string& path) {
  for (const TrustPlace& one : places) {
    if (one.path == path) return one;
  }
  return {};
}

TEST(TrustEnvironment, NamesEveryProgramsVariable) {
  const auto environment = trust_environment("/b.pem", "/certs", "/ca.pem");
  for (const char* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
                           "GIT_SSL_CAINFO", "PIP_CERT", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO",
                           "NIX_SSL_CERT_FILE", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE"}) {
    EXPECT_THAT(environment, Contains(Pair(name, "/b.pem")));
  }
  EXPECT_THAT(environment, Contains(Pair("NODE_EXTRA_CA_CERTS", "/ca.pem")));
  EXPECT_THAT(environment, Contains(Pair("DENO_CERT", "/ca.pem")));
  EXPECT_THAT(environment, Contains(Pair("SSL_CERT_DIR", "/certs")));
  std::set<std::string> names;
  for (const auto& [name, value] : environment) {
    EXPECT_TRUE(names.insert(name).second) << name;
  }
  EXPECT_EQ(names.size(), trust_variables().size());
}

TEST(TrustEnvironment, LeavesOutWhatHasNoPath) {
  for (const auto& [name, value] : trust_environment("/b.pem", "", "/ca.pem")) {
    EXPECT_NE(name, "SSL_CERT_DIR");
  }
}

TEST(TrustPlaces, FindsADebianLayout) {
  const TempFolder root;
  root.put("etc/ssl/certs/ca-certificates.crt", "x");
  root.put("etc/ssl/certs/java/cacerts", "x");
  root.put("usr/lib/jvm/java-17/lib/security/x", "x");
  root.put("usr/lib/ssl/x", "x");
  root.put("usr/lib/python3/dist-packages/pip/_vendor/certifi/cacert.pem", "x");
  root.put("usr/local/lib/python3.12/site-packages/certifi/cacert.pem", "x");
  std::filesystem::create_symlink(root / "etc/ssl/certs", root / "usr/lib/ssl/certs");
  std::filesystem::create_symlink(root / "etc/ssl/certs/ca-certificates.crt",
                                  root / "usr/lib/ssl/cert.pem");
  std::filesystem::create_symlink(root / "etc/ssl/certs/java/cacerts",
                                  root / "usr/lib/jvm/java-17/lib/security/cacerts");
  root.put("home/me/.local/lib/python3.11/site-packages/certifi/cacert.pem", "x");
  root.put("work/.venv/lib/python3.11/site-packages/certifi/cacert.pem", "x");
  root.put("home/me/.sdkman/candidates/java/21/lib/security/cacerts", "x");
  root.put("opt/my-jdk/lib/security/cacerts", "x");

  const HostLayout layout{
      .root = root.path(), .homes = {"/home/me"}, .folders = {"/work"}, .java_home = "/opt/my-jdk"};
  EXPECT_EQ(find_host_bundle(layout), root / "etc/ssl/certs/ca-certificates.crt");
  const std::vector<TrustPlace> places = find_trust_places(layout);
  ASSERT_TRUE(place(places, root / "etc/ssl/certs"));
  EXPECT_EQ(place(places, root / "etc/ssl/certs")->kind, TrustPlaceKind::kDirectory);
  for (const char* path : {"usr/lib/python3/dist-packages/pip/_vendor/certifi/cacert.pem",
                           "usr/local/lib/python3.12/site-packages/certifi/cacert.pem"}) {
    ASSERT_TRUE(place(places, root / path)) << path;
    EXPECT_FALSE(place(places, root / path)->users);
  }
  for (const char* path : {"home/me/.local/lib/python3.11/site-packages/certifi/cacert.pem",
                           "work/.venv/lib/python3.11/site-packages/certifi/cacert.pem",
                           "home/me/.sdkman/candidates/java/21/lib/security/cacerts"}) {
    ASSERT_TRUE(place(places, root / path)) << path;
    EXPECT_TRUE(place(places, root / path)->users);
  }
  EXPECT_EQ(place(places, root / "opt/my-jdk/lib/security/cacerts")->kind,
            TrustPlaceKind::kJavaStore);
  // Everything that lies in /etc/ssl/certs, also by link, comes with the directory.
  EXPECT_EQ(places.size(), 7u);
}

TEST(TrustPlaces, FindsAFedoraLayout) {
  const TempFolder root;
  root.put("etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "x");
  root.put("etc/pki/ca-trust/extracted/java/cacerts", "x");
  root.put("etc/pki/tls/certs/x", "x");
  std::filesystem::create_directories(root / "etc/ssl");
  std::filesystem::create_symlink(root / "etc/pki/tls/certs", root / "etc/ssl/certs");
  std::filesystem::create_symlink(root / "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                  root / "etc/pki/tls/certs/ca-bundle.crt");
  const HostLayout layout{.root = root.path()};
  EXPECT_EQ(find_host_bundle(layout), root / "etc/pki/tls/certs/ca-bundle.crt");
  const std::vector<TrustPlace> places = find_trust_places(layout);
  EXPECT_EQ(places.size(), 3u);
  EXPECT_TRUE(place(places, root / "etc/pki/tls/certs"));
  EXPECT_TRUE(place(places, root / "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"));
  EXPECT_TRUE(place(places, root / "etc/pki/ca-trust/extracted/java/cacerts"));
}

TEST(TrustPlaces, AnEmptyHostHasNone) {
  const TempFolder root;
  const HostLayout layout{.root = root.path()};
  EXPECT_FALSE(find_host_bundle(layout));
  EXPECT_TRUE(find_trust_places(layout).empty());
}

TEST(TrustPlaces, FindsThisHosts) {
  for (const TrustPlace& one : find_trust_places({.homes = {"/root"}})) {
    EXPECT_THAT(one.path, StartsWith("/"));
    EXPECT_TRUE(std::filesystem::exists(one.path)) << one.path;
    EXPECT_FALSE(std::filesystem::is_symlink(one.path)) << one.path;
  }
}

}  // namespace
}  // namespace agentsh::certs
