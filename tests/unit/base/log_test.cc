#include "base/log.h"

#include "base/file_io.h"
#include "base/random.h"
#include "base/unique_fd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

namespace agentsh {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Log, AFileInThePlaceOfStandardErrorIsBounded) {
  const std::string directory =
      std::filesystem::temp_directory_path() / ("agentsh-log-" + random_name(8));
  std::filesystem::create_directory(directory);
  const std::string path = directory + "/agentshd.log";
  UniqueFd standard_error(::dup(STDERR_FILENO));
  ASSERT_TRUE(log_to_file(path, 10'000));
  log_warning("test", "the first line");
  ASSERT_EQ(::write(STDERR_FILENO, "by a library\n", 13), 13);
  const std::string first = read_file(path).value_or("");
  struct stat status{};
  ::stat(path.c_str(), &status);
  // Threads that write while it is turned over lose nothing: a marked line each, at the end.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([] {
      for (int line = 0; line < 200; ++line) log_warning("test", "line {} of many", line);
    });
  }
  for (std::thread& thread : threads) thread.join();
  log_warning("test", "the last line");
  ASSERT_EQ(::dup2(standard_error.get(), STDERR_FILENO), STDERR_FILENO);

  EXPECT_THAT(first, HasSubstr("warn test: the first line\nby a library\n"));
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  const std::string now = read_file(path).value_or("");
  const std::string before = read_file(path + ".1").value_or("");
  EXPECT_THAT(now + before, HasSubstr("the last line"));
  EXPECT_THAT(before, Not(HasSubstr("the first line")));  // Turned over more than once.
  EXPECT_LE(now.size(), 11'000u);
  EXPECT_LE(before.size(), 11'000u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 2);
  std::filesystem::remove_all(directory);
}

TEST(Log, ASymbolicLinkIsNotFollowed) {
  const std::string path =
      std::filesystem::temp_directory_path() / ("agentsh-log-" + random_name(8));
  std::filesystem::create_symlink("/dev/null", path);
  UniqueFd standard_error(::dup(STDERR_FILENO));
  EXPECT_FALSE(log_to_file(path, 100));
  ::dup2(standard_error.get(), STDERR_FILENO);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace agentsh
