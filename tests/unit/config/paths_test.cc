#include "appliance/config/paths.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <map>

namespace agentsh {
namespace {

DefaultPaths paths_with(uid_t uid, std::map<std::string, std::string> variables) {
  return default_paths(
      uid, [&](const char* name) { return variables[name]; }, "/home/of-the-user-database");
}

TEST(DefaultPaths, RootUsesTheSystemsDirectoriesWhateverTheEnvironmentSays) {
  const DefaultPaths paths =
      paths_with(0, {{"HOME", "/home/ann"}, {"XDG_RUNTIME_DIR", "/run/user/1000"}});
  EXPECT_EQ(paths.config_directory, "/etc/agentsh");
  EXPECT_EQ(paths.state_directory, "/var/lib/agentsh");
  EXPECT_EQ(paths.socket, "/run/agentsh/agentsh.sock");
}

TEST(DefaultPaths, UserFollowsTheXdgVariables) {
  const DefaultPaths paths = paths_with(1000, {{"HOME", "/home/ann"},
                                               {"XDG_CONFIG_HOME", "/c"},
                                               {"XDG_STATE_HOME", "/s"},
                                               {"XDG_RUNTIME_DIR", "/run/user/1000"}});
  EXPECT_EQ(paths.config_directory, "/c/agentsh");
  EXPECT_EQ(paths.state_directory, "/s/agentsh");
  EXPECT_EQ(paths.runtime_directory, "/run/user/1000/agentsh");
  EXPECT_EQ(paths.socket, "/run/user/1000/agentsh/agentsh.sock");
}

TEST(DefaultPaths, UserWithoutXdgVariables) {
  const DefaultPaths paths = paths_with(1000, {{"HOME", "/home/ann"}});
  EXPECT_EQ(paths.config_directory, "/home/ann/.config/agentsh");
  EXPECT_EQ(paths.state_directory, "/home/ann/.local/state/agentsh");
  EXPECT_EQ(paths.socket, "/tmp/agentsh-1000/agentsh.sock");
}

TEST(DefaultPaths, RelativeValuesAreIgnored) {
  const DefaultPaths paths =
      paths_with(1000, {{"HOME", "ann"}, {"XDG_STATE_HOME", "state"}, {"XDG_RUNTIME_DIR", "run"}});
  EXPECT_EQ(paths.state_directory, "/home/of-the-user-database/.local/state/agentsh");
  EXPECT_EQ(paths.socket, "/tmp/agentsh-1000/agentsh.sock");
}

class PrivateDirectory : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/agentsh-paths-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    base_ = name;
    path_ = base_ + "/private";
  }
  void TearDown() override {
    ::unlink(path_.c_str());
    ::rmdir(path_.c_str());
    ::rmdir(base_.c_str());
  }
  std::string base_;
  std::string path_;
};

TEST_F(PrivateDirectory, IsMadeOnceAndThenAccepted) {
  ASSERT_TRUE(make_private_directory(path_, ::geteuid()));
  struct stat status{};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700u);
  EXPECT_TRUE(make_private_directory(path_, ::geteuid()));
}

TEST_F(PrivateDirectory, OpenToOthersIsRefused) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0750), 0);
  auto made = make_private_directory(path_, ::geteuid());
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("mode 0700"), std::string::npos) << made.error().what;
}

TEST_F(PrivateDirectory, OfSomebodyElseIsRefused) {
  ASSERT_EQ(::mkdir(path_.c_str(), 0700), 0);
  EXPECT_FALSE(make_private_directory(path_, ::geteuid() + 1));
}

TEST_F(PrivateDirectory, SymbolicLinkIsRefused) {
  ASSERT_EQ(::symlink(base_.c_str(), path_.c_str()), 0);
  auto made = make_private_directory(path_, ::geteuid());
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().what.find("must be a directory"), std::string::npos) << made.error().what;
}

}  // namespace
}  // namespace agentsh
