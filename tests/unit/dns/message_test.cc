#include "proxy/dns/message.h"

#include "proxy/dns/message_writer.h"
#include "tests/unit/dns/fakes.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

Message sample_reply() {
  Message message =
      reply_to(question("www.example.com"), {alias_record("www.example.com", "cdn.example.net"),
                                             address_record("cdn.example.net", "192.0.2.1"),
                                             address_record("cdn.example.net", "192.0.2.2")});
  message.authorities.push_back(soa_record("example.com"));
  message.additionals.push_back(address_record("ns.example.com", "2001:db8::1"));
  message.edns->options.push_back(extended_error(ErrorInfo::kBlocked, "why"));
  return message;
}

std::vector<Record> every_type() {
  const Name owner = name("every.example.com");
  const Name target = name("target.example.com");
  return {
      {owner, RrType::kA, 1, ip("192.0.2.1")},
      {owner, RrType::kAaaa, 2, ip("2001:db8::1")},
      {owner, RrType::kAaaa, 2, ip("::ffff:192.0.2.9")},
      {owner, RrType::kCname, 3, NameData{target}},
      {owner, RrType::kNs, 3, NameData{target}},
      {owner, RrType::kPtr, 3, NameData{target}},
      {owner, RrType::kDname, 3, NameData{target}},
      {owner, RrType::kMx, 4, MxData{10, target}},
      {owner, RrType::kSrv, 5, SrvData{1, 2, 443, target}},
      {owner, RrType::kSoa, 6, SoaData{target, owner, 1, 2, 3, 4, 5}},
      {owner, RrType::kTxt, 7, TextData{{"hello", std::string(255, 'x'), ""}}},
      {owner, RrType::kSpf, 7, TextData{{"v=spf1 -all"}}},
      {owner, RrType::kCaa, 8, CaaData{128, "issue", "ca.example"}},
      {owner, RrType::kNaptr, 9, NaptrData{1, 2, "s", "SIP+D2U", "", target}},
      {owner, RrType::kHttps, 10, SvcbData{1, Name(), {{SvcKey::kAlpn, "\2h2"}}}},
      {owner, RrType::kSvcb, 10, SvcbData{0, target, {}}},
      {owner, RrType::kTlsa, 11, OpaqueData{"\3\1\1abcdef"}},
      {owner, static_cast<RrType>(4711), 12, OpaqueData{std::string("\0\1\2", 3)}},
      {owner, RrType::kNull, 13, OpaqueData{""}},
  };
}

TEST(DnsMessage, EveryTypeGoesBothWays) {
  const Message message = reply_to(question("every.example.com", RrType::kAny), every_type());
  const auto bytes = write_message(message);
  const auto parsed = parse_message(bytes);
  ASSERT_TRUE(parsed) << parsed.error().what;
  EXPECT_EQ(*parsed, message);
  EXPECT_EQ(write_message(*parsed), bytes);
}

TEST(DnsMessage, CompressesNames) {
  const auto bytes = write_message(sample_reply());
  EXPECT_EQ(parse_message(bytes).value(), sample_reply());
  // The question's name in full once; the alias' target once.
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_EQ(text.find("example"), text.rfind("example", text.find("cdn") - 1));
  EXPECT_EQ(text.find("\3cdn"), text.rfind("\3cdn"));
}

TEST(DnsMessage, DoesNotCompressInNewTypes) {
  Message message =
      reply_to(question("a.example.com", RrType::kSrv),
               {{name("a.example.com"), RrType::kSrv, 1, SrvData{1, 1, 1, name("b.example.com")}}});
  const auto bytes = write_message(message);
  const std::string text(bytes.begin(), bytes.end());
  EXPECT_NE(text.find(std::string("\1b\7example\3com\0", 15)), std::string::npos);
}

TEST(DnsMessage, TruncatesAsAWhole) {
  Message message = reply_to(question("big.example.com", RrType::kTxt), {});
  for (int i = 0; i < 20; ++i)
    message.answers.push_back(text_record("big.example.com", std::string(200, 'x')));
  const auto bytes = write_message(message, 1232);
  EXPECT_LE(bytes.size(), 1232u);
  const auto parsed = parse_message(bytes);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->header.truncated);
  EXPECT_TRUE(parsed->answers.empty());
  EXPECT_EQ(parsed->question, message.question);
  EXPECT_TRUE(parsed->edns);
}

TEST(DnsMessage, ExtendedRcodeIsJoined) {
  Message message = reply_to(question("example.com"), {}, Rcode::kBadVers);
  const auto parsed = parse_message(write_message(message));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->header.rcode, Rcode::kBadVers);
}

// Every prefix of a message is malformed, and none is read past its end (ASan watches).
TEST(DnsMessage, EveryPrefixIsRefused) {
  Message message = reply_to(question("every.example.com", RrType::kAny), every_type());
  const auto bytes = write_message(message);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const std::vector<std::uint8_t> prefix(bytes.begin(),
                                           bytes.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(parse_message(prefix)) << size;
  }
}

TEST(DnsMessage, RefusesWhatItDoesNotUnderstand) {
  const auto bytes = write_message(sample_reply());
  auto changed = bytes;
  changed.push_back(0);
  EXPECT_FALSE(parse_message(changed)) << "bytes left over";
  changed = bytes;
  changed[5] = 2;
  EXPECT_FALSE(parse_message(changed)) << "two questions";

  Message two_opts = sample_reply();
  two_opts.additionals.push_back({Name(), RrType::kOpt, 0, OpaqueData{}});
  EXPECT_FALSE(parse_message(write_message(two_opts))) << "two OPT records";
  Message opt_as_answer =
      reply_to(question("example.com"), {{Name(), RrType::kOpt, 0, OpaqueData{}}});
  EXPECT_FALSE(parse_message(write_message(opt_as_answer))) << "OPT as an answer";

  const RecordData bad_data[] = {OpaqueData{"abc"}, OpaqueData{"abcde"}};
  for (const RecordData& data : bad_data) {
    std::vector<std::uint8_t> out;
    MessageWriter writer(out, 512);
    const Message base = reply_to(question("example.com"), {});
    writer.begin(base.header, &*base.question);
    writer.add(Section::kAnswer, {name("example.com"), static_cast<RrType>(1), 1, data}, 1);
    writer.finish();
    EXPECT_FALSE(parse_message(out)) << "address of a wrong length";
  }
}

TEST(DnsMessage, RefusesBadServiceParameters) {
  const auto with = [](std::vector<SvcParameter> parameters, std::uint16_t priority) {
    return parse_message(
        write_message(reply_to(question("example.com", RrType::kHttps),
                               {{name("example.com"), RrType::kHttps, 1,
                                 SvcbData{priority, Name(), std::move(parameters)}}})));
  };
  EXPECT_TRUE(with({{SvcKey::kAlpn, "\2h2"}, {SvcKey::kPort, "ab"}}, 1));
  EXPECT_FALSE(with({{SvcKey::kPort, "ab"}, {SvcKey::kAlpn, "\2h2"}}, 1)) << "out of order";
  EXPECT_FALSE(with({{SvcKey::kAlpn, "\2h2"}, {SvcKey::kAlpn, "\2h3"}}, 1)) << "twice";
  EXPECT_FALSE(with({{SvcKey::kAlpn, "\2h2"}}, 0)) << "alias form with parameters";
}

TEST(DnsMessage, QueriesHaveOneQuestionAndNothingElse) {
  Message query = question("example.com");
  EXPECT_TRUE(parse_query(write_message(query)));
  Message with_answer = query;
  with_answer.answers.push_back(address_record("example.com", "192.0.2.1"));
  EXPECT_FALSE(parse_query(write_message(with_answer)));
  Message none = query;
  none.question.reset();
  EXPECT_FALSE(parse_query(write_message(none)));
  Message response = query;
  response.header.response = true;
  EXPECT_FALSE(parse_query(write_message(response)));
}

TEST(DnsMessage, ExtendedErrorTextIsCutAtACharacter) {
  std::string text(kMaxExtendedErrorText - 1, 'a');
  text += "\xc3\xa9";
  EXPECT_EQ(extended_error(ErrorInfo::kBlocked, text).value.size(), kMaxExtendedErrorText + 1);
  EXPECT_EQ(extended_error(ErrorInfo::kBlocked, "x").value, std::string("\0\x0fx", 3));
}

// Property: whatever parses is written so that it parses to the same, and from then on the bytes
// do not change. Inputs: a message with random bytes changed.
TEST(DnsMessage, WritingIsStableUnderMutation) {
  std::mt19937 random(4711);
  const auto original =
      write_message(reply_to(question("every.example.com", RrType::kAny), every_type()));
  int parsed_count = 0;
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = original;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int i = 0; i < changes; ++i)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    const auto first = parse_message(bytes);
    if (!first) continue;
    ++parsed_count;
    const auto written = write_message(*first);
    const auto second = parse_message(written);
    ASSERT_TRUE(second) << second.error().what;
    ASSERT_EQ(*second, *first);
    ASSERT_EQ(write_message(*second), written);
  }
  EXPECT_GT(parsed_count, 1000);
}

TEST(DnsMessage, OpaqueTypesAreCopiedOnlyWhenSafe) {
  const Name owner = name("example.com");
  EXPECT_TRUE(may_copy({owner, RrType::kTlsa, 1, OpaqueData{"abc"}}));
  EXPECT_TRUE(may_copy({owner, RrType::kA, 1, ip("192.0.2.1")}));
  EXPECT_FALSE(may_copy({owner, RrType::kMinfo, 1, OpaqueData{"abc"}}));
  EXPECT_FALSE(may_copy({owner, static_cast<RrType>(17), 1, OpaqueData{"abc"}}));
  EXPECT_FALSE(may_copy({owner, static_cast<RrType>(4711), 1, OpaqueData{"abc"}}));
  const std::string fixed(18, 'x');
  EXPECT_TRUE(
      may_copy({owner, RrType::kRrsig, 1, OpaqueData{fixed + std::string("\3com\0sig", 8)}}));
  EXPECT_FALSE(may_copy({owner, RrType::kRrsig, 1, OpaqueData{fixed + "\xc0\x0csig"}}));
  EXPECT_FALSE(may_copy({owner, RrType::kNsec, 1, OpaqueData{"\3com\xc0\x0c"}}));
}

}  // namespace
}  // namespace agentsh::dns
