#include "audit/log_recovery.h"

#include "audit/ring.h"
#include "audit/segments.h"
#include "audit/side_car.h"
#include "tests/unit/audit/support.h"

#include <gtest/gtest.h>

#include <filesystem>

namespace agentsh::audit {
namespace {

// A log of 20 events in one segment whose side-car speaks of entry `side_car_at`, as if the
// recorder had been killed some time after it was written.
class LogRecovery : public ::testing::Test {
 protected:
  void SetUp() override { options_ = small_options(directory_.path()); }

  void make_log(std::uint64_t side_car_at) {
    {
      auto recorder = open_recorder(options_);
      for (int i = 1; i <= 20; ++i) recorder->record(numbered_event("test", i));
    }
    segment_ = segment_path(options_.directory, 1);
    text_ = read_text(segment_);
    key_ = std::make_unique<ChainKey>(ChainKey::load(options_.key_file).value());
    ChainHead head{.sequence = side_car_at};
    if (side_car_at > 0) {
      ParsedLine line;
      const auto lines = log_lines(options_.directory);
      ASSERT_EQ(parse_line(lines.at(side_car_at - 1), line), LineKind::kSigned);
      std::ranges::copy(line.entry_hash, head.hash.begin());
    }
    ASSERT_TRUE(write_side_car(options_.directory, *key_, head));
    LiveHead::remove(options_.directory);
  }

  Result<LogState> recover(IdWindow window = {}) {
    return recover_log(options_.directory, *key_, window);
  }

  std::size_t line_start(int line) const {
    std::size_t at = 0;
    for (int i = 1; i < line; ++i) at = text_.find('\n', at) + 1;
    return at;
  }

  TempDirectory directory_;
  RecorderOptions options_;
  std::unique_ptr<ChainKey> key_;
  std::string segment_;
  std::string text_;
};

TEST_F(LogRecovery, FindsTheEndWhereverTheSideCarStands) {
  for (const std::uint64_t at : {20u, 19u, 10u, 1u, 0u}) {
    make_log(at);
    const auto state = recover();
    ASSERT_TRUE(state) << state.error().what;
    EXPECT_EQ(state->head.sequence, 20u);
    EXPECT_EQ(state->segment, 1u);
    EXPECT_TRUE(state->repairs.empty());
    std::filesystem::remove_all(options_.directory);
  }
}

TEST_F(LogRecovery, CutsOrCompletesTheLastLineAtAnyLength) {
  make_log(10);
  const std::size_t start = line_start(20);
  for (std::size_t size = start + 1; size < text_.size(); ++size) {
    write_text(segment_, text_.substr(0, size));
    const auto state = recover();
    ASSERT_TRUE(state) << state.error().what;
    ASSERT_EQ(state->repairs.size(), 1u);
    const bool whole = size == text_.size() - 1;
    EXPECT_EQ(state->head.sequence, whole ? 20u : 19u);
    EXPECT_EQ(read_text(segment_), whole ? text_ : text_.substr(0, start));
    const std::string json = to_json(state->repairs[0]);
    EXPECT_NE(json.find(whole ? "line_completed" : "line_cut"), std::string::npos) << json;
  }
}

TEST_F(LogRecovery, CutsZerosThatAPowerCutLeft) {
  make_log(10);
  write_text(segment_, text_ + std::string(100'000, '\0'));
  ASSERT_TRUE(recover());
  EXPECT_EQ(read_text(segment_), text_);
}

TEST_F(LogRecovery, RefusesALogThatWasChangedAfterTheSideCar) {
  make_log(10);
  for (const int line : {10, 11, 15, 20}) {
    std::string changed = text_;
    const std::size_t at = changed.find("\"n\":", line_start(line)) + 4;
    changed[at] = changed[at] == '9' ? '8' : '9';
    write_text(segment_, changed);
    const auto state = recover();
    ASSERT_FALSE(state) << line;
    EXPECT_EQ(state.error().code, std::errc::bad_message);
    EXPECT_NE(state.error().what.find("chain reset"), std::string::npos);
  }
}

TEST_F(LogRecovery, RefusesALogThatIsShorterThanItsHeads) {
  make_log(15);
  write_text(segment_, text_.substr(0, line_start(15)));
  EXPECT_EQ(recover().error().code, std::errc::bad_message);
  // A torn line that claims the missing place does not help.
  std::string forged = text_.substr(0, text_.size() - 1).substr(line_start(15));
  forged = forged.substr(0, forged.find('\n'));
  forged[forged.find("\"n\":") + 4] = '7';
  write_text(segment_, text_.substr(0, line_start(15)) + forged);
  EXPECT_EQ(recover().error().code, std::errc::bad_message);

  // Beyond the side-car it is the live page that knows.
  write_text(segment_, text_.substr(0, line_start(18)));
  ASSERT_TRUE(recover());
  LiveHead::open_for_writing(options_.directory)->write(*key_, {.sequence = 18});
  EXPECT_EQ(recover().error().code, std::errc::bad_message);
}

TEST_F(LogRecovery, RefusesMissingOrDamagedSideCars) {
  make_log(20);
  const std::string path = side_car_path(options_.directory);
  const std::string side_car = read_text(path);
  ASSERT_TRUE(std::filesystem::remove(path));
  EXPECT_NE(recover().error().what.find("sidecar_missing"), std::string::npos);
  write_text(path, side_car.substr(0, 50));
  EXPECT_NE(recover().error().what.find("sidecar_corrupt"), std::string::npos);
  std::string wound_back = side_car;
  wound_back.replace(wound_back.find(":20,"), 4, ":19,");
  write_text(path, wound_back);
  EXPECT_NE(recover().error().what.find("sidecar_corrupt"), std::string::npos);
  write_text(path, side_car);
  EXPECT_TRUE(recover());
}

TEST_F(LogRecovery, RefusesALogThatIsGone) {
  make_log(20);
  ASSERT_TRUE(std::filesystem::remove(segment_));
  EXPECT_EQ(recover().error().code, std::errc::bad_message);
}

TEST_F(LogRecovery, ReadsBackOverSegments) {
  options_.segment_bytes = 3000;
  make_log(2);
  ASSERT_GT(list_segments(options_.directory)->size(), 2u);
  const auto state = recover({.wanted = true});
  ASSERT_TRUE(state) << state.error().what;
  EXPECT_GT(state->head.sequence, 20u);
  EXPECT_EQ(state->recent_ids.size(), state->head.sequence - 2);
  EXPECT_EQ(state->segment, list_segments(options_.directory)->back());
}

TEST_F(LogRecovery, GathersIdsAfterTheSideCarOrByTime) {
  make_log(15);
  EXPECT_TRUE(recover()->recent_ids.empty());
  EXPECT_EQ(recover({.wanted = true})->recent_ids.size(), 5u);
  const auto lines = log_lines(options_.directory);
  const auto state = recover({.wanted = true, .since = line_time(lines[3])});
  EXPECT_EQ(state->recent_ids.size(), 17u);
  EXPECT_TRUE(state->recent_ids.contains(std::string(line_id(lines[3]))));
}

TEST_F(LogRecovery, GoesOnInAnEmptySegmentThatACrashLeft) {
  make_log(20);
  write_text(segment_path(options_.directory, 2), "");
  const auto state = recover();
  ASSERT_TRUE(state) << state.error().what;
  EXPECT_EQ(state->segment, 2u);
  EXPECT_EQ(state->head.sequence, 20u);
}

// Rings as a killed process leaves them, with and without the log line of the same event.
TEST_F(LogRecovery, RecorderWritesLeftRingsInTimeOrderOnceEach) {
  make_log(18);
  const auto lines = log_lines(options_.directory);
  const auto json_of = [&](std::size_t line) {
    return lines[line - 1].substr(0, lines[line - 1].find(",\"integrity\"")) + "}";
  };
  std::filesystem::create_directories(options_.directory + "/rings");
  {
    auto one = Ring::create(options_.directory + "/rings/ring-0001", 1, kMinRingBytes).value();
    auto two = Ring::create(options_.directory + "/rings/ring-0007", 7, kMinRingBytes).value();
    // Logged already, but the ring was not advanced before the kill.
    ASSERT_TRUE(one.push({.stamp = 1, .type = "test", .json = json_of(19)}));
    ASSERT_TRUE(two.push({.stamp = 2, .type = "test", .json = json_of(20)}));
    const auto left = [](int n) {
      return "{\"id\":\"left-" + std::to_string(n) +
             "\",\"timestamp\":\"2026-11-24T06:00:00.000000000Z\",\"type\":\"left\","
             "\"session_id\":\"\",\"fields\":{\"n\":" +
             std::to_string(n) + "}}";
    };
    ASSERT_TRUE(one.push({.stamp = 30, .type = "left", .json = left(3)}));
    ASSERT_TRUE(two.push({.stamp = 10, .type = "left", .json = left(1)}));
    ASSERT_TRUE(one.push({.stamp = 40, .type = "left", .json = left(4)}));
    ASSERT_TRUE(two.push({.stamp = 20, .type = "left", .json = left(2)}));
    ASSERT_TRUE(two.push({.stamp = 50, .type = "left", .json = left(5)}));
    for (int i = 0; i < 3; ++i) two.count_drop();
    two.set_drops_reported(1);
  }
  {
    auto recorder = open_recorder(options_);
    recorder->record(numbered_event("new", 1));
  }
  EXPECT_EQ(numbers_in_log(options_.directory, "left"), (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(numbers_in_log(options_.directory, "test").size(), 20u);
  const auto recovered = events_of_type(options_.directory, "audit_recovered");
  ASSERT_EQ(recovered.size(), 1u);
  EXPECT_EQ(recovered[0].root().member("fields").integer("events"), 5);
  const auto drops = events_of_type(options_.directory, "audit_dropped");
  ASSERT_EQ(drops.size(), 1u);
  EXPECT_EQ(drops[0].root().member("fields").integer("count"), 2);
  // Before anything else.
  EXPECT_NE(log_lines(options_.directory).back().find("\"type\":\"new\""), std::string::npos);
  EXPECT_TRUE(verify_with_key(options_.directory, options_.key_file).ok());
  EXPECT_TRUE(std::filesystem::is_empty(options_.directory + "/rings"));
}

TEST_F(LogRecovery, RecorderReportsDamagedRings) {
  make_log(20);
  const std::string rings = options_.directory + "/rings";
  std::filesystem::create_directories(rings);
  write_text(rings + "/ring-0001", "not a ring");
  write_text(rings + "/ring-0002", std::string(70'000, '\0'));  // Never finished.
  {
    auto ring = Ring::create(rings + "/ring-0003", 3, kMinRingBytes).value();
    ASSERT_TRUE(ring.push({.stamp = 1, .type = "a", .json = "{\"id\":\"a\"}"}));
    ASSERT_TRUE(ring.push({.stamp = 2, .type = "b", .json = "{\"id\":\"b\"}"}));
  }
  std::string image = read_text(rings + "/ring-0003");
  image[Ring::kHeaderBytes + 50] = 'X';
  write_text(rings + "/ring-0003", image);
  open_recorder(options_).reset();
  EXPECT_EQ(events_of_type(options_.directory, "audit_ring_damaged").size(), 2u);
  EXPECT_TRUE(std::filesystem::exists(rings + "/ring-0001.damaged"));
  EXPECT_FALSE(std::filesystem::exists(rings + "/ring-0002"));
  EXPECT_NE(read_text(segment_).find("{\"id\":\"b\""), std::string::npos);
  EXPECT_TRUE(verify_with_key(options_.directory, options_.key_file).ok());
}

}  // namespace
}  // namespace agentsh::audit
