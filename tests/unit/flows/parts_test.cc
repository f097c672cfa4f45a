// The parts without I/O: sniffing, the decision for a connection, buffers.
#include "proxy/flows/buffer.h"
#include "proxy/flows/connection_judge.h"
#include "proxy/flows/sniffer.h"
#include "tests/unit/flows/fakes.h"

namespace agentsh::flows {
namespace {

struct SniffCase {
  std::string bytes;
  Match match;
  Protocol protocol = Protocol::kRaw;
};

TEST(Sniffer, TellsProtocolsApart) {
  const std::vector<SniffCase> cases = {
      {"\x16", Match::kYes, Protocol::kTls},
      {"\x16\x02", Match::kYes, Protocol::kTls},
      {"\x15", Match::kMore},
      {"\x15\x03", Match::kYes, Protocol::kTls},
      {"\x14\x04", Match::kYes, Protocol::kRaw},
      {client_hello("a.example"), Match::kYes, Protocol::kTls},
      {"G", Match::kMore},
      {"GET", Match::kMore},
      {"GET ", Match::kYes, Protocol::kHttp},
      {"CONNECT a:1 HTTP/1.1\r\n", Match::kYes, Protocol::kHttp},
      {"PROPFIND /x HTTP/1.1\r\n", Match::kYes, Protocol::kHttp},
      {"PROPFIND /x", Match::kMore},
      {"get / http/1.0\r\n", Match::kYes, Protocol::kHttp},
      {"\r\n GET / HTTP/1.1", Match::kYes, Protocol::kHttp},
      {"\r\n", Match::kMore},
      {"X / HTTP/9.9", Match::kYes, Protocol::kHttp},
      {"PRI * HTTP/2.0\r\n", Match::kYes, Protocol::kHttp},
      {"SSH-2.0-OpenSSH_9.2\r\n", Match::kYes, Protocol::kRaw},
      {"EHLO x\r\n", Match::kYes, Protocol::kRaw},
      {"*1\r\n$4\r\nPING\r\n", Match::kYes, Protocol::kRaw},
      {"{\"a\":1}", Match::kYes, Protocol::kRaw},
      {std::string("\0\0\0\x08", 4), Match::kMore},
      {std::string("\0\0\0\x08\x04\xd2\x16\x2f", 8), Match::kYes, Protocol::kPostgres},
      {std::string("\0\0\0\x50\0\x03\0\0", 8), Match::kYes, Protocol::kPostgres},
      {std::string("\0\0\0\x08\0\0\0\x01", 8), Match::kYes, Protocol::kRaw},
      {std::string("\0\0\0\x02", 4), Match::kYes, Protocol::kRaw},
      {std::string("0032git-upload-pack /x\0host=y", 29), Match::kYes, Protocol::kRaw},
      {"\x80\x2e\x01", Match::kMore},
      {"\x80\x2e\x01\x03\x01", Match::kYes, Protocol::kTls},
      {"\x80\x2e\x02", Match::kYes, Protocol::kRaw},
      {"\xff\xfd\x01", Match::kYes, Protocol::kRaw},
      {std::string(9000, 'a'), Match::kYes, Protocol::kHttp},
  };
  for (const SniffCase& one : cases) {
    SCOPED_TRACE(one.bytes.substr(0, 40));
    const Sniffed sniffed = sniff(as_bytes(one.bytes));
    EXPECT_EQ(sniffed.match, one.match);
    if (one.match == Match::kYes) EXPECT_EQ(sniffed.protocol, one.protocol);
  }
}

// What is decided at some length stays decided at every greater one.
TEST(Sniffer, DecisionsDoNotChange) {
  for (const std::string& text :
       {std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), std::string("SSH-2.0-x\r\nabcdef"),
        client_hello("a.example"), std::string("foo bar HTTP/1.1\r\n"), std::string("HELP\r\n")}) {
    std::optional<Protocol> decided;
    for (std::size_t size = 1; size <= text.size(); ++size) {
      const Sniffed sniffed = sniff(as_bytes(std::string_view(text).substr(0, size)));
      if (sniffed.match != Match::kYes) {
        EXPECT_FALSE(decided);
        continue;
      }
      if (decided) EXPECT_EQ(*decided, sniffed.protocol);
      decided = sniffed.protocol;
    }
    EXPECT_TRUE(decided);
  }
}

class Judge : public ::testing::Test {
 protected:
  ConnectionJudgement judge(std::string_view address, std::string_view claimed) {
    return judge_connection(policy, leases,
                            {.destination = {*IpAddress::parse(address), 443},
                             .claimed = claimed,
                             .claimed_by = "SNI"});
  }
  void approve(std::string name) {
    policy.rule([name](const policy::ConnectFacts& facts) -> std::optional<policy::Verdict> {
      if (facts.name != name) return {};
      return policy::Verdict::from_rule(policy::Decision::kApprove, "ask-" + name, {});
    });
  }
  FakePolicy policy;
  FakeLeases leases;
};

TEST_F(Judge, LeasedNameIsJudgedWithItsRule) {
  policy.allow("a.example");
  leases.add("a.example", "192.0.2.1");
  const ConnectionJudgement judgement = judge("192.0.2.1", "a.example");
  EXPECT_TRUE(judgement.verdict.permitted());
  EXPECT_TRUE(judgement.leased);
  EXPECT_EQ(judgement.name, "a.example");
}

TEST_F(Judge, AllowedNameWithoutALeaseIsAMismatch) {
  policy.allow("a.example");
  leases.add("a.example", "192.0.2.1");
  leases.add("b.example", "192.0.2.2");
  const ConnectionJudgement judgement = judge("192.0.2.2", "a.example");
  EXPECT_FALSE(judgement.verdict.permitted());
  EXPECT_EQ(judgement.verdict.rule(), kNameMismatchRule);
  EXPECT_EQ(judgement.verdict.message(),
            "SNI a.example was not resolved to 192.0.2.2 in this session");
}

TEST_F(Judge, RuleForTheAddressAllowsAnyNameButADeniedOne) {
  policy.deny("bad.example");
  approve("ask.example");
  policy.allow_address("192.0.2.0/24");
  EXPECT_TRUE(judge("192.0.2.1", "c.example").verdict.permitted());
  EXPECT_FALSE(judge("192.0.2.1", "c.example").leased);
  EXPECT_EQ(judge("192.0.2.1", "bad.example").verdict.rule(), "deny-bad.example");
  EXPECT_TRUE(judge("192.0.2.1", "ask.example").verdict.needs_approval());
}

TEST_F(Judge, WithoutANameAnyAllowedLeaseCounts) {
  policy.deny("bad.example");
  policy.allow("a.example");
  leases.add("bad.example", "192.0.2.1");
  leases.add("a.example", "192.0.2.1");
  const ConnectionJudgement judgement = judge("192.0.2.1", "");
  EXPECT_TRUE(judgement.verdict.permitted());
  EXPECT_EQ(judgement.name, "a.example");
}

TEST_F(Judge, PermissionIsPreferredToAsking) {
  approve("ask.example");
  leases.add("ask.example", "192.0.2.1");
  EXPECT_TRUE(judge("192.0.2.1", "").verdict.needs_approval());
  policy.allow_address("192.0.2.0/24");
  EXPECT_TRUE(judge("192.0.2.1", "").verdict.permitted());
}

TEST_F(Judge, WithoutANameTheTellingDenialIsReported) {
  policy.deny("bad.example");
  leases.add("bad.example", "192.0.2.1");
  EXPECT_EQ(judge("192.0.2.1", "").verdict.rule(), "deny-bad.example");
  EXPECT_EQ(judge("198.51.100.1", "").verdict.rule(), policy::kDefaultDenyNetwork);
}

TEST(FlowBuffer, HoldsABlockOnlyWhileItHoldsBytes) {
  Buffer buffer;
  EXPECT_FALSE(buffer.holds_block());
  buffer.append(as_bytes("hello"));
  EXPECT_EQ(as_text(buffer.data()), "hello");
  buffer.consume(2);
  buffer.release_if_empty();
  EXPECT_EQ(as_text(buffer.data()), "llo");
  EXPECT_TRUE(buffer.holds_block());
  buffer.consume(3);
  buffer.release_if_empty();
  EXPECT_FALSE(buffer.holds_block());
}

TEST(FlowBuffer, MovesBytesToMakeRoom) {
  Buffer buffer;
  const std::string large(60000, 'x');
  buffer.append(as_bytes(large));
  buffer.consume(59990);
  EXPECT_EQ(buffer.room().size(), Buffer::kBlockBytes - 10);
  EXPECT_EQ(as_text(buffer.data()), "xxxxxxxxxx");
  buffer.added(buffer.room().size());
  EXPECT_TRUE(buffer.room().empty());
}

}  // namespace
}  // namespace agentsh::flows
