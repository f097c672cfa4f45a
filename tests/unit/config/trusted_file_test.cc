#include "appliance/config/trusted_file.h"

#include "base/file_io.h"
#include "tests/unit/config/config_testing.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

namespace agentsh::config {
namespace {

using testing::HasSubstr;

std::string error_of(const std::string& path, uid_t reader) {
  auto text = read_trusted_file(path, reader);
  return text ? "" : text.error().what;
}

TEST(TrustedFileOfAUser, OwnFilesAndRootsAreRead) {
  const TemporaryDirectory directory;
  EXPECT_EQ(error_of(directory.write("a", "text", 0644), ::geteuid()), "");
  EXPECT_EQ(read_trusted_file(directory / "a", ::geteuid()).value(), "text");
  EXPECT_EQ(error_of("/etc/passwd", 4242), "");
}

TEST(TrustedFileOfAUser, WhatEverybodyCanWriteIsNot) {
  const TemporaryDirectory directory;
  EXPECT_THAT(error_of(directory.write("a", "text", 0666), 4242), HasSubstr("a: "));
  EXPECT_THAT(error_of(directory.write("a", "text", 0666), ::geteuid() == 0 ? 4242 : ::geteuid()),
              HasSubstr("can be written by everybody (mode 0666); chmod o-w"));
}

TEST(TrustedFile, MissingFilesKeepTheirCode) {
  for (uid_t reader : {uid_t{0}, uid_t{4242}}) {
    auto text = read_trusted_file("/nonexistent/config.yaml", reader);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, std::errc::no_such_file_or_directory);
    EXPECT_THAT(text.error().what, HasSubstr("/nonexistent/config.yaml"));
  }
}

TEST(TrustedFile, OnlyFilesAreRead) {
  const TemporaryDirectory directory;
  EXPECT_NE(error_of(directory.path(), ::geteuid()), "");
  ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
  EXPECT_THAT(error_of(directory / "fifo", ::geteuid()), HasSubstr("is not a file"));
}

TEST(TrustedFile, SizeIsBounded) {
  const TemporaryDirectory directory;
  directory.write("a", std::string(100, 'x'));
  EXPECT_FALSE(read_trusted_file(directory / "a", ::geteuid(), 99));
  EXPECT_TRUE(read_trusted_file(directory / "a", ::geteuid(), 100));
}

TEST(SecretFile, MustBeClosedToOthers) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(read_secret_file(directory.write("a", "x", 0600), ::geteuid()));
  EXPECT_TRUE(read_secret_file(directory.write("a", "x", 0400), ::geteuid()));
  for (mode_t mode : {0640, 0604, 0610, 0601}) {
    auto text = read_secret_file(directory.write("a", "x", mode), ::geteuid());
    ASSERT_FALSE(text) << mode;
    EXPECT_THAT(text.error().what, HasSubstr("chmod 600 " + directory / "a"));
  }
}

// What root may read depends on owners that only root can make.
class TrustedFileOfRoot : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    path_ = directory_.write("sub/config.yaml", "text", 0644);
    sub_ = directory_ / "sub";
    ::chmod(sub_.c_str(), 0755);
  }
  TemporaryDirectory directory_;
  std::string sub_;
  std::string path_;
};

TEST_F(TrustedFileOfRoot, RootsFileInRootsDirectoriesIsRead) {
  EXPECT_EQ(error_of(path_, 0), "");
  EXPECT_EQ(error_of(sub_ + "/../sub/./config.yaml", 0), "");
}

TEST_F(TrustedFileOfRoot, FileOfSomebodyElseIsNot) {
  ASSERT_EQ(::chown(path_.c_str(), 1000, 0), 0);
  EXPECT_THAT(error_of(path_, 0), HasSubstr("belongs to user id 1000"));
  EXPECT_THAT(error_of(path_, 0), HasSubstr("chown root " + path_));
}

TEST_F(TrustedFileOfRoot, WritableFileIsNot) {
  for (mode_t mode : {0664, 0646, 0622}) {
    ::chmod(path_.c_str(), mode);
    EXPECT_THAT(error_of(path_, 0), HasSubstr("chmod go-w " + path_)) << mode;
  }
}

TEST_F(TrustedFileOfRoot, DirectoriesCountToo) {
  ::chmod(sub_.c_str(), 0775);
  EXPECT_THAT(error_of(path_, 0), HasSubstr("chmod go-w " + sub_));
  ::chmod(sub_.c_str(), 0755);
  ASSERT_EQ(::chown(sub_.c_str(), 1000, 0), 0);
  EXPECT_THAT(error_of(path_, 0), HasSubstr(sub_ + ": belongs to user id 1000"));
}

TEST_F(TrustedFileOfRoot, StickyDirectoriesArePassed) {
  ::chmod(sub_.c_str(), 01777);
  EXPECT_EQ(error_of(path_, 0), "");
}

TEST_F(TrustedFileOfRoot, SymbolicLinksAreFollowedStepByStep) {
  ASSERT_EQ(::symlink("sub", (directory_ / "relative").c_str()), 0);
  ASSERT_EQ(::symlink(sub_.c_str(), (directory_ / "absolute").c_str()), 0);
  ASSERT_EQ(::symlink("relative/config.yaml", (directory_ / "file").c_str()), 0);
  EXPECT_EQ(error_of(directory_ / "relative/config.yaml", 0), "");
  EXPECT_EQ(error_of(directory_ / "absolute/config.yaml", 0), "");
  EXPECT_EQ(error_of(directory_ / "file", 0), "");
}

TEST_F(TrustedFileOfRoot, LinkOfSomebodyElseIsNotFollowed) {
  const std::string link = directory_ / "link";
  ASSERT_EQ(::symlink(path_.c_str(), link.c_str()), 0);
  ASSERT_EQ(::lchown(link.c_str(), 1000, 1000), 0);
  EXPECT_THAT(error_of(link, 0), HasSubstr(link + ": belongs to user id 1000"));
}

TEST_F(TrustedFileOfRoot, LinkIntoAnUntrustedDirectoryIsNot) {
  ASSERT_EQ(::symlink(path_.c_str(), (directory_ / "link").c_str()), 0);
  ASSERT_EQ(::chown(sub_.c_str(), 1000, 0), 0);
  EXPECT_THAT(error_of(directory_ / "link", 0), HasSubstr(sub_ + ": belongs to user id 1000"));
}

TEST_F(TrustedFileOfRoot, CirclesOfLinksEnd) {
  ASSERT_EQ(::symlink("b", (directory_ / "a").c_str()), 0);
  ASSERT_EQ(::symlink("a", (directory_ / "b").c_str()), 0);
  EXPECT_THAT(error_of(directory_ / "a", 0), HasSubstr("symbolic links"));
}

TEST_F(TrustedFileOfRoot, DirectoryIsOpened) {
  auto fd = open_trusted_directory(sub_, 0);
  ASSERT_TRUE(fd) << fd.error().what;
  struct stat status{};
  ASSERT_EQ(::fstat(fd->get(), &status), 0);
  EXPECT_TRUE(S_ISDIR(status.st_mode));
  ::chmod(sub_.c_str(), 0777);
  EXPECT_FALSE(open_trusted_directory(sub_, 0));
}

// As a Kubernetes ConfigMap is: a directory with mode 0777 on a mount that is read-only.
TEST_F(TrustedFileOfRoot, ReadOnlyMountsArePassed) {
  ::chmod(sub_.c_str(), 0777);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount(sub_.c_str(), sub_.c_str(), nullptr, MS_BIND, nullptr) != 0) {
      ::_exit(77);
    }
    if (error_of(path_, 0).empty()) ::_exit(1);  // Bound, but still writable.
    if (::mount(nullptr, sub_.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0) {
      ::_exit(77);
    }
    ::_exit(error_of(path_, 0).empty() ? 0 : 2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "mount namespaces are not allowed here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace agentsh::config
