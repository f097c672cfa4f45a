// Which groups are told to hand controllers down, over a tree of plain files that looks like a
// hierarchy with memory, pids and cpu: the kernel's side (that a group gets what is handed down) is
// played by the test.
#include "sandbox/process/cgroup_controllers.h"

#include "base/file_io.h"
#include "base/random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

namespace agentsh::sandbox {
namespace {

using ::testing::HasSubstr;

class CgroupControllersTest : public ::testing::Test {
 protected:
  static constexpr pid_t kDaemon = 4242;

  void SetUp() override {
    own_ = std::filesystem::temp_directory_path() / ("agentsh-cgroup-" + random_name(8));
    below_ = {own_ + "/agentsh", own_ + "/agentsh/at-state"};
    make_group(own_, "cpuset cpu io memory pids");
    make_group(below_[0], "cpu memory pids");
    make_group(below_[1], "cpu memory pids");
    make_group(own_ + "/agentsh-daemon", "");
    put(own_ + "/cgroup.procs", std::to_string(kDaemon) + "\n");
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(own_, ignored);
  }

  static void put(const std::string& path, std::string_view text) {
    ASSERT_TRUE(write_file_atomic(path, text, 0644));
  }
  static void make_group(const std::string& path, std::string_view controllers) {
    std::filesystem::create_directories(path);
    put(path + "/cgroup.controllers", std::string(controllers) + "\n");
    put(path + "/cgroup.subtree_control", "");
    put(path + "/cgroup.procs", "");
  }
  static std::string told(const std::string& group) {
    return read_file(group + "/cgroup.subtree_control", 4096).value_or("?");
  }
  std::string moved() const {
    return read_file(own_ + "/agentsh-daemon/cgroup.procs", 4096).value_or("?");
  }
  Result<> enable(bool delegated) { return enable_controllers(own_, below_, kDaemon, delegated); }

  std::string own_;
  std::vector<std::string> below_;
};

TEST_F(CgroupControllersTest, EveryGroupDownToTheSessionsHandsDownWhatLimitsNeed) {
  ASSERT_TRUE(enable(true));
  for (const std::string& group : {own_, below_[0], below_[1]})
    EXPECT_EQ(told(group), "+memory +pids +cpu") << group;
  EXPECT_EQ(moved(), std::to_string(kDaemon));
}

TEST_F(CgroupControllersTest, WhatIsHandedDownAlreadyNeedsNoMove) {
  put(own_ + "/cgroup.subtree_control", "cpu memory pids\n");
  ASSERT_TRUE(enable(false));
  EXPECT_EQ(moved(), "");
  EXPECT_EQ(told(below_[1]), "+memory +pids +cpu");
}

TEST_F(CgroupControllersTest, OnlyWhatIsMissingIsAskedFor) {
  put(own_ + "/cgroup.subtree_control", "memory\n");
  ASSERT_TRUE(enable(true));
  EXPECT_EQ(told(own_), "+pids +cpu");
}

TEST_F(CgroupControllersTest, AGroupThatWasNotGivenToUsStaysAsItIs) {
  auto done = enable(false);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().what, HasSubstr("memory pids cpu"));
  EXPECT_THAT(done.error().what, HasSubstr("not delegated"));
  EXPECT_EQ(told(own_), "");
  EXPECT_EQ(told(below_[0]), "");
  EXPECT_EQ(moved(), "");
}

TEST_F(CgroupControllersTest, ProcessesOfOthersAreNotMoved) {
  put(own_ + "/cgroup.procs", std::to_string(kDaemon) + "\n1\n");
  auto done = enable(true);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().what, HasSubstr("other processes"));
  EXPECT_EQ(told(own_), "");
  EXPECT_EQ(moved(), "");
}

TEST_F(CgroupControllersTest, WithoutControllersThereIsNothingToDo) {
  for (const std::string& group : {own_, below_[0], below_[1]}) make_group(group, "hugetlb");
  ASSERT_TRUE(enable(false));
  EXPECT_EQ(told(own_), "");
}

// This process was started in a group that nobody gave to it, or in one that says so itself.
TEST_F(CgroupControllersTest, PlainDirectoriesAreNotDelegated) {
  EXPECT_FALSE(is_delegated(own_));  // No cgroup.type: as the host's root group.
}

}  // namespace
}  // namespace agentsh::sandbox
