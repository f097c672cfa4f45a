// Kills a process that records at full speed, with SIGKILL at random moments, and looks whether
// anything is missing. AGENTSH_AUDIT_KILLS sets how often (20 unless said).
#include "audit/event_index.h"
#include "audit/recorder.h"
#include "audit/segments.h"
#include "base/unique_fd.h"
#include "tests/unit/audit/support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <random>
#include <thread>

namespace agentsh::audit {
namespace {

constexpr int kThreads = 3;
constexpr std::int64_t kPerRound = 1'000'000'000;

// Memory that outlives the killed child: how many calls of record() returned, by thread.
struct Returned {
  std::array<std::atomic<std::int64_t>, kThreads> calls{};
  std::int64_t total() const {
    std::int64_t sum = 0;
    for (const auto& count : calls) sum += count.load();
    return sum;
  }
};

class SharedCounters {
 public:
  SharedCounters()
      : counters_(new(::mmap(nullptr, sizeof(Returned), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Returned) {}
  ~SharedCounters() { ::munmap(counters_, sizeof(Returned)); }
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;
  Returned* operator->() const { return counters_; }

 private:
  Returned* counters_;
};

std::string thread_type(int thread) {
  return "thread-" + std::to_string(thread);
}

// The child: never returns. Its first thread tells by a byte when it has recorded `enough`.
[[noreturn]] void record_forever(const RecorderOptions& options, std::int64_t round,
                                 const SharedCounters& returned, std::int64_t enough, int report) {
  auto recorder = open_recorder(options);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (std::int64_t i = 0;; ++i) {
        recorder->record(numbered_event(thread_type(t), round * kPerRound + i));
        returned->calls[static_cast<std::size_t>(t)].store(i + 1);
        if (t == 0 && i == enough && ::write(report, "x", 1) != 1) ::_exit(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ::_exit(0);
}

// A random moment during the child's start, which takes some milliseconds. Spins: what is wanted is
// time, not the scheduler's turn.
void spin_for(std::chrono::microseconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
  }
}

// Runs the child and kills it at a random moment: during its start, or after some thousand events.
void run_and_kill(const RecorderOptions& options, std::int64_t round,
                  const SharedCounters& returned, std::mt19937& random) {
  const bool early = random() % 4 == 0;
  const auto enough = static_cast<std::int64_t>(random() % 3'000);
  std::array<int, 2> report{};
  ASSERT_EQ(::pipe2(report.data(), O_CLOEXEC), 0);
  const UniqueFd reader(report[0]);
  UniqueFd writer(report[1]);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) record_forever(options, round, returned, enough, writer.get());
  writer.reset();
  if (early) {
    spin_for(std::chrono::microseconds(random() % 20'000));
  } else {
    char byte = 0;
    ASSERT_EQ(::read(reader.get(), &byte, 1), 1) << "the child ended by itself";
    spin_for(std::chrono::microseconds(random() % 500));
  }
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself: " << status;
}

// Every event that record() returned for is in the log once, in order; at most the one that was
// being recorded more.
void expect_complete(const RecorderOptions& options, std::int64_t round,
                     const std::vector<std::array<std::int64_t, kThreads>>& returned) {
  for (int t = 0; t < kThreads; ++t) {
    const auto numbers = numbers_in_log(options.directory, thread_type(t));
    std::size_t at = 0;
    for (std::int64_t r = 0; r <= round; ++r) {
      std::int64_t count = 0;
      while (at < numbers.size() && numbers[at] == r * kPerRound + count) {
        ++at;
        ++count;
      }
      const std::int64_t sure = returned[static_cast<std::size_t>(r)][static_cast<std::size_t>(t)];
      ASSERT_GE(count, sure) << "round " << r << " thread " << t;
      ASSERT_LE(count, sure + 1) << "round " << r << " thread " << t;
    }
    ASSERT_EQ(at, numbers.size()) << "out of order or twice: " << numbers[at];
  }
}

TEST(Crash, LosesNothingThatWasRecorded) {
  const int kills = count_from_environment("AGENTSH_AUDIT_KILLS", 20);
  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.segment_bytes = 2 << 20;
  options.max_segments = 0;
  options.fsync_interval = std::chrono::milliseconds(5);
  options.index = true;
  std::vector<std::array<std::int64_t, kThreads>> returned;
  for (std::int64_t round = 0; round < kills; ++round) {
    const SharedCounters counters;
    ASSERT_NO_FATAL_FAILURE(run_and_kill(options, round, counters, random));
    returned.emplace_back();
    for (std::size_t t = 0; t < kThreads; ++t) returned.back()[t] = counters->calls[t].load();
    // Every other time the next child does the recovering, and may be killed while it does.
    if (round % 2 == 0 && round + 1 < kills) continue;
    open_recorder(options).reset();
    const VerifyReport report = verify_with_key(options.directory, options.key_file);
    ASSERT_TRUE(report.ok()) << kinds(report) << ": " << report.findings[0].what;
  }
  ASSERT_NO_FATAL_FAILURE(expect_complete(options, kills - 1, returned));
  auto index = EventIndex::open(options.directory).value();
  ASSERT_TRUE(index.catch_up(std::chrono::steady_clock::now() + std::chrono::minutes(1)).value());
  const auto newest = index.query({.limit = 1}).value();
  EXPECT_EQ(newest.events.at(0).sequence,
            verify_with_key(options.directory, options.key_file).last_sequence);
}

TEST(Crash, CountsDropsExactly) {
  const int kills = count_from_environment("AGENTSH_AUDIT_KILLS", 20) / 4;
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < kills; ++round) {
    const TempDirectory directory;
    RecorderOptions options = small_options(directory.path());
    options.ring_bytes = 64 << 10;
    options.backpressure = Backpressure::kCount;
    const SharedCounters counters;
    ASSERT_NO_FATAL_FAILURE(run_and_kill(options, 0, counters, random));
    open_recorder(options).reset();
    std::int64_t accounted = 0;
    for (int t = 0; t < kThreads; ++t) {
      accounted +=
          static_cast<std::int64_t>(numbers_in_log(options.directory, thread_type(t)).size());
    }
    for (const auto& event : events_of_type(options.directory, "audit_dropped")) {
      accounted += event.root().member("fields").integer("count");
    }
    EXPECT_GE(accounted, counters->total());
    EXPECT_LE(accounted, counters->total() + kThreads);
    EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok());
  }
}

TEST(Crash, ShowsALineCutOffAfterTheKill) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.fsync_interval = std::chrono::hours(1);  // The side-car stays at the start.
  std::array<int, 2> report{};
  ASSERT_EQ(::pipe2(report.data(), O_CLOEXEC), 0);
  const UniqueFd reader(report[0]);
  UniqueFd writer(report[1]);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto recorder = open_recorder(options);
    for (int i = 0; i < 10; ++i) recorder->record(numbered_event("test", i));
    recorder->flush();
    if (::write(writer.get(), "x", 1) != 1) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  writer.reset();
  char byte = 0;
  ASSERT_EQ(::read(reader.get(), &byte, 1), 1);
  const std::string segment = segment_path(options.directory, 1);
  ASSERT_TRUE(verify_with_key(options.directory, options.key_file).ok());
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_TRUE(verify_with_key(options.directory, options.key_file).ok());
  const std::string text = read_text(segment);
  write_text(segment, text.substr(0, text.rfind('\n', text.size() - 2) + 1));
  EXPECT_EQ(kinds(verify_with_key(options.directory, options.key_file)), "cut_off");
  EXPECT_FALSE(Recorder::open(options));
}

}  // namespace
}  // namespace agentsh::audit
