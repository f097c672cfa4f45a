#include "audit/ring.h"

#include "audit/shared_mapping.h"
#include "base/file_io.h"
#include "tests/unit/audit/support.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>

namespace agentsh::audit {
namespace {

std::string json_of(std::uint64_t number, std::size_t padding = 0) {
  return "{\"n\":" + std::to_string(number) + ",\"p\":\"" + std::string(padding, 'x') + "\"}";
}

bool push(Ring& ring, std::uint64_t stamp, const std::string& json) {
  return ring.push({.stamp = stamp,
                    .session_id = "s",
                    .command_id = "",
                    .type = "type",
                    .decision = "deny",
                    .json = json});
}

std::vector<RingRecord> collect(const Ring& ring) {
  std::vector<RingRecord> records;
  std::uint64_t damaged = 0;
  ring.collect(records, damaged);
  EXPECT_EQ(damaged, 0u);
  return records;
}

TEST(Ring, GivesBackWhatWasPushed) {
  const TempDirectory directory;
  auto ring = Ring::create(directory / "ring", 3, kMinRingBytes).value();
  ASSERT_TRUE(push(ring, 7, json_of(1)));
  ASSERT_TRUE(push(ring, 8, json_of(2, 100)));
  const auto records = collect(ring);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].stamp, 7u);
  EXPECT_EQ(records[0].session_id, "s");
  EXPECT_EQ(records[0].command_id, "");
  EXPECT_EQ(records[0].type, "type");
  EXPECT_EQ(records[0].decision, "deny");
  EXPECT_EQ(records[0].json, json_of(1));
  EXPECT_EQ(records[1].json, json_of(2, 100));
  EXPECT_EQ(ring.last_stamp(), 8u);
  EXPECT_EQ(ring.number(), 3u);
  ring.release(records[1].end);
  EXPECT_TRUE(ring.empty());
}

TEST(Ring, RefusesWhenFullAndGoesOnWhenReleased) {
  const TempDirectory directory;
  auto ring = Ring::create(directory / "ring", 1, kMinRingBytes).value();
  std::uint64_t pushed = 0;
  while (push(ring, pushed + 1, json_of(pushed, 500))) ++pushed;
  EXPECT_GT(pushed, 100u);
  EXPECT_TRUE(ring.half_full());
  const auto records = collect(ring);
  ASSERT_EQ(records.size(), pushed);
  ring.release(records[pushed / 2].end);
  EXPECT_TRUE(push(ring, pushed + 1, json_of(pushed, 500)));
  EXPECT_FALSE(ring.half_full() && ring.empty());
}

TEST(Ring, KeepsEverythingInOrderOverManyLaps) {
  const TempDirectory directory;
  auto ring = Ring::create(directory / "ring", 1, kMinRingBytes).value();
  std::mt19937 random(1);
  std::uint64_t pushed = 0;
  std::uint64_t read = 0;
  while (pushed < 20'000) {
    for (std::size_t burst = random() % 50; burst > 0; --burst) {
      if (!push(ring, pushed + 1, json_of(pushed, random() % 700))) break;
      ++pushed;
    }
    const auto records = collect(ring);
    for (const RingRecord& record : records) {
      ASSERT_EQ(record.stamp, ++read);
      ASSERT_TRUE(record.json.starts_with("{\"n\":" + std::to_string(read - 1) + ","));
    }
    if (!records.empty()) ring.release(records.back().end);
  }
}

TEST(Ring, IsThereAgainAfterReopening) {
  const TempDirectory directory;
  {
    auto ring = Ring::create(directory / "ring", 9, kMinRingBytes).value();
    for (std::uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(push(ring, i + 1, json_of(i)));
    ring.release(collect(ring)[3].end);
    ring.count_drop();
    ring.count_drop();
    ring.set_drops_reported(1);
  }
  const auto ring = Ring::open(directory / "ring").value();
  EXPECT_EQ(ring.number(), 9u);
  EXPECT_TRUE(ring.same_boot());
  EXPECT_EQ(ring.drops(), 2u);
  EXPECT_EQ(ring.drops_reported(), 1u);
  const auto records = collect(ring);
  ASSERT_EQ(records.size(), 6u);
  EXPECT_EQ(records[0].json, json_of(4));
}

TEST(Ring, SkipsDamagedRecordsAndKeepsTheRest) {
  const TempDirectory directory;
  const std::string path = directory / "ring";
  std::vector<std::uint64_t> ends;
  {
    auto ring = Ring::create(path, 1, kMinRingBytes).value();
    for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(push(ring, i + 1, json_of(i, 64)));
    for (const RingRecord& record : collect(ring)) ends.push_back(record.end);
  }
  const std::string intact = read_text(path);
  // Any byte of the sixth record: only that record is lost.
  for (std::uint64_t at = ends[4]; at < ends[5]; ++at) {
    std::string image = intact;
    image[Ring::kHeaderBytes + at] = static_cast<char>(image[Ring::kHeaderBytes + at] ^ 0x20);
    write_text(path, image);
    const auto ring = Ring::open(path).value();
    std::vector<RingRecord> records;
    std::uint64_t damaged = 0;
    ring.collect(records, damaged);
    const bool in_alignment = records.size() == 20;  // A byte after the text, never looked at.
    ASSERT_TRUE(records.size() == 19 || in_alignment) << at;
    if (!in_alignment) {
      EXPECT_EQ(damaged, ends[5] - ends[4]);
      EXPECT_EQ(records[4].end, ends[4]);
      EXPECT_EQ(records[5].end, ends[6]);
    }
  }
}

TEST(Ring, RefusesDamagedHeaders) {
  const TempDirectory directory;
  const std::string path = directory / "ring";
  {
    ASSERT_TRUE(Ring::create(path, 1, kMinRingBytes));
  }
  const std::string intact = read_text(path);
  write_text(path, intact.substr(0, 5000));
  EXPECT_FALSE(Ring::open(path));
  write_text(path, "");
  EXPECT_FALSE(Ring::open(path));
  write_text(path, intact + std::string(4096, '\0'));
  EXPECT_FALSE(Ring::open(path));
  for (const std::size_t at : {0u, 8u, 16u, 17u}) {
    std::string image = intact;
    image[at] = static_cast<char>(image[at] ^ 1);
    write_text(path, image);
    EXPECT_FALSE(Ring::open(path)) << at;
  }
  write_text(path, intact);
  EXPECT_TRUE(Ring::open(path));
}

TEST(SharedMapping, IsNotInheritedByAForkedChild) {
  const TempDirectory directory;
  const auto mapping = SharedMapping::create(directory / "file", 4096).value();
  mapping.data()[0] = 1;
  const pid_t child = ::fork();
  if (child == 0) {
    // Ends by SIGSEGV where the mapping is gone; sanitizers would catch that, so ask the kernel.
    unsigned char resident = 0;
    const bool mapped = ::mincore(mapping.data(), 4096, &resident) == 0;
    ::_exit(mapped ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(SharedMapping, FailsWhereTheFileExists) {
  const TempDirectory directory;
  ASSERT_TRUE(SharedMapping::create(directory / "file", 4096));
  EXPECT_FALSE(SharedMapping::create(directory / "file", 4096));
  EXPECT_TRUE(SharedMapping::open(directory / "file", 4096));
  EXPECT_EQ(SharedMapping::open(directory / "file", 4095).error().code, std::errc::file_too_large);
}

}  // namespace
}  // namespace agentsh::audit
