// Keys: made once, kept as hashes, found by what a client presents.
#include "proxy/gateway/keys.h"

#include "base/file_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>

namespace agentsh::gateway {
namespace {

using namespace std::chrono_literals;

class KeyStoreTest : public testing::Test {
 protected:
  KeyStoreTest() {
    std::string name = testing::TempDir() + "keysXXXXXX";
    directory_ = ::mkdtemp(name.data());
    file_ = directory_ + "/keys.json";
    store_ = KeyStore::open(file_).value();
  }
  ~KeyStoreTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_, file_;
  std::unique_ptr<KeyStore> store_;
  const WallTime now_ = *parse_rfc3339("2026-11-24T10:00:00Z");
};

TEST_F(KeyStoreTest, TheSecretIsShownOnceAndKeptAsAHash) {
  auto made = store_->create({.name = "ci"}, now_);
  ASSERT_TRUE(made);
  EXPECT_TRUE(made->secret.starts_with("sk-agentsh-"));
  EXPECT_EQ(made->secret.size(), 11u + 43u);
  const std::string text = read_file(file_).value();
  EXPECT_EQ(text.find(made->secret), std::string::npos);
  EXPECT_EQ(text.find(made->secret.substr(11)), std::string::npos);
  struct stat status{};
  ASSERT_EQ(::stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const auto set = store_->current();
  const VirtualKey* found = set->find(made->secret);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->id, made->key.id);
  EXPECT_EQ(set->find(made->secret + "x"), nullptr);
  EXPECT_EQ(set->find(found->sha256), nullptr);
  EXPECT_EQ(set->find(""), nullptr);
}

TEST_F(KeyStoreTest, KeysOutliveTheProcess) {
  const KeySpec spec{
      .name = "ci",
      .owner = "build team",
      .expires = now_ + 24h,
      .models = {"gpt-*", "o3"},
      .limits = {.budgets = {parse_budget("10/day").value(), parse_budget("5 tokens/hour").value()},
                 .requests_per_minute = 60,
                 .tokens_per_minute = 1000,
                 .concurrent = 4},
      .dlp_profile = "strict"};
  const auto made = store_->create(spec, now_).value();
  store_ = KeyStore::open(file_).value();
  const auto set = store_->current();
  const VirtualKey* found = set->find(made.secret);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->name, "ci");
  EXPECT_EQ(found->owner, "build team");
  EXPECT_EQ(found->expires, now_ + 24h);
  EXPECT_EQ(found->models, spec.models);
  EXPECT_EQ(found->limits, spec.limits);
  EXPECT_EQ(found->dlp_profile, "strict");
  EXPECT_EQ(found->created, now_);
}

TEST_F(KeyStoreTest, RevokedAndExpiredKeysAreFoundAsSuch) {
  const auto expiring = store_->create({.name = "a", .expires = now_ + 1h}, now_).value();
  const auto revoked = store_->create({.name = "b"}, now_).value();
  ASSERT_TRUE(store_->revoke("b", now_));
  const auto set = store_->current();
  EXPECT_EQ(set->find(expiring.secret)->state(now_), KeyState::kActive);
  EXPECT_EQ(set->find(expiring.secret)->state(now_ + 1h), KeyState::kExpired);
  EXPECT_EQ(set->find(revoked.secret)->state(now_), KeyState::kRevoked);
  EXPECT_FALSE(store_->revoke("b", now_));  // The name is free again.
  EXPECT_FALSE(store_->revoke("nobody", now_));
  EXPECT_TRUE(store_->create({.name = "b"}, now_));
}

TEST_F(KeyStoreTest, NamesAreUniqueAmongActiveKeys) {
  ASSERT_TRUE(store_->create({.name = "ci"}, now_));
  auto again = store_->create({.name = "ci"}, now_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, std::errc::file_exists);
}

TEST_F(KeyStoreTest, SpecificationsWithoutSenseAreRefused) {
  EXPECT_FALSE(store_->create({.name = ""}, now_));
  EXPECT_FALSE(store_->create({.name = "a\nb"}, now_));
  EXPECT_FALSE(store_->create({.name = std::string(101, 'a')}, now_));
  EXPECT_FALSE(store_->create({.name = "a", .expires = now_}, now_));
  EXPECT_FALSE(store_->create({.name = "a", .models = {""}}, now_));
  EXPECT_TRUE(store_->current()->all().empty());
}

TEST_F(KeyStoreTest, DamagedFilesAreRefusedAsAWhole) {
  for (const char* text :
       {"", "{", "{}", R"({"keys":[{}]})", R"({"keys":[{"id":"k","sha256":"short","name":"a"}]})",
        R"({"keys":[{"surprise":1}]})"}) {
    ASSERT_TRUE(write_file_atomic(file_, text));
    EXPECT_FALSE(KeyStore::open(file_)) << text;
  }
}

TEST_F(KeyStoreTest, SecretsDiffer) {
  std::set<std::string> seen;
  for (int i = 0; i < 50; ++i) {
    seen.insert(store_->create({.name = std::to_string(i)}, now_)->secret);
  }
  EXPECT_EQ(seen.size(), 50u);
}

}  // namespace
}  // namespace agentsh::gateway
