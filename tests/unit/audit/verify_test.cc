#include "audit/verify.h"

#include "audit/chain_admin.h"
#include "audit/segments.h"
#include "audit/side_car.h"
#include "tests/unit/audit/support.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>

namespace agentsh::audit {
namespace {

using Lines = std::vector<std::string>;

std::string join(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

// A closed log of 30 events in one segment, or of several small segments.
class Verify : public ::testing::Test {
 protected:
  void make_log(std::size_t segment_bytes = 1 << 30) {
    options_ = small_options(directory_.path());
    options_.segment_bytes = segment_bytes;
    options_.max_segments = 0;
    auto recorder = open_recorder(options_);
    for (int i = 1; i <= 30; ++i) recorder->record(numbered_event("test", i));
    recorder.reset();
    lines_ = log_lines(options_.directory);
    segment_ = segment_path(options_.directory, 1);
  }
  VerifyReport verify(VerifyOptions options = {}) {
    return verify_with_key(options_.directory, options_.key_file, options);
  }

  TempDirectory directory_;
  RecorderOptions options_;
  Lines lines_;
  std::string segment_;
};

struct Tampering {
  const char* name;
  std::function<std::string(Lines)> change;
  const char* findings;
  std::uint64_t line;  // Of the first finding; 0 for the log as a whole.
};

std::string flip(std::string text, std::string_view after, std::size_t offset = 0) {
  const std::size_t at = text.find(after) + after.size() + offset;
  text[at] = text[at] == '3' ? '4' : '3';
  return text;
}

const Tampering kTampering[] = {
    {"nothing", [](Lines l) { return join(l); }, "", 0},
    {"a byte of the content changed",
     [](Lines l) {
       l[4] = flip(l[4], "\"n\":");
       return join(l);
     },
     "changed", 5},
    {"a byte of an entry hash changed",
     [](Lines l) {
       l[4] = flip(l[4], "\"entry_hash\":\"");
       return join(l);
     },
     "changed link", 5},
    {"a byte of a previous hash changed",
     [](Lines l) {
       l[4] = flip(l[4], "\"prev_hash\":\"");
       return join(l);
     },
     "changed link", 5},
    {"a sequence changed",
     [](Lines l) {
       l[4].replace(l[4].find("\"sequence\":5"), 12, "\"sequence\":6");
       return join(l);
     },
     "changed missing order link", 5},
    {"a line deleted",
     [](Lines l) {
       l.erase(l.begin() + 4);
       return join(l);
     },
     "missing", 5},
    {"the first line deleted",
     [](Lines l) {
       l.erase(l.begin());
       return join(l);
     },
     "missing", 1},
    {"two lines swapped",
     [](Lines l) {
       std::swap(l[4], l[5]);
       return join(l);
     },
     "missing order", 5},
    {"a line repeated",
     [](Lines l) {
       l.insert(l.begin() + 5, l[4]);
       return join(l);
     },
     "order", 6},
    {"the last line cut off",
     [](Lines l) {
       l.pop_back();
       return join(l);
     },
     "cut_off", 0},
    {"half of the last line cut off",
     [](Lines l) {
       const std::string text = join(l);
       return text.substr(0, text.size() - 100);
     },
     "half_line cut_off", 30},
    {"everything cut off", [](Lines) { return std::string(); }, "cut_off", 0},
    {"an unsigned line appended",
     [](Lines l) { return join(l) + "{\"type\":\"forged\",\"fields\":{}}\n"; }, "unsigned", 31},
    {"an unsigned line inserted",
     [](Lines l) {
       l.insert(l.begin() + 4, "{\"type\":\"forged\",\"fields\":{}}");
       return join(l);
     },
     "unsigned", 5},
    {"a line made unsigned",
     [](Lines l) {
       l[4] = l[4].substr(0, l[4].find(",\"integrity\"")) + "}";
       return join(l);
     },
     "unsigned missing", 5},
    {"an empty line", [](Lines l) { return join(l) + "\n"; }, "malformed", 31},
    {"garbage appended", [](Lines l) { return join(l) + "\xff\xfe garbage\n"; }, "malformed", 31},
    {"a line of another chain",
     [](Lines l) {
       ChainHead head{.sequence = 30};
       TextBuffer out;
       append_line(ChainKey::from_bytes(std::string(32, 'x')).value(), head, "{\"a\":1}", out);
       return join(l) + std::string(out.view());
     },
     "changed link", 31},
};

TEST_F(Verify, FindsEveryTampering) {
  make_log();
  for (const Tampering& tampering : kTampering) {
    write_text(segment_, tampering.change(lines_));
    const VerifyReport report = verify();
    EXPECT_EQ(kinds(report), tampering.findings) << tampering.name;
    if (!report.findings.empty()) {
      EXPECT_EQ(report.findings[0].line, tampering.line) << tampering.name;
      if (tampering.line > 0) {
        EXPECT_EQ(report.findings[0].file, segment_) << tampering.name;
      }
    }
  }
}

TEST_F(Verify, FindsAFlippedBitAnywhere) {
  make_log();
  const std::string text = join(lines_);
  // Every byte of the third line and its line break.
  const std::size_t start = lines_[0].size() + lines_[1].size() + 2;
  for (std::size_t at = start; at <= start + lines_[2].size(); ++at) {
    std::string changed = text;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    write_text(segment_, changed);
    EXPECT_FALSE(verify().ok()) << at;
  }
}

TEST_F(Verify, FindsChangedSideCars) {
  make_log();
  const std::string path = side_car_path(options_.directory);
  const std::string side_car = read_text(path);
  LiveHead::remove(options_.directory);
  write_text(path, side_car.substr(0, side_car.size() / 2));
  EXPECT_EQ(kinds(verify()), "side_car");
  write_text(path, "");
  EXPECT_EQ(kinds(verify()), "side_car");
  std::string changed = side_car;
  changed.replace(changed.find(":30,"), 4, ":29,");
  write_text(path, changed);
  EXPECT_EQ(kinds(verify()), "side_car");
  ASSERT_TRUE(std::filesystem::remove(path));
  EXPECT_EQ(kinds(verify()), "side_car");

  // Cut off together with the side-car's sequence: the live page still knows, while it lasts.
  write_text(path, side_car);
  EXPECT_TRUE(verify().ok());
}

TEST_F(Verify, AcceptsASideCarWithoutMacOnlyWhenTold) {
  make_log();
  const std::string path = side_car_path(options_.directory);
  std::string side_car = read_text(path);
  const std::size_t mac = side_car.find(",\"mac\"");
  side_car.replace(mac, side_car.find('}') - mac, "");
  write_text(path, side_car);
  EXPECT_EQ(kinds(verify()), "side_car");
  EXPECT_TRUE(verify({.tolerate_unsigned = true}).ok());
}

TEST_F(Verify, TakesALineThatAKilledWriterLeftForWhatItIs) {
  make_log();
  write_text(segment_, join(lines_) + lines_.back().substr(0, 100));
  const VerifyReport report = verify();
  EXPECT_TRUE(report.ok());
  ASSERT_EQ(report.notices.size(), 1u);
  EXPECT_EQ(report.notices[0].kind, "half_line");
}

TEST_F(Verify, ToleratesWhatItIsTold) {
  make_log();
  Lines lines = lines_;
  lines.pop_back();
  lines.insert(lines.begin() + 3, "{\"unsigned\":true}");
  write_text(segment_, join(lines) + "{\"half");
  EXPECT_EQ(kinds(verify()), "unsigned half_line cut_off");
  EXPECT_EQ(kinds(verify({.tolerate_unsigned = true})), "half_line cut_off");
  EXPECT_EQ(kinds(verify({.tolerate_truncation = true})), "unsigned");
  const VerifyReport report = verify({.tolerate_truncation = true, .tolerate_unsigned = true});
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.unsigned_lines, 1u);
  EXPECT_EQ(report.notices.size(), 3u);
  EXPECT_EQ(report.entries, 29u);
}

TEST_F(Verify, BeginsWhereItIsTold) {
  make_log();
  Lines lines = lines_;
  lines[4] = flip(lines[4], "\"n\":");
  write_text(segment_, join(lines));
  EXPECT_EQ(kinds(verify()), "changed");
  EXPECT_EQ(kinds(verify({.from_sequence = 5})), "changed");
  const VerifyReport report = verify({.from_sequence = 6});
  EXPECT_TRUE(report.ok());
  EXPECT_EQ(report.first_sequence, 6u);
  EXPECT_EQ(report.entries, 25u);
  EXPECT_EQ(kinds(verify({.from_sequence = 31})), "cut_off missing");
}

TEST_F(Verify, FindsMissingSegments) {
  make_log(3000);
  const auto segments = list_segments(options_.directory).value();
  ASSERT_GE(segments.size(), 4u);
  EXPECT_TRUE(verify().ok());
  const auto without = [&](std::uint32_t segment) {
    const std::string path = segment_path(options_.directory, segment);
    const std::string text = read_text(path);
    std::filesystem::remove(path);
    const std::string found = kinds(verify());
    write_text(path, text);
    return found;
  };
  EXPECT_EQ(without(1), "missing_segment");
  EXPECT_EQ(without(2), "missing_segment missing");
  EXPECT_EQ(without(segments.back()), "cut_off");
  EXPECT_TRUE(verify().ok());
  // Two segments that changed places.
  std::filesystem::rename(segment_path(options_.directory, 1), directory_ / "x");
  std::filesystem::rename(segment_path(options_.directory, 2), segment_path(options_.directory, 1));
  std::filesystem::rename(directory_ / "x", segment_path(options_.directory, 2));
  EXPECT_FALSE(verify().ok());
}

TEST_F(Verify, ChecksOneFileByItself) {
  make_log(3000);
  const auto segments = list_segments(options_.directory).value();
  for (const std::uint32_t segment : segments) {
    const auto report =
        verify_with_key(segment_path(options_.directory, segment), options_.key_file);
    EXPECT_TRUE(report.ok()) << kinds(report);
    EXPECT_GT(report.entries, 0u);
  }
  // Of the newest, the end too.
  const std::string last = segment_path(options_.directory, segments.back());
  const std::string text = read_text(last);
  write_text(last, text.substr(0, text.rfind('\n', text.size() - 2) + 1));
  EXPECT_EQ(kinds(verify_with_key(last, options_.key_file)), "cut_off");
  // A copy elsewhere has only its links.
  write_text(directory_ / "copy.jsonl", text);
  EXPECT_TRUE(verify_with_key(directory_ / "copy.jsonl", options_.key_file).ok());
}

TEST_F(Verify, TellsAWrongKeyFromTampering) {
  make_log();
  const std::string other = directory_ / "other.key";
  ASSERT_TRUE(ChainKey::load_or_create(other));
  EXPECT_EQ(kinds(verify_with_key(options_.directory, other)), "wrong_key");
}

TEST_F(Verify, LimitsItsReport) {
  make_log();
  Lines lines = lines_;
  for (std::string& line : lines) line = flip(line, "\"n\":");
  write_text(segment_, join(lines));
  const VerifyReport report = verify({.max_findings = 10});
  EXPECT_EQ(report.findings.size(), 10u);
  EXPECT_EQ(report.uncounted, 20u);
}

TEST_F(Verify, FailsWhereThereIsNoLog) {
  make_log();
  const auto key = ChainKey::load(options_.key_file).value();
  EXPECT_FALSE(verify_log(directory_ / "none", key));
  EXPECT_FALSE(verify_log(directory_.path(), key));
}

TEST_F(Verify, SkipsLinesOfAnyLength) {
  make_log();
  write_text(segment_, join(lines_) + std::string(20 << 20, 'x') + "\n" + "y\n");
  EXPECT_EQ(kinds(verify()), "malformed malformed");
}

class Reset : public Verify {
 protected:
  ResetOptions reset_options(std::string code) {
    return {.directory = options_.directory,
            .key_file = options_.key_file,
            .reason = "a test",
            .reason_code = std::move(code)};
  }
};

TEST_F(Reset, RefusesAnIntactChainUnlessForced) {
  make_log();
  ResetOptions options = reset_options("manual_reset");
  EXPECT_EQ(reset_chain(options).error().code, std::errc::operation_not_permitted);
  options.force = true;
  const auto result = reset_chain(options);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->sequence, 31u);
  EXPECT_EQ(result->segment, "audit-000002.jsonl");
  open_recorder(options_)->record(Event("after"));
  const VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << kinds(report);
  ASSERT_EQ(report.notices.size(), 1u);
  EXPECT_EQ(report.notices[0].kind, "reset");
  EXPECT_EQ(report.last_sequence, 32u);
}

TEST_F(Reset, RefusesWhatItDoesNotKnowAndRunningRecorders) {
  make_log();
  EXPECT_FALSE(reset_chain(reset_options("because")));
  ResetOptions options = reset_options("manual_reset");
  options.reason.clear();
  EXPECT_FALSE(reset_chain(options));
  const auto recorder = open_recorder(options_);
  EXPECT_EQ(reset_chain(reset_options("manual_reset")).error().code,
            std::errc::device_or_resource_busy);
  options = reset_options("manual_reset");
  options.directory = directory_.path();
  EXPECT_EQ(reset_chain(options).error().code, std::errc::no_such_file_or_directory);
}

TEST_F(Reset, LetsRecordingGoOnAfterTamperingWhichStaysVisible) {
  make_log();
  Lines lines = lines_;
  lines.pop_back();
  write_text(segment_, join(lines));
  EXPECT_FALSE(Recorder::open(options_));
  const auto result = reset_chain(reset_options("post_tamper_recovery"));
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_EQ(result->sequence, 31u);  // Entry 30 existed, so its number is not used again.
  EXPECT_NE(result->previous_problems.find("cut_off"), std::string::npos);
  open_recorder(options_)->record(Event("after"));
  EXPECT_TRUE(verify({.from_sequence = 31}).ok());
  const auto events = events_of_type(options_.directory, "integrity_chain_reset");
  ASSERT_EQ(events.size(), 1u);
  const JsonValue fields = events[0].root().member("fields");
  EXPECT_EQ(fields.text("reason"), "a test");
  EXPECT_EQ(fields.text("reason_code"), "post_tamper_recovery");
  EXPECT_NE(fields.text("previous_problems").find("cut_off"), std::string::npos);
}

TEST_F(Reset, TakesANewKeyAndArchivesTheOldLog) {
  make_log();
  ASSERT_TRUE(std::filesystem::remove(options_.key_file));
  ResetOptions options = reset_options("key_rotated");
  options.legacy_archive = true;
  const auto result = reset_chain(options);
  ASSERT_TRUE(result) << result.error().what;
  EXPECT_TRUE(
      std::filesystem::exists(options_.directory + "/" + result->archive + "/audit-000001.jsonl"));
  EXPECT_EQ(result->sequence, 31u);
  open_recorder(options_)->record(Event("after"));
  const VerifyReport report = verify();
  EXPECT_TRUE(report.ok()) << kinds(report);
  EXPECT_EQ(report.entries, 2u);
}

TEST_F(Reset, MendsAMissingSideCar) {
  make_log();
  std::filesystem::remove(side_car_path(options_.directory));
  EXPECT_FALSE(Recorder::open(options_));
  ASSERT_TRUE(reset_chain(reset_options("sidecar_missing")));
  EXPECT_TRUE(Recorder::open(options_));
  EXPECT_TRUE(verify().ok());
}

TEST_F(Reset, StatusTellsWhereTheChainStands) {
  make_log();
  const auto key = ChainKey::load(options_.key_file).value();
  const auto status = chain_status(options_.directory, &key).value();
  EXPECT_EQ(status.segments, 1u);
  EXPECT_EQ(status.last_segment, "audit-000001.jsonl");
  EXPECT_EQ(status.last_sequence, 30u);
  EXPECT_EQ(status.side_car.value().head.sequence, 30u);
  EXPECT_EQ(status.key_fingerprint, key.fingerprint());
  EXPECT_FALSE(status.recorder_running);
  EXPECT_EQ(status.waiting_rings, 0u);
  const auto recorder = open_recorder(options_);
  EXPECT_TRUE(chain_status(options_.directory, nullptr)->recorder_running);
  EXPECT_FALSE(chain_status(directory_ / "none", nullptr));
}

}  // namespace
}  // namespace agentsh::audit
