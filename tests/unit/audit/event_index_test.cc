#include "audit/event_index.h"

#include "audit/chain_admin.h"
#include "audit/segments.h"
#include "tests/unit/audit/support.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <thread>

namespace agentsh::audit {
namespace {

std::chrono::steady_clock::time_point soon() {
  return std::chrono::steady_clock::now() + std::chrono::seconds(30);
}

class EventIndexTest : public ::testing::Test {
 protected:
  void SetUp() override { options_ = small_options(directory_.path()); }

  void record(const std::function<void(Recorder&)>& what) {
    auto recorder = open_recorder(options_);
    what(*recorder);
  }
  void record_numbers(int first, int last) {
    record([&](Recorder& recorder) {
      for (int i = first; i <= last; ++i) recorder.record(numbered_event("test", i));
    });
  }
  std::vector<RecordedEvent> find(const EventQuery& query) {
    auto index = EventIndex::open(options_.directory).value();
    EXPECT_TRUE(index.catch_up(soon()).value());
    auto page = index.query(query);
    EXPECT_TRUE(page) << page.error().what;
    EXPECT_TRUE(page->complete);
    return std::move(page->events);
  }
  std::string sequences(const EventQuery& query) {
    std::string text;
    for (const RecordedEvent& event : find(query)) {
      text += (text.empty() ? "" : " ") + std::to_string(event.sequence);
    }
    return text;
  }

  TempDirectory directory_;
  RecorderOptions options_;
};

Event made(const char* type, const char* session, const char* decision, const char* path,
           const char* domain, const char* time) {
  Event event(type);
  event.session_id = session;
  if (*decision != '\0') event.policy = PolicyInfo{.decision = decision};
  event.path = path;
  event.domain = domain;
  event.timestamp = parse_rfc3339(time).value();
  return event;
}

struct FilterCase {
  const char* name;
  EventQuery query;
  const char* sequences;
};

TEST_F(EventIndexTest, FindsByEachFilter) {
  record([](Recorder& recorder) {
    recorder.record(made("file_open", "a", "allow", "/etc/passwd", "", "2026-01-01T00:00:00Z"));
    recorder.record(made("file_open", "b", "deny", "/etc/shadow", "", "2026-01-02T00:00:00Z"));
    recorder.record(made("net_connect", "a", "deny", "", "evil.example", "2026-01-03T00:00:00Z"));
    Event approved = made("net_connect", "b", "approve", "", "ok.example", "2026-01-04T00:00:00Z");
    approved.policy->effective_decision = "deny";
    approved.remote = "192.0.2.1:443";
    approved.field("note", std::string("Needle_1"));
    recorder.record(std::move(approved));
    recorder.record(made("dns_query", "a", "", "", "ok.example", "2026-01-05T00:00:00Z"));
  });
  const auto at = [](const char* time) { return parse_rfc3339(time); };
  const FilterCase cases[] = {
      {"none", {.ascending = true}, "1 2 3 4 5"},
      {"newest first", {}, "5 4 3 2 1"},
      {"session", {.session_id = "a", .ascending = true}, "1 3 5"},
      {"one type", {.types = {"dns_query"}}, "5"},
      {"types", {.types = {"file_open", "dns_query"}, .ascending = true}, "1 2 5"},
      {"decision or outcome", {.decision = "deny", .ascending = true}, "2 3 4"},
      {"decision", {.decision = "approve"}, "4"},
      {"since", {.since = at("2026-01-04T00:00:00Z"), .ascending = true}, "4 5"},
      {"until", {.until = at("2026-01-02T00:00:00Z"), .ascending = true}, "1 2"},
      {"path part", {.path_like = "passwd"}, "1"},
      {"path pattern", {.path_like = "/etc/s%"}, "2"},
      {"path underscore is plain", {.path_like = "etc_passwd"}, ""},
      {"domain", {.domain_like = "EVIL"}, "3"},
      {"remote", {.domain_like = "192.0.2"}, "4"},
      {"text", {.text_like = "needle_1"}, "4"},
      {"text pattern", {.text_like = "%Needle\\_1\"}}"}, "4"},
      {"text and type", {.types = {"dns_query"}, .text_like = "needle"}, ""},
      {"limit", {.limit = 2, .ascending = true}, "1 2"},
      {"offset", {.limit = 2, .offset = 3, .ascending = true}, "4 5"},
      {"offset with text", {.text_like = "example", .limit = 1, .offset = 1}, "4"},
      {"all at once",
       {.session_id = "b",
        .types = {"net_connect"},
        .decision = "deny",
        .since = at("2026-01-01T00:00:00Z"),
        .until = at("2026-01-09T00:00:00Z"),
        .domain_like = "ok%",
        .text_like = "Needle"},
       "4"},
      {"an injection is a value", {.session_id = "a' OR '1'='1"}, ""},
  };
  for (const FilterCase& test : cases)
    EXPECT_EQ(sequences(test.query), test.sequences) << test.name;
}

TEST_F(EventIndexTest, GivesTheEventAsItWasRecorded) {
  record([](Recorder& recorder) {
    Event event = made("net_connect", "s", "deny", "", "x.example", "2026-01-01T00:00:00Z");
    event.command_id = "c";
    event.id = "i";
    recorder.record(std::move(event));
  });
  const auto events = find({});
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].json,
            R"({"id":"i","timestamp":"2026-01-01T00:00:00.000000000Z","type":"net_connect",)"
            R"("session_id":"s","command_id":"c","policy":{"decision":"deny"},)"
            R"("domain":"x.example","fields":{}})");
  EXPECT_EQ(events[0].session_id, "s");
  EXPECT_EQ(events[0].command_id, "c");
  EXPECT_EQ(events[0].type, "net_connect");
  EXPECT_EQ(events[0].decision, "deny");
}

TEST_F(EventIndexTest, FollowsTheLogOverSegmentsAndRuns) {
  options_.segment_bytes = 5000;
  options_.max_segments = 0;
  for (int run = 0; run < 4; ++run) {
    record_numbers(run * 50 + 1, run * 50 + 50);
    EXPECT_EQ(find({.types = {"test"}, .limit = 1000}).size(),
              static_cast<std::size_t>(run + 1) * 50);
  }
}

TEST_F(EventIndexTest, IsMadeAnewWhenMissingOrDamaged) {
  record_numbers(1, 50);
  const std::string path = EventIndex::file_in(options_.directory);
  EXPECT_EQ(find({}).size(), 50u);
  std::filesystem::remove(path);
  std::filesystem::remove(path + "-wal");
  EXPECT_EQ(find({}).size(), 50u);
  write_text(path, "this is no database, whatever its name says" + std::string(10'000, 'x'));
  EXPECT_EQ(find({}).size(), 50u);
  std::string image = read_text(path);
  ASSERT_GT(image.size(), 8192u);
  for (std::size_t at = 100; at < image.size(); at += 7) image[at] = '\xa5';
  write_text(path, image);
  EXPECT_EQ(find({}).size(), 50u);
}

TEST_F(EventIndexTest, NoticesAnotherLogInItsPlace) {
  record_numbers(1, 50);
  EXPECT_EQ(find({}).size(), 50u);
  const std::string path = EventIndex::file_in(options_.directory);
  const std::string index = read_text(path);
  std::filesystem::remove_all(options_.directory);
  record_numbers(101, 180);
  write_text(path, index);
  EXPECT_EQ(find({}).size(), 80u);
  EXPECT_NE(find({.limit = 1, .ascending = true}).at(0).json.find("\"n\":101"), std::string::npos);
}

TEST_F(EventIndexTest, FillsItselfAnewWhenLinesMoved) {
  record_numbers(1, 50);
  EXPECT_EQ(find({}).size(), 50u);
  const std::string path = segment_path(options_.directory, 1);
  std::string text = read_text(path);
  text.erase(0, text.find('\n') + 1);
  write_text(path, text);
  EXPECT_EQ(find({}).size(), 49u);
}

TEST_F(EventIndexTest, ForgetsDeletedSegments) {
  options_.segment_bytes = 5000;
  options_.max_segments = 0;
  record_numbers(1, 100);
  EXPECT_EQ(find({.types = {"test"}}).size(), 100u);
  const auto before = list_segments(options_.directory)->size();
  ASSERT_GT(before, 4u);
  options_.max_segments = 2;
  record_numbers(101, 101);
  const auto events = find({.types = {"test"}, .ascending = true});
  EXPECT_LT(events.size(), 60u);
  EXPECT_EQ(events.size(), numbers_in_log(options_.directory, "test").size());
}

TEST_F(EventIndexTest, FollowsAChainReset) {
  record_numbers(1, 20);
  EXPECT_EQ(find({}).size(), 20u);
  ASSERT_TRUE(reset_chain({.directory = options_.directory,
                           .key_file = options_.key_file,
                           .reason = "test",
                           .reason_code = "manual_reset",
                           .legacy_archive = true,
                           .force = true}));
  record_numbers(21, 25);
  EXPECT_EQ(find({}).size(), 6u);
}

TEST_F(EventIndexTest, AnswersWhileTheLogIsWritten) {
  options_.index = true;
  auto recorder = open_recorder(options_);
  for (int i = 1; i <= 200; ++i) {
    recorder->record(numbered_event("test", i));
    if (i % 20 != 0) continue;
    ASSERT_TRUE(recorder->flush());
    // Through the recorder, and from outside at the same time.
    const auto page = recorder->query({.limit = 1000});
    ASSERT_TRUE(page) << page.error().what;
    ASSERT_EQ(page->events.size(), static_cast<std::size_t>(i));
    ASSERT_EQ(find({.limit = 1000}).size(), static_cast<std::size_t>(i));
  }
}

TEST_F(EventIndexTest, CatchesUpInTheBackground) {
  options_.index = true;
  auto recorder = open_recorder(options_);
  for (int i = 1; i <= 100; ++i) recorder->record(numbered_event("test", i));
  ASSERT_TRUE(recorder->flush());
  auto index = EventIndex::open(options_.directory).value();
  for (;;) {
    const auto page = index.query({.limit = 1000}).value();
    if (page.events.size() == 100 && page.complete) break;
    std::this_thread::yield();
  }
}

TEST_F(EventIndexTest, IsReadableForItsOwnerOnly) {
  record_numbers(1, 5);
  EXPECT_EQ(find({}).size(), 5u);
  auto index = EventIndex::open(options_.directory).value();
  for (const char* suffix : {"", "-wal", "-shm"}) {
    struct stat info{};
    ASSERT_EQ(::stat((EventIndex::file_in(options_.directory) + suffix).c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(EventIndexTest, IsRefusedByARecorderWithoutOne) {
  EXPECT_FALSE(open_recorder(options_)->query({}));
}

}  // namespace
}  // namespace agentsh::audit
