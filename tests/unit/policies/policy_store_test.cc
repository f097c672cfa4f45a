#include "policies/policy_store.h"

#include "base/file_io.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace agentsh::policy {
namespace {

using ::testing::HasSubstr;

class PolicyStoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/agentsh-store-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
    for (const char* directory : {"/user", "/packs", "/trust"}) {
      ASSERT_TRUE(make_directories(root_ + directory));
    }
    options_.directories = {root_ + "/user", root_ + "/packs"};
    options_.trust_store = root_ + "/trust";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  void write(const std::string& path, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(root_ + path, text));
  }

  std::string root_;
  PolicyStoreOptions options_;
};

constexpr std::string_view kPlain = "version: 1\nname: a\ndescription: first\n";
constexpr std::string_view kWithHome =
    "version: 1\nname: a\nfile_rules:\n  - {paths: ['${HOME}/x'], decision: allow}\n";

TEST_F(PolicyStoreTest, EarlierDirectoriesHideLaterOnes) {
  write("/packs/a.yaml", kPlain);
  write("/packs/b.yml", "version: 1\nname: b\n");
  write("/user/a.yaml", "version: 1\nname: mine\n");
  write("/user/bad.yaml", "version: 0\n");
  write("/user/notes.txt", "no policy");
  PolicyStore store(options_);
  EXPECT_EQ((*store.get("a", {}))->name(), "mine");
  EXPECT_EQ((*store.get("b", {}))->name(), "b");
  const auto list = store.list();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].name, "a");
  EXPECT_THAT(list[0].path, HasSubstr("/user/"));
  EXPECT_EQ(list[2].name, "bad");
  EXPECT_NE(list[2].error, "");
}

TEST_F(PolicyStoreTest, UnknownNamesAreHelpedWith) {
  write("/packs/default.yaml", kPlain);
  PolicyStore store(options_);
  auto missing = store.get("defalt", {});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, std::errc::no_such_file_or_directory);
  EXPECT_THAT(missing.error().what, HasSubstr("did you mean \"default\"?"));
  for (std::string_view name : {"../etc/passwd", "", "a/b", "a.yaml"}) {
    EXPECT_FALSE(store.get(name, {})) << name;
  }
}

TEST_F(PolicyStoreTest, SessionsWithTheSameValuesShareOne) {
  write("/packs/a.yaml", kWithHome);
  PolicyStore store(options_);
  const Variables u({{"HOME", "/home/u"}, {"OTHER", "1"}});
  const Variables same({{"HOME", "/home/u"}, {"OTHER", "2"}});
  const Variables v({{"HOME", "/home/v"}});
  EXPECT_EQ(*store.get("a", u), *store.get("a", same));
  EXPECT_NE(*store.get("a", u), *store.get("a", v));
  auto unset = store.get("a", {});
  ASSERT_FALSE(unset);
  EXPECT_THAT(unset.error().what, HasSubstr("variable \"HOME\" is not set"));
}

TEST_F(PolicyStoreTest, AFileIsReadAgainOnlyWhenAsked) {
  write("/packs/a.yaml", kPlain);
  PolicyStore store(options_);
  auto before = *store.get("a", {});
  write("/packs/a.yaml", "version: 2\nname: a\n");
  EXPECT_EQ(*store.get("a", {}), before);
  EXPECT_EQ(store.reload("a"), true);
  EXPECT_EQ((*store.get("a", {}))->policy().version, 2);
  EXPECT_EQ(store.reload("a"), false);
  EXPECT_EQ(before->policy().version, 1);
}

TEST_F(PolicyStoreTest, ABadNewFileKeepsTheOldPolicy) {
  write("/packs/a.yaml", kPlain);
  PolicyStore store(options_);
  auto before = *store.get("a", {});
  write("/packs/a.yaml", "version: 1\nnme: a\n");
  auto reloaded = store.reload("a");
  ASSERT_FALSE(reloaded);
  EXPECT_THAT(reloaded.error().what, HasSubstr("a.yaml:2:1: nme: unknown key"));
  EXPECT_EQ(*store.get("a", {}), before);
  std::filesystem::remove(root_ + "/packs/a.yaml");
  EXPECT_FALSE(store.reload("a"));
  EXPECT_EQ(*store.get("a", {}), before);
  const auto outcomes = store.reload_all();
  ASSERT_EQ(outcomes.size(), 1u);
  EXPECT_FALSE(outcomes[0].second);
}

TEST_F(PolicyStoreTest, FilesThatOthersCanWriteAreRefused) {
  write("/packs/a.yaml", kPlain);
  options_.require_trusted_owner = true;
  PolicyStore store(options_);
  EXPECT_TRUE(store.get("a", {}));
  ::chmod((root_ + "/packs/a.yaml").c_str(), 0666);
  EXPECT_THAT(store.reload("a").error().what, HasSubstr("can be written by others"));
}

TEST_F(PolicyStoreTest, SignaturesAreDemandedOrWarnedOf) {
  write("/packs/a.yaml", kPlain);
  auto keys = generate_signing_key();
  ASSERT_TRUE(keys);
  write("/trust/me.pem", keys->public_key);
  options_.signing = SigningMode::kWarn;
  {
    PolicyStore store(options_);
    EXPECT_TRUE(store.get("a", {}));
    ASSERT_EQ(store.warnings("a").size(), 1u);
    EXPECT_THAT(store.warnings("a")[0].message, HasSubstr("is not signed"));
  }
  options_.signing = SigningMode::kEnforce;
  PolicyStore store(options_);
  EXPECT_FALSE(store.get("a", {}));
  write("/packs/a.yaml.sig", *sign_policy(kPlain, keys->private_key));
  EXPECT_TRUE(store.get("a", {})) << store.get("a", {}).error().what;
  EXPECT_TRUE(store.warnings("a").empty());
  write("/packs/a.yaml", std::string(kPlain) + "# changed\n");
  EXPECT_THAT(store.reload("a").error().what, HasSubstr("signed it as it is now"));
}

TEST(Signing, OnlyTheRightKeyVerifies) {
  auto mine = generate_signing_key();
  auto other = generate_signing_key();
  ASSERT_TRUE(mine && other);
  auto signature = sign_policy("text", mine->private_key);
  ASSERT_TRUE(signature);
  EXPECT_TRUE(verify_signature("text", *signature, mine->public_key));
  EXPECT_FALSE(verify_signature("Text", *signature, mine->public_key));
  EXPECT_FALSE(verify_signature("text", *signature, other->public_key));
  EXPECT_FALSE(verify_signature("text", "AAAA", mine->public_key));
  EXPECT_FALSE(verify_signature("text", "", mine->public_key));
  EXPECT_FALSE(verify_signature("text", *signature, "no key"));
  EXPECT_FALSE(sign_policy("text", mine->public_key));
  EXPECT_FALSE(sign_policy("text", ""));
}

}  // namespace
}  // namespace agentsh::policy
