#include "base/file_io.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace agentsh {
namespace {

TEST(FileIo, ReplacesAtomicallyAndReadsBack) {
  const std::string directory = ::testing::TempDir() + "file_io_test/a/b";
  ASSERT_TRUE(make_directories(directory));
  const std::string path = directory + "/f";
  ASSERT_TRUE(write_file_atomic(path, "one"));
  ASSERT_TRUE(write_file_atomic(path, "two"));
  EXPECT_EQ(read_file(path).value(), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1);
  EXPECT_FALSE(read_file(path, 2));
  std::filesystem::remove_all(::testing::TempDir() + "file_io_test");
}

TEST(FileIo, ErrorsNameThePath) {
  auto missing = read_file("/nonexistent/file");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("/nonexistent/file"), std::string::npos);
  EXPECT_EQ(missing.error().code, std::errc::no_such_file_or_directory);
}

}  // namespace
}  // namespace agentsh
