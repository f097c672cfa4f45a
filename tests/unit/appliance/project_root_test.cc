#include "appliance/sessions/project_root.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace agentsh {
namespace {

class ProjectRoot : public ::testing::Test {
 protected:
  ProjectRoot() {
    std::string pattern = ::testing::TempDir() + "agentsh-roots-XXXXXX";
    home_ = ::mkdtemp(pattern.data());
  }
  ~ProjectRoot() override { std::filesystem::remove_all(home_); }

  std::string directory(const std::string& name) {
    std::filesystem::create_directories(home_ + "/" + name);
    return home_ + "/" + name;
  }
  void file(const std::string& name) { std::ofstream(home_ + "/" + name) << "\n"; }
  ProjectRoots find(const std::string& workspace) {
    return find_project_roots(workspace, home_, ::geteuid());
  }

  std::string home_;
};

TEST_F(ProjectRoot, OfARepositoryAndAProjectInIt) {
  const std::string inner = directory("repo/web/src");
  directory("repo/.git");
  file("repo/web/package.json");
  const ProjectRoots roots = find(inner);
  EXPECT_EQ(roots.project, home_ + "/repo/web");
  EXPECT_EQ(roots.git, home_ + "/repo");
}

TEST_F(ProjectRoot, WithoutAnyItIsTheWorkspace) {
  const std::string workspace = directory("plain/deep");
  EXPECT_EQ(find(workspace).project, workspace);
  EXPECT_EQ(find(workspace).git, "");
}

TEST_F(ProjectRoot, HomeIsNotAProject) {
  file("package.json");
  const std::string workspace = directory("work");
  EXPECT_EQ(find(workspace).project, workspace);
}

}  // namespace
}  // namespace agentsh
