#include "audit/chain.h"

#include "audit/chain_key.h"
#include "audit/side_car.h"
#include "tests/unit/audit/support.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace agentsh::audit {
namespace {

constexpr std::string_view kSecret = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

ChainKey test_key() {
  return ChainKey::from_bytes(kSecret).value();
}

TEST(ChainKey, ComputesHmacSha256) {
  // RFC 4231 test case 6: a key longer than a block.
  const auto key = ChainKey::from_bytes(std::string(131, '\xaa')).value();
  const HexHash hash = key.sign({"Test Using Larger Than Block-Size Key", " - Hash Key First"});
  EXPECT_EQ(as_view(hash), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  // And again: the context starts over.
  EXPECT_EQ(key.sign({"Test Using Larger Than Block-Size Key - Hash Key First"}), hash);
}

TEST(ChainKey, IsMadeOnceForItsOwnerOnly) {
  const TempDirectory directory;
  const std::string path = directory / "keys/audit.key";
  const auto made = ChainKey::load_or_create(path).value();
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  EXPECT_EQ(ChainKey::load_or_create(path).value().fingerprint(), made.fingerprint());
  EXPECT_EQ(ChainKey::load(path).value().sign({"x"}), made.sign({"x"}));
  EXPECT_EQ(made.copy().value().fingerprint(), made.fingerprint());
}

TEST(ChainKey, IsRefusedWhenOthersCouldReadIt) {
  const TempDirectory directory;
  const std::string path = directory / "key";
  write_text(path, kSecret);
  for (const mode_t mode : {0640, 0604, 0620, 0601, 0666}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    const auto key = ChainKey::load(path);
    ASSERT_FALSE(key) << mode;
    EXPECT_EQ(key.error().code, std::errc::permission_denied);
  }
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_TRUE(ChainKey::load(path));
}

TEST(ChainKey, IsRefusedWhenTooShortOrNoFile) {
  const TempDirectory directory;
  const std::string path = directory / "key";
  write_text(path, std::string(31, 'k') + "\n");
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  EXPECT_EQ(ChainKey::load(path).error().code, std::errc::invalid_argument);
  EXPECT_FALSE(ChainKey::load(directory.path()));
  EXPECT_EQ(ChainKey::load(directory / "none").error().code, std::errc::no_such_file_or_directory);
}

TEST(Chain, WritesLinesThatParseBack) {
  const ChainKey key = test_key();
  ChainHead head;
  TextBuffer out;
  append_line(key, head, R"({"a":1})", out);
  append_line(key, head, R"({"b":2})", out);
  const std::string_view text = out.view();
  const std::size_t end = text.find('\n');
  ParsedLine first;
  ParsedLine second;
  ASSERT_EQ(parse_line(text.substr(0, end), first), LineKind::kSigned);
  ASSERT_EQ(parse_line(text.substr(end + 1, text.size() - end - 2), second), LineKind::kSigned);
  EXPECT_EQ(first.payload, R"({"a":1)");
  EXPECT_EQ(first.sequence, 1u);
  EXPECT_EQ(first.previous_hash, std::string(64, '0'));
  EXPECT_EQ(second.sequence, 2u);
  EXPECT_EQ(second.previous_hash, first.entry_hash);
  EXPECT_EQ(second.entry_hash, as_view(head.hash));
  EXPECT_TRUE(is_authentic(key, first));
  EXPECT_TRUE(is_authentic(key, second));
  // As documented, so that others can check it.
  EXPECT_EQ(first.entry_hash,
            as_view(key.sign({"2|1|" + std::string(64, '0') + "|" + R"({"a":1})"})));
  EXPECT_FALSE(is_authentic(ChainKey::from_bytes(std::string(32, 'x')).value(), first));
}

TEST(Chain, TellsSignedFromOtherLines) {
  const ChainKey key = test_key();
  ChainHead head{.sequence = 41};
  TextBuffer out;
  append_line(key, head, R"({"a":"b"})", out);
  const std::string line(out.view().substr(0, out.size() - 1));
  ParsedLine parsed;
  EXPECT_EQ(parse_line(line, parsed), LineKind::kSigned);
  EXPECT_EQ(parsed.sequence, 42u);
  EXPECT_EQ(parse_line("", parsed), LineKind::kMalformed);
  EXPECT_EQ(parse_line("{", parsed), LineKind::kMalformed);
  EXPECT_EQ(parse_line("x" + line, parsed), LineKind::kMalformed);
  EXPECT_EQ(parse_line(R"({"a":1})", parsed), LineKind::kUnsigned);
  // Every prefix is something else than the line.
  for (std::size_t length = 0; length < line.size(); ++length) {
    EXPECT_NE(parse_line(line.substr(0, length), parsed), LineKind::kSigned);
  }
  // A text inside the event cannot pose as the integrity member.
  std::string fake = line;
  fake.insert(fake.find('b'), R"(\",\"integrity\":{\"format_version\":2,\"sequence\":1)");
  ASSERT_EQ(parse_line(fake, parsed), LineKind::kSigned);
  EXPECT_EQ(parsed.sequence, 42u);
  for (const char* sequence : {"042", "", "18446744073709551616", "4x", "-1"}) {
    std::string odd = line;
    const std::size_t at = odd.find(":42,");
    odd.replace(at + 1, 2, sequence);
    EXPECT_EQ(parse_line(odd, parsed), LineKind::kUnsigned) << sequence;
  }
}

TEST(SideCar, ComesBackAndIsAuthentic) {
  const TempDirectory directory;
  const ChainKey key = test_key();
  ChainHead head{.sequence = 12, .hash = key.sign({"x"})};
  ASSERT_TRUE(write_side_car(directory.path(), key, head));
  auto side_car = read_side_car(directory.path()).value();
  EXPECT_EQ(side_car.head, head);
  EXPECT_EQ(side_car.key_fingerprint, key.fingerprint());
  EXPECT_TRUE(is_authentic(key, side_car));
  --side_car.head.sequence;
  EXPECT_FALSE(is_authentic(key, side_car));
}

TEST(SideCar, ToldApartMissingFromDamaged) {
  const TempDirectory directory;
  EXPECT_EQ(read_side_car(directory.path()).error().code, std::errc::no_such_file_or_directory);
  ASSERT_TRUE(write_side_car(directory.path(), test_key(), ChainHead{}));
  const std::string path = side_car_path(directory.path());
  const std::string text = read_text(path);
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    write_text(path, text.substr(0, length));
    EXPECT_EQ(read_side_car(directory.path()).error().code, std::errc::bad_message) << length;
  }
}

TEST(LiveHead, GivesTheNewestAuthenticHead) {
  const TempDirectory directory;
  const ChainKey key = test_key();
  EXPECT_FALSE(LiveHead::read(directory.path(), key));
  auto live = LiveHead::open_for_writing(directory.path()).value();
  EXPECT_FALSE(LiveHead::read(directory.path(), key));
  for (std::uint64_t sequence = 1; sequence < 6; ++sequence) {
    live.write(key, {.sequence = sequence});
    EXPECT_EQ(LiveHead::read(directory.path(), key).value().sequence, sequence);
  }
  EXPECT_FALSE(
      LiveHead::read(directory.path(), ChainKey::from_bytes(std::string(32, 'y')).value()));
  // A torn write leaves the one before.
  const std::string path = directory / "audit-head.live";
  std::string page = read_text(path);
  page[20] = static_cast<char>(page[20] ^ 1);
  write_text(path, page);
  EXPECT_EQ(LiveHead::read(directory.path(), key).value().sequence, 4u);
}

}  // namespace
}  // namespace agentsh::audit
