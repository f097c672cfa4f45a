// A recorder whose disk is full: a small tmpfs in a mount namespace of the test's own, which needs
// either root or unprivileged user namespaces.
#include "audit/recorder.h"
#include "audit/segments.h"
#include "tests/unit/audit/support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

namespace agentsh::audit {
namespace {

constexpr int kCannotMount = 77;
constexpr std::size_t kDiskBytes = 4 << 20;

bool enter_mount_namespace() {
  const std::string uid_map = "0 " + std::to_string(::getuid()) + " 1";
  const std::string gid_map = "0 " + std::to_string(::getgid()) + " 1";
  if (::unshare(CLONE_NEWNS) != 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
    write_text("/proc/self/setgroups", "deny");
    write_text("/proc/self/uid_map", uid_map);
    write_text("/proc/self/gid_map", gid_map);
  }
  return ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

// Runs `test` in a child with `directory`/disk on a tmpfs of kDiskBytes.
void on_small_disk(const std::function<void(const RecorderOptions&)>& test) {
  const TempDirectory directory;
  const std::string disk = directory / "disk";
  std::filesystem::create_directory(disk);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const std::string size = "size=" + std::to_string(kDiskBytes);
    if (!enter_mount_namespace() || ::mount("tmpfs", disk.c_str(), "tmpfs", 0, size.c_str()) != 0) {
      ::_exit(kCannotMount);
    }
    RecorderOptions options = small_options(directory.path());
    options.directory = disk + "/log";
    options.deny_on_write_error = true;
    test(options);
    std::fflush(nullptr);
    ::_exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status)) << status;
  if (WEXITSTATUS(status) == kCannotMount) GTEST_SKIP() << "no mount namespace to be had";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

std::string filler_path(const RecorderOptions& options) {
  return options.directory + "/../filler";
}

// Takes all space but about `leave` bytes.
void fill_disk(const RecorderOptions& options, std::size_t leave) {
  const UniqueFd fd(::open(filler_path(options).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const std::string block(4096, 'f');
  std::size_t written = 0;
  while (::write(fd.get(), block.data(), block.size()) > 0) written += block.size();
  ASSERT_GT(written, leave);
  ASSERT_EQ(::ftruncate(fd.get(), static_cast<off_t>(written - leave)), 0);
}

void free_disk(const RecorderOptions& options) {
  ASSERT_TRUE(std::filesystem::remove(filler_path(options)));
}

// Records until the disk refuses, then some more. Returns how many.
std::int64_t record_into_full_disk(Recorder& recorder, std::int64_t more) {
  std::int64_t count = 0;
  while (recorder.writing()) {
    recorder.record(numbered_event("test", count++));
    recorder.flush(std::chrono::milliseconds(20));
  }
  for (std::int64_t i = 0; i < more; ++i) recorder.record(numbered_event("test", count++));
  return count;
}

void expect_numbers(const RecorderOptions& options, std::int64_t count) {
  const auto numbers = numbers_in_log(options.directory, "test");
  ASSERT_EQ(numbers.size(), static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) ASSERT_EQ(numbers[static_cast<std::size_t>(i)], i);
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok()) << kinds(report);
}

TEST(FullDisk, DelaysEventsAndLosesNone) {
  on_small_disk([](const RecorderOptions& options) {
    auto recorder = open_recorder(options);
    recorder->record(Event("first"));
    EXPECT_TRUE(recorder->flush());
    fill_disk(options, 10'000);
    const std::int64_t count = record_into_full_disk(*recorder, 300);
    EXPECT_FALSE(recorder->healthy());
    EXPECT_FALSE(recorder->flush(std::chrono::milliseconds(50)));
    EXPECT_EQ(recorder->dropped(), 0u);
    free_disk(options);
    EXPECT_TRUE(recorder->flush(std::chrono::seconds(20)));
    EXPECT_TRUE(recorder->writing());
    EXPECT_TRUE(recorder->healthy());
    recorder.reset();
    expect_numbers(options, count);
    const auto failures = events_of_type(options.directory, "audit_write_failed");
    ASSERT_EQ(failures.size(), 1u);
    const JsonValue fields = failures[0].root().member("fields");
    EXPECT_GE(fields.integer("events_delayed"), 300);
    EXPECT_LE(fields.integer("events_delayed"), count);
    EXPECT_GE(fields.integer("attempts"), 1);
    EXPECT_GE(fields.integer("duration_ms"), 50);
    EXPECT_NE(fields.text("error").find("No space left"), std::string::npos);
  });
}

TEST(FullDisk, StaysHealthyWhenNotAskedToDeny) {
  on_small_disk([](RecorderOptions options) {
    options.deny_on_write_error = false;
    auto recorder = open_recorder(options);
    recorder->record(Event("first"));
    EXPECT_TRUE(recorder->flush());
    fill_disk(options, 10'000);
    record_into_full_disk(*recorder, 1);
    EXPECT_TRUE(recorder->healthy());
    EXPECT_FALSE(recorder->writing());
  });
}

TEST(FullDisk, KeepsEventsInTheRingOverTheEndOfTheRecorder) {
  on_small_disk([](const RecorderOptions& options) {
    auto recorder = open_recorder(options);
    recorder->record(Event("first"));
    EXPECT_TRUE(recorder->flush());
    fill_disk(options, 10'000);
    const std::int64_t count = record_into_full_disk(*recorder, 300);
    recorder.reset();  // It cannot write them, and says goodbye all the same.
    free_disk(options);
    open_recorder(options).reset();
    expect_numbers(options, count);
    EXPECT_EQ(events_of_type(options.directory, "audit_recovered").size(), 1u);
  });
}

TEST(FullDisk, KeepsEventsInTheRingOverAKill) {
  on_small_disk([](const RecorderOptions& options) {
    std::array<int, 2> report{};
    ASSERT_EQ(::pipe2(report.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      auto recorder = open_recorder(options);
      recorder->record(Event("first"));
      recorder->flush();
      fill_disk(options, 10'000);
      const std::int64_t count = record_into_full_disk(*recorder, 300);
      if (::write(report[1], &count, sizeof count) != sizeof count) ::_exit(1);
      ::pause();
    }
    std::int64_t count = 0;
    ASSERT_EQ(::read(report[0], &count, sizeof count), static_cast<ssize_t>(sizeof count));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_EQ(::waitpid(child, nullptr, 0), child);
    free_disk(options);
    open_recorder(options).reset();
    expect_numbers(options, count);
  });
}

TEST(FullDisk, LetsNewThreadsShareARing) {
  constexpr int kThreads = 4;
  constexpr int kEach = 50;
  on_small_disk([](const RecorderOptions& options) {
    auto recorder = open_recorder(options);
    fill_disk(options, 0);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) recorder->record(numbered_event("test", t * kEach + i));
      });
    }
    for (std::thread& thread : threads) thread.join();
    free_disk(options);
    recorder.reset();
    auto numbers = numbers_in_log(options.directory, "test");
    std::ranges::sort(numbers);
    ASSERT_EQ(numbers.size(), std::size_t{kThreads} * kEach);
    EXPECT_EQ(numbers.back(), kThreads * kEach - 1);
    EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok());
  });
}

TEST(FullDisk, RotatesOnlyWhenThereIsRoom) {
  on_small_disk([](RecorderOptions options) {
    options.segment_bytes = 50'000;
    options.max_segments = 0;
    auto recorder = open_recorder(options);
    recorder->record(Event("first"));
    EXPECT_TRUE(recorder->flush());
    fill_disk(options, 120'000);
    const std::int64_t count = record_into_full_disk(*recorder, 300);
    free_disk(options);
    EXPECT_TRUE(recorder->flush(std::chrono::seconds(20)));
    recorder.reset();
    EXPECT_GT(list_segments(options.directory)->size(), 2u);
    expect_numbers(options, count);
  });
}

TEST(FullDisk, IsNamedWhenNothingCanBeOpened) {
  on_small_disk([](const RecorderOptions& options) {
    std::filesystem::create_directory(options.directory);
    fill_disk(options, 0);
    const auto recorder = Recorder::open(options);
    ASSERT_FALSE(recorder);
    EXPECT_EQ(recorder.error().code, std::errc::no_space_on_device) << recorder.error().what;
    free_disk(options);
    EXPECT_TRUE(Recorder::open(options));
  });
}

}  // namespace
}  // namespace agentsh::audit
