#include "certs/authority.h"

#include "base/file_io.h"
#include "certs/x509_build.h"
#include "tests/unit/certs/cert_testing.h"

#include <gmock/gmock.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <thread>

namespace agentsh::certs {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

mode_t mode_of(const std::string& path) {
  struct stat info{};
  return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 07777 : 0;
}

TEST(Authority, IsCreatedOnceAndLoadedAfterwards) {
  const TempFolder folder;
  const std::string state = folder / "state/ca";
  EXPECT_EQ(Authority::load(folder.path()).error().code, std::errc::no_such_file_or_directory);
  auto first = Authority::create_or_load(state);
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_EQ(mode_of(state), 0700u);
  EXPECT_EQ(mode_of(state + "/ca.pem"), 0600u);
  auto again = Authority::create_or_load(state);
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_EQ((*first)->fingerprint(), (*again)->fingerprint());
  EXPECT_EQ((*first)->name(), (*again)->name());
  EXPECT_EQ(read_file(state + "/ca.crt").value(), (*first)->certificate_pem());
}

TEST(Authority, LooksAsOpensslExpectsACaToLook) {
  const TempFolder folder;
  auto authority = Authority::create_or_load(folder.path());
  ASSERT_TRUE(authority);
  const auto text = run_command("openssl x509 -noout -text -in " + folder / "ca.crt");
  EXPECT_THAT(text.output, AllOf(HasSubstr("CA:TRUE, pathlen:0"), HasSubstr("Certificate Sign"),
                                 HasSubstr("NIST CURVE: P-256"), HasSubstr((*authority)->name()),
                                 HasSubstr("Subject Key Identifier")));
  const auto verified = run_command("openssl verify -x509_strict -CAfile " + folder / "ca.crt" +
                                    " " + folder / "ca.crt");
  EXPECT_EQ(verified.status, 0) << verified.output;
  const auto years = std::chrono::duration_cast<std::chrono::hours>(
      (*authority)->not_after() - std::chrono::system_clock::now());
  EXPECT_NEAR(static_cast<double>(years.count()) / 24 / 365, 10, 0.1);
}

TEST(Authority, EachIsUnique) {
  auto one = Authority::generate();
  auto other = Authority::generate();
  ASSERT_TRUE(one && other);
  EXPECT_NE((*one)->name(), (*other)->name());
  EXPECT_NE((*one)->fingerprint(), (*other)->fingerprint());
}

TEST(Authority, RotationKeepsTheOldCertificateButNotItsKey) {
  const TempFolder folder;
  auto old = Authority::create_or_load(folder.path());
  ASSERT_TRUE(old);
  auto fresh = Authority::rotate(folder.path());
  ASSERT_TRUE(fresh) << fresh.error().what;
  EXPECT_NE((*old)->fingerprint(), (*fresh)->fingerprint());
  EXPECT_EQ(Authority::load(folder.path()).value()->fingerprint(), (*fresh)->fingerprint());
  const std::string retired = folder / ("retired/" + (*old)->fingerprint().substr(0, 16) + ".crt");
  EXPECT_EQ(read_file(retired).value(), (*old)->certificate_pem());
  EXPECT_EQ(run_command("grep -rl PRIVATE " + folder.path() + " | wc -l").output, "1\n");
  // What ran before goes on with what it had.
  EXPECT_FALSE((*old)->certificate_pem().empty());
}

TEST(Authority, ACrashBetweenItsFilesIsMended) {
  const TempFolder folder;
  auto authority = Authority::create_or_load(folder.path());
  ASSERT_TRUE(authority);
  std::filesystem::remove(folder / "ca.crt");
  ASSERT_TRUE(Authority::create_or_load(folder.path()));
  EXPECT_EQ(read_file(folder / "ca.crt").value(), (*authority)->certificate_pem());
}

TEST(Authority, ManyAtOnceAgree) {
  const TempFolder folder;
  std::array<std::string, 4> fingerprints;
  std::vector<std::thread> threads;
  for (std::string& fingerprint : fingerprints) {
    threads.emplace_back([&] {
      auto authority = Authority::create_or_load(folder / "ca");
      if (authority) fingerprint = (*authority)->fingerprint();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& fingerprint : fingerprints) EXPECT_EQ(fingerprint, fingerprints[0]);
  EXPECT_FALSE(fingerprints[0].empty());
}

TEST(Authority, RefusesAKeyThatOthersCanRead) {
  const TempFolder folder;
  ASSERT_TRUE(Authority::create_or_load(folder.path()));
  ::chmod((folder / "ca.pem").c_str(), 0640);
  auto authority = Authority::create_or_load(folder.path());
  ASSERT_FALSE(authority);
  EXPECT_THAT(authority.error().what, AllOf(HasSubstr("ca.pem"), HasSubstr("chmod 600")));
}

TEST(Authority, RefusesALinkInPlaceOfTheKey) {
  const TempFolder folder;
  ASSERT_TRUE(Authority::create_or_load(folder / "a"));
  std::filesystem::create_directory(folder / "b");
  std::filesystem::create_symlink(folder / "a/ca.pem", folder / "b/ca.pem");
  EXPECT_FALSE(Authority::create_or_load(folder / "b"));
}

struct Broken {
  const char* label;
  const char* make;  // A shell command that writes ca.pem in the current directory.
  const char* says;
};

TEST(Authority, SaysWhatIsWrongWithAKeyFile) {
  const Broken cases[] = {
      {"empty", ": > ca.pem", "does not hold a key and a certificate"},
      {"garbage", "head -c 300 /dev/urandom > ca.pem", "does not hold a key and a certificate"},
      {"no certificate", "openssl ecparam -name prime256v1 -genkey -noout > ca.pem",
       "does not hold a key and a certificate"},
      {"other key",
       "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null "
       "-out c -subj /CN=x 2>/dev/null; openssl ecparam -name prime256v1 -genkey -noout > k; "
       "cat k c > ca.pem",
       "does not belong"},
      {"no CA",
       "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout k -out c "
       "-subj /CN=x -addext basicConstraints=critical,CA:FALSE 2>/dev/null; cat k c > ca.pem",
       "no CA certificate"},
  };
  for (const Broken& broken : cases) {
    const TempFolder folder;
    run_command("cd " + folder.path() + " && umask 077 && " + broken.make);
    ::chmod((folder / "ca.pem").c_str(), 0600);
    auto authority = Authority::create_or_load(folder.path());
    ASSERT_FALSE(authority) << broken.label;
    EXPECT_THAT(authority.error().what, HasSubstr(broken.says)) << broken.label;
    // And a rotation gets out of it.
    auto rotated = Authority::rotate(folder.path());
    EXPECT_TRUE(rotated) << broken.label << rotated.error().what;
  }
}

TEST(Authority, RefusesAnExpiredOne) {
  const TempFolder folder;
  auto authority = Authority::generate();
  ASSERT_TRUE(authority);
  const X509Ptr expired(X509_dup((*authority)->certificate()));
  const auto now = std::chrono::system_clock::now();
  ASSERT_TRUE(
      set_validity(expired.get(), now - std::chrono::hours(48), now - std::chrono::hours(1)));
  ASSERT_GT(X509_sign(expired.get(), (*authority)->key(), EVP_sha256()), 0);
  const BioPtr out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(out.get(), (*authority)->key(), nullptr, nullptr, 0, nullptr,
                                nullptr);
  PEM_write_bio_X509(out.get(), expired.get());
  char* data = nullptr;
  const auto size = static_cast<std::size_t>(BIO_get_mem_data(out.get(), &data));
  const std::string path = folder.put("ca.pem", std::string(data, size));
  ::chmod(path.c_str(), 0600);
  auto loaded = Authority::create_or_load(folder.path());
  ASSERT_FALSE(loaded);
  EXPECT_THAT(loaded.error().what, AllOf(HasSubstr("expired"), HasSubstr("agentsh ca rotate")));
  EXPECT_TRUE(Authority::rotate(folder.path()));
}

}  // namespace
}  // namespace agentsh::certs
