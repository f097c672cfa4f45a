// What of ours is kept from a session whose workspace contains it, and kept in its place.
#include "appliance/sessions/session_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace agentsh {
namespace {

using testing::Contains;
using testing::HasSubstr;

class SessionViewTest : public testing::Test {
 protected:
  SessionViewTest() {
    char name[] = "/var/tmp/session-view-XXXXXX";
    home_ = ::mkdtemp(name);
    std::filesystem::create_directories(home_ + "/.config/agentsh/policies");
    view_.id = "session-test";
    view_.workspace = home_;
    view_.own_paths = {home_ + "/.config/agentsh/policies"};
  }
  ~SessionViewTest() override { std::filesystem::remove_all(home_); }

  static std::size_t position(const sandbox::SessionSpec& spec, const std::string& target) {
    const auto found = std::ranges::find(spec.binds, target, &sandbox::BindMount::target);
    return static_cast<std::size_t>(found - spec.binds.begin());
  }

  std::string home_;
  SessionView view_;
};

TEST_F(SessionViewTest, DirectoriesAboveOursBecomeMountPoints) {
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_LT(position(*spec, home_), position(*spec, home_ + "/.config"));
  EXPECT_LT(position(*spec, home_ + "/.config"), position(*spec, home_ + "/.config/agentsh"));
  EXPECT_LT(position(*spec, home_ + "/.config/agentsh"), spec->binds.size());
  EXPECT_THAT(spec->masked, Contains(home_ + "/.config/agentsh/policies"));
}

TEST_F(SessionViewTest, ReadOnlyTreesLieAboveThem) {
  view_.read_only = {home_ + "/.config/tool"};
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_LT(position(*spec, home_ + "/.config"), position(*spec, home_ + "/.config/tool"));
}

TEST_F(SessionViewTest, TheSecondPlaceOfTheWorkspaceHasTheSame) {
  view_.virtual_workspace = true;
  view_.masked = {home_ + "/secret"};
  view_.read_only = {home_ + "/vendor"};
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_THAT(spec->masked, Contains("/workspace/.config/agentsh/policies"));
  EXPECT_THAT(spec->masked, Contains("/workspace/secret"));
  EXPECT_LT(position(*spec, "/workspace/.config"), spec->binds.size());
  const std::size_t vendor = position(*spec, "/workspace/vendor");
  ASSERT_LT(vendor, spec->binds.size());
  EXPECT_FALSE(spec->binds[vendor].writable);
}

TEST_F(SessionViewTest, AWorkspaceBesideOursHasNoExtraMounts) {
  std::filesystem::create_directory(home_ + "/project");
  view_.workspace = home_ + "/project";
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_EQ(position(*spec, home_ + "/.config"), spec->binds.size());
}

TEST_F(SessionViewTest, ProgramsInTheWorkspaceStayAsTheyAre) {
  std::filesystem::create_directories(home_ + "/build/bin");
  view_.own_programs = {home_ + "/build/bin/agentsh", home_ + "/build/bin/agentshd"};
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_LT(position(*spec, home_ + "/build"), position(*spec, home_ + "/build/bin"));
  for (const std::string& program : view_.own_programs) {
    const std::size_t at = position(*spec, program);
    ASSERT_LT(at, spec->binds.size());
    EXPECT_LT(position(*spec, home_ + "/build/bin"), at);
    EXPECT_FALSE(spec->binds[at].writable);
  }
}

TEST_F(SessionViewTest, TemporaryDirectoriesAreTheSessionsOwnWhateverARuleOpens) {
  std::filesystem::create_directory(home_ + "/project");
  view_.workspace = home_ + "/project";
  view_.writable = {"/dev",    "/dev/shm", "/proc",       "/run",
                    "/sys/fs", "/tmp",     "/tmp/shared", "/var/tmp"};
  view_.read_only = {"/proc/sys"};
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  for (const std::string& own :
       {"/dev", "/dev/shm", "/proc", "/run", "/sys/fs", "/tmp", "/var/tmp"}) {
    EXPECT_EQ(position(*spec, own), spec->binds.size()) << own;
  }
  EXPECT_EQ(position(*spec, "/proc/sys"), spec->binds.size());
  // One beneath that a rule names is the host's.
  EXPECT_LT(position(*spec, "/tmp/shared"), spec->binds.size());
}

TEST_F(SessionViewTest, SystemDirectoriesAreNoWorkspaces) {
  for (const char* system : {"/", "/tmp", "/var/tmp", "/run", "/proc/1", "/usr/share", "/bin"}) {
    view_.workspace = system;
    const auto spec = build_session_spec(view_);
    ASSERT_FALSE(spec) << system;
    EXPECT_THAT(spec.error().what, HasSubstr("choose a project's directory")) << system;
  }
}

TEST_F(SessionViewTest, ASymbolicLinkAboveOursIsRefused) {
  std::filesystem::rename(home_ + "/.config", home_ + "/dotfiles");
  std::filesystem::create_symlink("dotfiles", home_ + "/.config");
  const auto spec = build_session_spec(view_);
  ASSERT_FALSE(spec);
  EXPECT_THAT(spec.error().what, HasSubstr("symbolic link"));
}

// Landlock knows files: a mask that leads through a link has to hold where the link leads.
TEST_F(SessionViewTest, WithoutMountsMasksHoldWhereLinksLead) {
  view_.own_paths.clear();
  view_.own_namespaces = false;
  std::filesystem::create_directories(home_ + "/real/secret");
  std::filesystem::create_directories(home_ + "/work");
  std::filesystem::create_directory_symlink(home_ + "/real", home_ + "/link");
  view_.workspace = home_ + "/work";
  view_.workspace_writable = true;
  view_.masked = {home_ + "/link/secret", home_ + "/link/later"};
  const auto spec = build_session_spec(view_);
  ASSERT_TRUE(spec) << spec.error().what;
  EXPECT_THAT(spec->masked, Contains(home_ + "/real/secret"));
  EXPECT_THAT(spec->masked, Contains(home_ + "/real/later"));

  view_.workspace = home_ + "/real";
  const auto refused = build_session_spec(view_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("may be written"));
}

}  // namespace
}  // namespace agentsh
