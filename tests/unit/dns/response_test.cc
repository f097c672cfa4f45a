#include "proxy/dns/response.h"

#include "proxy/dns/upstream_exchange.h"
#include "tests/unit/dns/fakes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

Outcome outcome_with(std::vector<Record> records) {
  Outcome outcome;
  outcome.verdict = policy::Verdict::allow("rule");
  outcome.rcode = Rcode::kNoError;
  for (Record& record : records) {
    outcome.made.push_back(std::make_unique<const Record>(std::move(record)));
    outcome.answers.push_back({outcome.made.back().get(), 17});
  }
  return outcome;
}

Message written(const ReplyFrame& frame, const Outcome& outcome) {
  std::vector<std::uint8_t> out;
  write_reply(frame, outcome, out);
  EXPECT_LE(out.size(), frame.limit);
  return parse_message(out).value();
}

TEST(DnsResponse, RepeatsTheQuestionAsItCame) {
  Message query = question("example.com");
  query.question->name = query.question->name.with_case_bits("\x55\x55");
  query.header.checking_disabled = true;
  const auto received = read_query(write_message(query), QueryTransport::kUdp, {});
  ASSERT_TRUE(received.query);
  EXPECT_EQ(received.query->host, "example.com");
  const Message reply =
      written(received.frame, outcome_with({address_record("example.com", "192.0.2.1")}));
  EXPECT_EQ(reply.header.id, query.header.id);
  EXPECT_TRUE(reply.header.response);
  EXPECT_TRUE(reply.header.recursion_available);
  EXPECT_TRUE(reply.header.recursion_desired);
  EXPECT_TRUE(reply.header.checking_disabled);
  EXPECT_TRUE(reply.question->name.same_case(query.question->name));
  EXPECT_EQ(reply.answers.at(0).ttl, 17u);
}

TEST(DnsResponse, SizeFollowsTheClient) {
  const auto limit = [](std::optional<std::uint16_t> udp_bytes, QueryTransport transport) {
    Message query = question("example.com", RrType::kA, udp_bytes.has_value());
    if (udp_bytes) query.edns->udp_bytes = *udp_bytes;
    return read_query(write_message(query), transport, {}).frame.limit;
  };
  EXPECT_EQ(limit({}, QueryTransport::kUdp), 512u);
  EXPECT_EQ(limit(100, QueryTransport::kUdp), 512u);
  EXPECT_EQ(limit(1000, QueryTransport::kUdp), 1000u);
  EXPECT_EQ(limit(65535, QueryTransport::kUdp), 1232u);
  EXPECT_EQ(limit({}, QueryTransport::kTcp), 65535u);
}

TEST(DnsResponse, BigAnswersAreTruncatedOverUdp) {
  std::vector<Record> records;
  for (int i = 0; i < 60; ++i) {
    records.push_back(address_record("example.com", "192.0.2." + std::to_string(i)));
  }
  const auto wire = write_message(question("example.com", RrType::kA, false));
  const Outcome outcome = outcome_with(std::move(records));
  const Message udp = written(read_query(wire, QueryTransport::kUdp, {}).frame, outcome);
  EXPECT_TRUE(udp.header.truncated);
  EXPECT_TRUE(udp.answers.empty());
  const Message tcp = written(read_query(wire, QueryTransport::kTcp, {}).frame, outcome);
  EXPECT_FALSE(tcp.header.truncated);
  EXPECT_EQ(tcp.answers.size(), 60u);
}

TEST(DnsResponse, ReasonsOnlyWhereTheClientHasEdns) {
  Outcome outcome;
  outcome.rcode = Rcode::kRefused;
  outcome.error = extended_error(ErrorInfo::kBlocked, "because");
  const auto with = read_query(write_message(question("example.com")), QueryTransport::kUdp, {});
  EXPECT_EQ(extended_error_text(written(with.frame, outcome)), "because");
  const auto without = read_query(write_message(question("example.com", RrType::kA, false)),
                                  QueryTransport::kUdp, {});
  EXPECT_FALSE(written(without.frame, outcome).edns);
}

TEST(DnsResponse, AuthenticDataOnlyForWhoAsks) {
  Outcome outcome = outcome_with({});
  outcome.authenticated = true;
  Message query = question("example.com");
  const auto plain = read_query(write_message(query), QueryTransport::kUdp, {});
  EXPECT_FALSE(written(plain.frame, outcome).header.authentic_data);
  query.edns->dnssec_ok = true;
  const auto asking = read_query(write_message(query), QueryTransport::kUdp, {});
  EXPECT_TRUE(asking.query->dnssec_ok);
  EXPECT_TRUE(written(asking.frame, outcome).header.authentic_data);
}

TEST(DnsResponse, OptionsAreStrippedOrKeptByRule) {
  Message query = question("example.com");
  query.edns->options = {{10, "cookie12"}, {8, "subnet"}, {12, std::string(100, '\0')}};
  const auto wire = write_message(query);
  EXPECT_TRUE(read_query(wire, QueryTransport::kUdp, {}).query->forwarded.empty());
  const std::uint16_t kept[] = {8};
  const auto received = read_query(wire, QueryTransport::kUdp, kept);
  ASSERT_EQ(received.query->forwarded.size(), 1u);
  EXPECT_EQ(received.query->forwarded[0].value, "subnet");
}

TEST(DnsResponse, WhatIsNoQuestionIsAnsweredOrIgnored) {
  const auto early = [](const Message& message) {
    return read_query(write_message(message), QueryTransport::kUdp, {}).early;
  };
  EXPECT_FALSE(read_query({}, QueryTransport::kUdp, {}).early);
  Message message = question("example.com");
  message.header.response = true;
  EXPECT_FALSE(early(message));
  message = question("example.com");
  message.header.opcode = 5;
  EXPECT_EQ(early(message)->rcode, Rcode::kNotImp);
  message = question("example.com");
  message.question->rr_class = 3;
  EXPECT_EQ(early(message)->rcode, Rcode::kRefused);
  message = question("example.com");
  message.edns->version = 1;
  EXPECT_EQ(early(message)->rcode, Rcode::kBadVers);
  message = question("example.com");
  message.question.reset();
  const auto received = read_query(write_message(message), QueryTransport::kUdp, {});
  EXPECT_EQ(received.early->rcode, Rcode::kFormErr);
  std::vector<std::uint8_t> out;
  write_early_reply(received.frame, Rcode::kFormErr, out);
  const auto reply = parse_message(out);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->header.id, message.header.id);
  EXPECT_EQ(reply->header.rcode, Rcode::kFormErr);
}

// A reply to `exchange`'s query, changed by `change`, judged.
template <class Change>
ReplyKind judged(UpstreamExchange& exchange, Change change) {
  Message reply = reply_to(parse_message(exchange.query()).value(),
                           {address_record("example.com", "192.0.2.1")});
  change(reply);
  return exchange.judge(write_message(reply));
}

TEST(DnsExchange, OnlyTheReplyToThisQuestionCounts) {
  UpstreamExchange exchange({"example.com", RrType::kA, false, {}}, true);
  EXPECT_EQ(judged(exchange, [](Message& m) { ++m.header.id; }), ReplyKind::kStray);
  EXPECT_EQ(judged(exchange, [](Message& m) { m.header.response = false; }), ReplyKind::kStray);
  EXPECT_EQ(judged(exchange, [](Message& m) { m.question->name = name("evil.example"); }),
            ReplyKind::kStray);
  EXPECT_EQ(judged(exchange, [](Message& m) { m.question->type = RrType::kAaaa; }),
            ReplyKind::kStray);
  EXPECT_EQ(judged(exchange, [](Message& m) { m.header.truncated = true; }), ReplyKind::kDoubtful);
  EXPECT_EQ(judged(exchange, [](Message& m) { m.header.rcode = Rcode::kServFail; }),
            ReplyKind::kFailed);
  EXPECT_EQ(judged(exchange, [](Message& m) { m.header.rcode = Rcode::kFormErr; }),
            ReplyKind::kWithoutEdns);
  EXPECT_EQ(judged(exchange,
                   [](Message& m) {
                     m.question.reset();
                     m.answers.clear();
                     m.edns.reset();
                     m.header.rcode = Rcode::kFormErr;
                   }),
            ReplyKind::kWithoutEdns);
  EXPECT_EQ(judged(exchange, [](Message&) {}), ReplyKind::kAnswer);
  EXPECT_EQ(exchange.reply().answers.size(), 1u);
}

TEST(DnsExchange, TheCaseOfTheLettersIsPartOfTheQuestion) {
  UpstreamExchange exchange({"a-long-name-with-many-letters.example.com", RrType::kA, false, {}},
                            true);
  EXPECT_EQ(judged(exchange,
                   [](Message& m) {
                     m.question->name = name("a-long-name-with-many-letters.example.com");
                   }),
            ReplyKind::kDoubtful);
}

TEST(DnsExchange, ManyStraysAreAnAttack) {
  UpstreamExchange exchange({"example.com", RrType::kA, false, {}}, true);
  for (int i = 0; i < 15; ++i) {
    EXPECT_EQ(judged(exchange, [](Message& m) { ++m.header.id; }), ReplyKind::kStray);
  }
  EXPECT_EQ(judged(exchange, [](Message& m) { ++m.header.id; }), ReplyKind::kDoubtful);
}

TEST(DnsExchange, GarbageIsDoubtfulOnceItHasTheId) {
  UpstreamExchange exchange({"example.com", RrType::kA, false, {}}, true);
  std::vector<std::uint8_t> bytes(exchange.query().begin(), exchange.query().end());
  bytes[2] |= 0x80;
  bytes.push_back(0);
  EXPECT_EQ(exchange.judge(bytes), ReplyKind::kDoubtful);
  EXPECT_EQ(exchange.judge({}), ReplyKind::kStray);
}

TEST(DnsExchange, IdsAndCasesAreDrawnAnew) {
  std::set<std::uint16_t> ids;
  std::set<std::string> cases;
  for (int i = 0; i < 100; ++i) {
    UpstreamExchange exchange({"www.example.com", RrType::kA, false, {}}, true);
    const Message query = parse_query(exchange.query()).value();
    ids.insert(query.header.id);
    cases.insert(std::string(query.question->name.wire()));
    EXPECT_EQ(query.edns->udp_bytes, kMaxUdpBytes);
  }
  EXPECT_GT(ids.size(), 90u);
  EXPECT_GT(cases.size(), 90u);
}

}  // namespace
}  // namespace agentsh::dns
