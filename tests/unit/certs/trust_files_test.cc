#include "certs/trust_files.h"

#include "base/file_io.h"
#include "certs/java_key_store.h"
#include "certs/pem.h"
#include "tests/unit/certs/cert_testing.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <thread>

namespace agentsh::certs {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

// A host as Debian lays it out, with two roots.
class TrustFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string first =
        host_.put("usr/share/ca-certificates/first.crt", roots_[0]->certificate_pem());
    host_.put("etc/ssl/certs/ca-certificates.crt",
              roots_[0]->certificate_pem() + roots_[1]->certificate_pem());
    host_.put("etc/ssl/certs/second.pem", roots_[1]->certificate_pem());
    host_.put("etc/ssl/certs/combined.pem",
              "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n");
    host_.put("etc/ssl/certs/java/cacerts", "old");
    host_.put("usr/lib/python3/dist-packages/certifi/cacert.pem", "old");
    fs::create_symlink(first, host_ / "etc/ssl/certs/first.pem");
    fs::create_symlink("first.pem", host_ / "etc/ssl/certs/0a0a0a0a.0");
    options_ = {.cache = host_ / "cache", .host = {.root = host_.path()}};
  }

  TrustFiles prepare() {
    auto files = TrustFiles::prepare(options_, *authority_);
    if (!files) throw std::runtime_error(files.error().what);
    return *files;
  }

  // The generated thing that goes over `target`.
  std::string source_for(const TrustFiles& files, const std::string& target) {
    for (const TrustMount& mount : files.mounts) {
      if (mount.target == host_ / target) return mount.source;
    }
    return {};
  }

  const TempFolder host_;
  const std::shared_ptr<const Authority> roots_[2] = {Authority::generate().value(),
                                                      Authority::generate().value()};
  const std::shared_ptr<const Authority> authority_ = Authority::generate().value();
  TrustOptions options_;
};

TEST_F(TrustFilesTest, TheBundleHoldsTheHostsRootsAndOurs) {
  const TrustFiles files = prepare();
  const auto found = certificates_in_pem(read_file(files.bundle).value());
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(sha256_hex(found[2]), authority_->fingerprint());
  EXPECT_EQ(read_file(files.authority).value(), authority_->certificate_pem());
  EXPECT_EQ(source_for(files, "usr/lib/python3/dist-packages/certifi/cacert.pem"), files.bundle);
}

TEST_F(TrustFilesTest, TheDirectoryKeepsWhatItWasAndShowsOurs) {
  const TrustFiles files = prepare();
  const std::string directory = source_for(files, "etc/ssl/certs");
  ASSERT_FALSE(directory.empty());
  EXPECT_EQ(fs::read_symlink(directory + "/0a0a0a0a.0"), "first.pem");
  EXPECT_EQ(read_file(directory + "/first.pem").value(), roots_[0]->certificate_pem());
  EXPECT_EQ(read_file(directory + "/second.pem").value(), roots_[1]->certificate_pem());
  EXPECT_EQ(read_file(directory + "/ca-certificates.crt").value(), read_file(files.bundle).value());
  EXPECT_EQ(read_file(directory + "/java/cacerts").value(), read_file(files.java).value());
  EXPECT_FALSE(fs::exists(directory + "/combined.pem")) << "it holds a key";
  // By hash only: -no-CAfile.
  const auto verified = run_command("openssl verify -no-CAfile -no-CAstore -CApath " + directory +
                                    " " + files.authority);
  EXPECT_EQ(verified.status, 0) << verified.output;
}

TEST_F(TrustFilesTest, IsReadableForEverybodyWhateverTheUmask) {
  const mode_t before = ::umask(0077);
  const TrustFiles files = prepare();
  ::umask(before);
  const auto hidden = run_command("find " + files.folder +
                                  " ! -type l '(' -type d ! -perm 755 -o -type f ! -perm 644 ')'");
  EXPECT_EQ(hidden.output, "");
}

TEST_F(TrustFilesTest, IsMadeOnceAndAgainWhenTheHostOrTheAuthorityChanges) {
  const TrustFiles first = prepare();
  EXPECT_EQ(prepare().folder, first.folder);
  host_.put("etc/ssl/certs/third.pem", "new");
  const TrustFiles second = prepare();
  EXPECT_NE(second.folder, first.folder);
  const auto other = Authority::generate().value();
  EXPECT_NE(TrustFiles::prepare(options_, *other).value().folder, second.folder);
  ASSERT_TRUE(prune_trust_files(options_.cache, second.folder));
  EXPECT_FALSE(fs::exists(first.folder));
  EXPECT_TRUE(fs::exists(second.bundle));
}

TEST_F(TrustFilesTest, ExtraAuthoritiesAreTrustedTooAndBadOnesNamed) {
  const auto corporate = Authority::generate().value();
  options_.extra = {host_.put("corporate.pem", corporate->certificate_pem())};
  const TrustFiles files = prepare();
  EXPECT_EQ(certificates_in_pem(read_file(files.bundle).value()).size(), 4u);
  const auto verified = run_command("openssl verify -no-CAfile -no-CAstore -CApath " +
                                    source_for(files, "etc/ssl/certs") + " " + options_.extra[0]);
  EXPECT_EQ(verified.status, 0) << verified.output;
  options_.extra = {host_.put("nothing.pem", "nothing")};
  auto refused = TrustFiles::prepare(options_, *authority_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("nothing.pem"));
  // A failed attempt leaves no half-made folder behind.
  for (const auto& entry : fs::directory_iterator(options_.cache)) {
    EXPECT_THAT(entry.path().string(), Not(HasSubstr(".tmp-")));
  }
}

TEST_F(TrustFilesTest, WhatUsersInstalledIsLeftAloneUnlessAsked) {
  options_.host.homes = {"/home/me"};
  host_.put("home/me/.local/lib/python3.11/site-packages/certifi/cacert.pem", "old");
  const std::string target = "home/me/.local/lib/python3.11/site-packages/certifi/cacert.pem";
  EXPECT_EQ(source_for(prepare(), target), "");
  options_.users_places = true;
  EXPECT_NE(source_for(prepare(), target), "");
}

TEST_F(TrustFilesTest, AHostWithoutAnyStoreGetsABundleOfOurs) {
  const TempFolder empty;
  auto files = TrustFiles::prepare({.cache = empty / "cache", .host = {.root = empty / "none"}},
                                   *authority_);
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_TRUE(files->mounts.empty());
  EXPECT_EQ(read_file(files->bundle).value(), authority_->certificate_pem());
}

TEST_F(TrustFilesTest, ManyAtOnceAgree) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      auto files = TrustFiles::prepare(options_, *authority_);
      if (files && fs::exists(files->bundle)) ++good;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 4);
}

TEST(TrustFilesOnThisHost, OpensslFindsEveryRootThatItFoundBefore) {
  if (!find_host_bundle()) GTEST_SKIP() << "no CA bundle on this host";
  const TempFolder folder;
  const auto authority = Authority::generate().value();
  auto files = TrustFiles::prepare({.cache = folder / "cache"}, *authority);
  ASSERT_TRUE(files) << files.error().what;
  for (const TrustMount& mount : files->mounts) {
    if (!mount.directory) continue;
    for (const auto& entry : fs::directory_iterator(mount.target)) {
      if (entry.path().extension() != ".0") continue;
      EXPECT_TRUE(fs::exists(mount.source / entry.path().filename())) << entry.path();
    }
  }
}

TEST(JavaKeyStore, KeytoolReadsIt) {
  if (!have_command("keytool")) GTEST_SKIP() << "no JDK on this host";
  const TempFolder folder;
  const auto one = Authority::generate().value();
  const auto other = Authority::generate().value();
  std::vector<Der> certificates =
      certificates_in_pem(one->certificate_pem() + other->certificate_pem());
  const std::string path = folder.put("cacerts", java_trust_store(certificates));
  const auto listed = run_command("keytool -list -keystore " + path + " -storepass changeit");
  EXPECT_EQ(listed.status, 0) << listed.output;
  EXPECT_THAT(listed.output, HasSubstr("contains 2 entries"));
  EXPECT_THAT(listed.output, HasSubstr("trustedCertEntry"));
  // The checksum is checked against the password.
  EXPECT_NE(run_command("keytool -list -keystore " + path + " -storepass changedit").status, 0);
}

constexpr const char* kJavaProgram = R"(
import java.io.*; import java.security.*; import java.security.cert.*; import javax.net.ssl.*;
public class Trust {
  public static void main(String[] a) throws Exception {
    TrustManagerFactory f = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    f.init((KeyStore) null);
    X509Certificate c = (X509Certificate) CertificateFactory.getInstance("X.509")
        .generateCertificate(new FileInputStream(a[0]));
    for (X509Certificate t : ((X509TrustManager) f.getTrustManagers()[0]).getAcceptedIssuers())
      if (t.equals(c)) { System.out.println("trusted"); return; }
    System.out.println("unknown");
  }
})";

TEST(JavaKeyStore, AJavaProgramTrustsWhatIsInIt) {
  if (!have_command("java") || !have_command("javac")) GTEST_SKIP() << "no JDK on this host";
  const TempFolder folder;
  const auto authority = Authority::generate().value();
  folder.put("Trust.java", kJavaProgram);
  folder.put("ca.pem", authority->certificate_pem());
  const auto in_folder = [&](const std::string& command) {
    return run_command("cd " + folder.path() + " && " + command);
  };
  ASSERT_EQ(in_folder("javac Trust.java").status, 0);
  folder.put("cacerts", java_trust_store(certificates_in_pem(authority->certificate_pem())));
  // As the default store of the virtual machine: no password is given then.
  EXPECT_THAT(in_folder("java -Djavax.net.ssl.trustStore=cacerts Trust ca.pem").output,
              HasSubstr("trusted"));
  EXPECT_THAT(in_folder("java Trust ca.pem").output, HasSubstr("unknown"));
}

TEST(TrustFilesOnThisHost, MountedOverTheOriginalsTheyMakeProgramsTrustUs) {
  if (run_command("unshare -m true").status != 0) GTEST_SKIP() << "needs the right to mount";
  if (!find_host_bundle()) GTEST_SKIP() << "no CA bundle on this host";
  const TempFolder folder;
  const auto authority = Authority::generate().value();
  auto files = TrustFiles::prepare({.cache = folder / "cache"}, *authority);
  ASSERT_TRUE(files) << files.error().what;
  std::string mounts;
  for (const TrustMount& mount : files->mounts) {
    mounts += "mount --bind " + mount.source + " " + mount.target + " && ";
  }
  const auto inside = [&](const std::string& command) {
    folder.put("inside.sh", mounts + command);
    return run_command("unshare -m sh " + folder / "inside.sh");
  };
  // By the bundle, by the hashed directory, and not without the mounts.
  const std::string verify = "openssl verify ";
  EXPECT_EQ(inside(verify + files->authority).status, 0);
  EXPECT_EQ(inside(verify + "-no-CAfile -no-CAstore " + files->authority).status, 0);
  EXPECT_EQ(inside(verify + "-no-CApath -no-CAstore " + files->authority).status, 0);
  EXPECT_NE(run_command(verify + files->authority).status, 0);
  // The host's own roots are still there.
  const auto root = certificates_in_pem(read_file(*find_host_bundle()).value()).front();
  const std::string path = folder.put("root.pem", certificate_to_pem(root));
  EXPECT_EQ(inside(verify + "-no-CAfile " + path).status, 0);
  if (!have_command("java") || !have_command("javac")) return;
  folder.put("Trust.java", kJavaProgram);
  ASSERT_EQ(run_command("javac -d " + folder.path() + " " + folder / "Trust.java").status, 0);
  EXPECT_THAT(inside("java -cp " + folder.path() + " Trust " + files->authority).output,
              HasSubstr("trusted"));
}

}  // namespace
}  // namespace agentsh::certs
