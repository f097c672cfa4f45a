#include "audit/recorder.h"

#include "audit/collector.h"
#include "audit/segments.h"
#include "audit/subscribers.h"
#include "tests/unit/audit/support.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <thread>

namespace agentsh::audit {
namespace {

TEST(Recorder, WritesAChainedLog) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  {
    auto recorder = open_recorder(options);
    for (int i = 0; i < 10; ++i) recorder->record(numbered_event("test", i));
    EXPECT_TRUE(recorder->flush());
    EXPECT_EQ(recorder->recorded(), 10u);
    EXPECT_EQ(recorder->dropped(), 0u);
    EXPECT_TRUE(recorder->healthy());
    // While it is being written, too.
    EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok());
  }
  EXPECT_EQ(numbers_in_log(options.directory, "test"),
            (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.entries, 10u);
  EXPECT_EQ(report.last_sequence, 10u);
  EXPECT_TRUE(report.notices.empty());
  struct stat info{};
  ASSERT_EQ(::stat(options.directory.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  // Nothing waits, so no ring is left.
  EXPECT_TRUE(std::filesystem::is_empty(options.directory + "/rings"));
}

TEST(Recorder, FillsIdAndTimeUnlessTheyAreGiven) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  {
    auto recorder = open_recorder(options);
    recorder->record(Event("a"));
    Event given("b");
    given.id = "my-id";
    given.timestamp = parse_rfc3339("2020-01-01T00:00:00Z").value();
    recorder->record(std::move(given));
    recorder->record(Event("a"));
  }
  const auto events = events_of_type(options.directory, "a");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_TRUE(events[0].root().text("id").starts_with("evt-"));
  EXPECT_LT(events[0].root().text("id"), events[1].root().text("id"));
  const auto time = parse_rfc3339(events[0].root().text("timestamp"));
  ASSERT_TRUE(time);
  EXPECT_LT(std::chrono::abs(std::chrono::system_clock::now() - *time), std::chrono::minutes(1));
  const auto given = events_of_type(options.directory, "b");
  EXPECT_EQ(given.at(0).root().text("id"), "my-id");
  EXPECT_EQ(given.at(0).root().text("timestamp"), "2020-01-01T00:00:00.000000000Z");
}

TEST(Recorder, GoesOnWithTheChainAfterReopening) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  for (int run = 0; run < 5; ++run) {
    auto recorder = open_recorder(options);
    recorder->record(numbered_event("test", run));
  }
  EXPECT_EQ(numbers_in_log(options.directory, "test"), (std::vector<std::int64_t>{0, 1, 2, 3, 4}));
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.entries, 5u);
}

TEST(Recorder, CountsExactlyWithManyThreads) {
  constexpr int kThreads = 8;
  const int per_thread = count_from_environment("AGENTSH_AUDIT_EVENTS", 50'000);
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  {
    auto recorder = open_recorder(options);
    std::vector<std::thread> threads;
    threads.reserve(kThreads);
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < per_thread; ++i) {
          recorder->record(numbered_event("thread-" + std::to_string(t), i));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(recorder->recorded(), static_cast<std::uint64_t>(kThreads) * per_thread);
    EXPECT_EQ(recorder->dropped(), 0u);
  }
  std::map<std::string, std::int64_t> next;
  std::set<std::string> ids;
  for (const std::string& line : log_lines(options.directory)) {
    const std::size_t type = line.find("\"type\":\"thread-");
    const std::size_t number = line.find("\"fields\":{\"n\":");
    ASSERT_NE(type, std::string::npos);
    ids.insert(line.substr(0, 40));
    // Per thread, in order and without a gap.
    ASSERT_EQ(std::atoll(line.c_str() + number + 14), next[line.substr(type + 8, 8)]++);
  }
  for (const auto& [thread, count] : next) EXPECT_EQ(count, per_thread) << thread;
  EXPECT_EQ(next.size(), std::size_t{kThreads});
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(kThreads) * per_thread);
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok()) << kinds(report);
}

TEST(Recorder, ReusesRingsOfThreadsThatEnded) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  auto recorder = open_recorder(options);
  for (int i = 0; i < 50; ++i) {
    std::thread([&] {
      recorder->record(numbered_event("test", i));
      EXPECT_TRUE(recorder->flush());
    }).join();
    // The next pass of the writer hands the ring on; an event of ours makes it happen.
    recorder->record(Event("tick"));
    EXPECT_TRUE(recorder->flush());
  }
  const auto rings =
      std::distance(std::filesystem::directory_iterator(options.directory + "/rings"), {});
  EXPECT_LE(rings, 6);
  recorder.reset();
  EXPECT_EQ(numbers_in_log(options.directory, "test").size(), 50u);
}

TEST(Recorder, RotatesAndTheChainGoesOn) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.segment_bytes = 20'000;
  options.max_segments = 0;
  for (int run = 0; run < 3; ++run) {
    auto recorder = open_recorder(options);
    for (int i = 0; i < 200; ++i) recorder->record(numbered_event("test", run * 200 + i));
  }
  const auto segments = list_segments(options.directory).value();
  EXPECT_GT(segments.size(), 10u);
  EXPECT_EQ(segments.front(), 1u);
  for (const std::uint32_t segment : segments) {
    const auto size = std::filesystem::file_size(segment_path(options.directory, segment));
    EXPECT_LE(size, options.segment_bytes + 2000);
  }
  const auto rotations = events_of_type(options.directory, "integrity_chain_rotated");
  EXPECT_EQ(rotations.size(), segments.size() - 1);
  EXPECT_EQ(rotations[0].root().member("fields").text("from_segment"), "audit-000001.jsonl");
  EXPECT_EQ(rotations[0].root().member("fields").text("to_segment"), "audit-000002.jsonl");
  EXPECT_EQ(numbers_in_log(options.directory, "test").size(), 600u);
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok()) << kinds(report);
  EXPECT_EQ(report.segments, segments.size());
}

TEST(Recorder, DeletesTheOldestSegmentsAndSaysSo) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.segment_bytes = 10'000;
  options.max_segments = 3;
  {
    auto recorder = open_recorder(options);
    // A ring is drained in one pass; segments are counted between passes.
    for (int i = 0; i < 500; ++i) {
      recorder->record(numbered_event("test", i));
      if (i % 20 == 0) recorder->flush();
    }
  }
  // Opened once more: what the last pass rotated is counted too.
  open_recorder(options).reset();
  EXPECT_LE(list_segments(options.directory).value().size(), 3u);
  EXPECT_FALSE(events_of_type(options.directory, "audit_segments_removed").empty());
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok()) << kinds(report);
}

TEST(Recorder, DeletesSegmentsPastTheirRetention) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.segment_bytes = 10'000;
  {
    auto recorder = open_recorder(options);
    for (int i = 0; i < 40; ++i) recorder->record(numbered_event("test", i));
  }
  ASSERT_GE(list_segments(options.directory).value().size(), 2u);
  struct timespec times[2] = {{.tv_sec = ::time(nullptr) - 5 * 86400}, {}};
  times[1] = times[0];
  ASSERT_EQ(::utimensat(AT_FDCWD, segment_path(options.directory, 1).c_str(), times, 0), 0);
  options.retention_days = 6;
  open_recorder(options).reset();
  EXPECT_EQ(list_segments(options.directory).value().front(), 1u);
  options.retention_days = 4;
  open_recorder(options).reset();
  EXPECT_EQ(list_segments(options.directory).value().front(), 2u);
  const auto removals = events_of_type(options.directory, "audit_segments_removed");
  ASSERT_EQ(removals.size(), 1u);
  EXPECT_EQ(removals[0].root().member("fields").text("reason"), "retention_days");
  const VerifyReport report = verify_with_key(options.directory, options.key_file);
  EXPECT_TRUE(report.ok()) << kinds(report);
}

TEST(Recorder, CountsDropsExactlyWhenAskedTo) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.ring_bytes = 64 << 10;
  options.backpressure = Backpressure::kCount;
  std::uint64_t recorded = 0;
  std::uint64_t dropped = 0;
  constexpr std::uint64_t kSent = 5000;
  {
    auto recorder = open_recorder(options);
    std::promise<void> entered;
    std::promise<void> release;
    std::atomic<bool> first = true;
    // The writer is held inside a subscriber, so that the ring fills.
    auto token = recorder->subscribe([&](const RecordedEvent&) {
      if (!first.exchange(false)) return;
      entered.set_value();
      release.get_future().wait();
    });
    recorder->record(Event("first"));
    entered.get_future().wait();
    for (std::uint64_t i = 0; i < kSent; ++i) {
      recorder->record(numbered_event("test", static_cast<std::int64_t>(i)));
    }
    recorded = recorder->recorded() - 1;
    dropped = recorder->dropped();
    release.set_value();
    EXPECT_TRUE(recorder->flush());
    recorder->record(numbered_event("test", 1'000'000));
  }
  EXPECT_EQ(recorded + dropped, kSent);
  EXPECT_GT(dropped, 0u);
  EXPECT_EQ(numbers_in_log(options.directory, "test").size(), recorded + 1);
  std::uint64_t reported = 0;
  for (const auto& event : events_of_type(options.directory, "audit_dropped")) {
    reported += static_cast<std::uint64_t>(event.root().member("fields").integer("count"));
  }
  EXPECT_EQ(reported, dropped);
  EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok());
}

TEST(Recorder, BlocksWhenAskedToAndLosesNothing) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.ring_bytes = 64 << 10;
  constexpr int kSent = 3000;
  {
    auto recorder = open_recorder(options);
    std::promise<void> entered;
    std::promise<void> release;
    std::atomic<bool> first = true;
    auto token = recorder->subscribe([&](const RecordedEvent&) {
      if (!first.exchange(false)) return;
      entered.set_value();
      release.get_future().wait();
    });
    recorder->record(Event("first"));
    entered.get_future().wait();
    std::atomic<int> sent = 0;
    std::thread producer([&] {
      for (int i = 0; i < kSent; ++i) {
        recorder->record(numbered_event("test", i));
        sent.fetch_add(1);
      }
    });
    // It comes to a halt with the ring full, then goes on.
    while (sent.load() < 100) std::this_thread::yield();
    EXPECT_LT(sent.load(), kSent);
    release.set_value();
    producer.join();
    EXPECT_EQ(recorder->dropped(), 0u);
  }
  const auto numbers = numbers_in_log(options.directory, "test");
  ASSERT_EQ(numbers.size(), std::size_t{kSent});
  EXPECT_TRUE(std::ranges::is_sorted(numbers));
}

TEST(Recorder, CutsEventsThatAreTooLarge) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.ring_bytes = 64 << 10;
  {
    auto recorder = open_recorder(options);
    Event event("large");
    event.session_id = std::string(100'000, 's');
    event.path = std::string(500'000, '\x01');
    for (int i = 0; i < 100; ++i) {
      event.field(std::string(5000, static_cast<char>('a' + i % 26)) + std::to_string(i),
                  std::vector<std::string>(1000, std::string(1000, '\x02')));
    }
    recorder->record(std::move(event));
    recorder->record(Event("after"));
  }
  const auto events = events_of_type(options.directory, "large");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].root().flag("truncated"));
  EXPECT_EQ(events_of_type(options.directory, "after").size(), 1u);
  EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok());
}

TEST(Recorder, GivesSubscribersEveryEventInChainOrder) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  auto recorder = open_recorder(options);
  std::vector<RecordedEvent> heard;
  auto token = recorder->subscribe([&](const RecordedEvent& event) { heard.push_back(event); });
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) recorder->record(numbered_event("test", i));
      EXPECT_TRUE(recorder->flush());
    });
  }
  for (std::thread& thread : threads) thread.join();
  token.reset();
  recorder->record(Event("unheard"));
  recorder.reset();
  ASSERT_EQ(heard.size(), 2000u);
  const auto lines = log_lines(options.directory);
  for (std::size_t i = 0; i < heard.size(); ++i) {
    ASSERT_EQ(heard[i].sequence, i + 1);
    ASSERT_EQ(heard[i].type, "test");
    ASSERT_EQ(heard[i].session_id, "session-1");
    const std::string_view json = heard[i].json;
    ASSERT_TRUE(lines[i].starts_with(json.substr(0, json.size() - 1)));
  }
}

TEST(Recorder, TellsSubscribersSessionCommandAndDecision) {
  const TempDirectory directory;
  auto recorder = open_recorder(small_options(directory.path()));
  EventCollector collector(*recorder, "s1", "c1", 3);
  const auto send = [&](const char* session, const char* command, const char* decision) {
    Event event("net_connect");
    event.session_id = session;
    event.command_id = command;
    event.policy = PolicyInfo{.decision = decision};
    recorder->record(std::move(event));
  };
  send("s1", "c1", "allow");
  send("s2", "c1", "allow");
  send("s1", "c2", "allow");
  send("s1", "", "audit");
  send("s1", "c1", "deny");
  send("s1", "c1", "deny");
  EXPECT_TRUE(recorder->flush());
  const auto events = collector.take();
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].decision, "allow");
  EXPECT_EQ(events[1].decision, "audit");
  EXPECT_EQ(events[1].command_id, "");
  EXPECT_EQ(events[2].decision, "deny");
  EXPECT_EQ(collector.left_out(), 1u);
}

TEST(Recorder, AllowsOnlyOneAtATime) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  const auto recorder = open_recorder(options);
  const auto second = Recorder::open(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, std::errc::device_or_resource_busy);
}

TEST(Recorder, RefusesAnotherKey) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  open_recorder(options)->record(Event("x"));
  ASSERT_TRUE(std::filesystem::remove(options.key_file));
  const auto without = Recorder::open(options);
  ASSERT_FALSE(without);
  EXPECT_NE(without.error().what.find("chain reset"), std::string::npos);
  ASSERT_TRUE(ChainKey::load_or_create(options.key_file));
  const auto other = Recorder::open(options);
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().what.find("key_rotated"), std::string::npos) << other.error().what;
}

TEST(Recorder, IsLeftAloneByForkedChildren) {
  const TempDirectory directory;
  const RecorderOptions options = small_options(directory.path());
  auto recorder = open_recorder(options);
  recorder->record(numbered_event("test", 1));
  for (int i = 0; i < 3; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      // What exit() would do to a recorder that the child inherited.
      recorder.reset();
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  recorder->record(numbered_event("test", 2));
  recorder.reset();
  EXPECT_EQ(numbers_in_log(options.directory, "test"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok());
}

TEST(Recorder, StartsANewSegmentWhenItsFileIsTakenAway) {
  const TempDirectory directory;
  RecorderOptions options = small_options(directory.path());
  options.fsync_interval = std::chrono::milliseconds(1);
  auto recorder = open_recorder(options);
  recorder->record(Event("lost"));
  EXPECT_TRUE(recorder->flush());
  ASSERT_TRUE(std::filesystem::remove(segment_path(options.directory, 1)));
  while (list_segments(options.directory).value().empty()) {
    recorder->record(Event("tick"));
    EXPECT_TRUE(recorder->flush());
  }
  recorder->record(Event("kept"));
  recorder.reset();
  EXPECT_EQ(list_segments(options.directory).value(), std::vector<std::uint32_t>{2});
  EXPECT_EQ(events_of_type(options.directory, "kept").size(), 1u);
  // And nobody can overlook it.
  EXPECT_EQ(kinds(verify_with_key(options.directory, options.key_file)), "missing_segment");
}

struct SyncCase {
  const char* name;
  Fsync fsync;
};

TEST(Recorder, WritesTheSameWithEverySyncPolicy) {
  for (const SyncCase& test :
       {SyncCase{"never", Fsync::kNever}, SyncCase{"interval", Fsync::kInterval},
        SyncCase{"always", Fsync::kAlways}}) {
    const TempDirectory directory;
    RecorderOptions options = small_options(directory.path());
    options.fsync = test.fsync;
    {
      auto recorder = open_recorder(options);
      for (int i = 0; i < 20; ++i) {
        recorder->record(numbered_event("test", i));
        EXPECT_TRUE(recorder->flush());
      }
      EXPECT_TRUE(verify_with_key(options.directory, options.key_file).ok()) << test.name;
    }
    EXPECT_EQ(numbers_in_log(options.directory, "test").size(), 20u) << test.name;
  }
}

TEST(Recorder, ServesSeveralRecordersInOneThread) {
  const TempDirectory one;
  const TempDirectory two;
  auto first = open_recorder(small_options(one.path()));
  auto second = open_recorder(small_options(two.path()));
  for (int i = 0; i < 100; ++i) {
    first->record(numbered_event("test", i));
    second->record(numbered_event("test", i));
  }
  EXPECT_TRUE(first->flush());
  EXPECT_EQ(numbers_in_log(small_options(one.path()).directory, "test").size(), 100u);
  first.reset();
  second.reset();
  EXPECT_EQ(numbers_in_log(small_options(two.path()).directory, "test").size(), 100u);
}

}  // namespace
}  // namespace agentsh::audit
