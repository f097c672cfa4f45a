#include "proxy/dns/reply_memo.h"

#include "base/file_io.h"
#include "proxy/dns/response.h"
#include "tests/unit/dns/fakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;

class DnsReplyMemo : public ::testing::Test {
 protected:
  void SetUp() override {
    test_.policy->allowed = {"example.com"};
    test_.policy->current_version = std::make_shared<int>(1);
    SessionOptions options;
    options.leases.clock = [this] { return now_; };
    options.leases.max_entries = 4;
    test_.make(std::move(options));
  }

  void TearDown() override { ::unlink(hosts_.c_str()); }

  void cache(const std::string& host, std::vector<Record> records, std::uint32_t ttl = 60) {
    Answer answer;
    answer.rcode = Rcode::kNoError;
    answer.records = std::move(records);
    answer.ttl = ttl;
    answer.received = now_;
    answer.all_public = false;
    engine_.cache().insert({host, RrType::kA, false},
                           std::make_shared<const Answer>(std::move(answer)));
  }

  // The long way, remembering; what write_reply() gave.
  std::vector<std::uint8_t> look_up(const std::vector<std::uint8_t>& bytes) {
    ReceivedQuery received = read_query(bytes, QueryTransport::kUdp, {});
    auto lookup = std::make_unique<Lookup>(engine_, test_.session, *received.query, now_);
    EXPECT_EQ(lookup->start(), Step::kDone);
    std::vector<std::uint8_t> out;
    write_reply(received.frame, lookup->outcome(), out);
    if (ReplyMemo::may_remember(*lookup, bytes)) {
      memo_.remember(bytes, out, std::move(lookup), engine_, now_);
    }
    return out;
  }
  const Lookup* remembered(const std::vector<std::uint8_t>& bytes) {
    return memo_.answer(*test_.session, engine_, bytes, now_, out_);
  }

  std::string hosts_ = ::testing::TempDir() + "memo-hosts." + std::to_string(::getpid());
  TimePoint now_ = std::chrono::steady_clock::now();
  TestSession test_;
  Engine engine_{{.hosts_file = hosts_}, std::make_shared<Cache>()};
  ReplyMemo memo_;
  std::vector<std::uint8_t> out_;
};

TEST_F(DnsReplyMemo, GivesTheSameReplyUnderAnotherId) {
  cache("www.example.com", {alias_record("www.example.com", "a.example.com", 90),
                            address_record("a.example.com", "93.184.216.34", 60)});
  Message query = question("www.example.com");
  EXPECT_FALSE(remembered(write_message(query)));
  const Message first = parse_message(look_up(write_message(query))).value();
  query.header.id = 77;
  now_ += seconds(20);
  ASSERT_TRUE(remembered(write_message(query)));
  Message second = parse_message(out_).value();
  EXPECT_EQ(second.header.id, 77);
  ASSERT_EQ(second.answers.size(), 2u);
  EXPECT_EQ(second.answers[0].ttl, 70u);
  EXPECT_EQ(second.answers[1].ttl, 40u);
  second.header.id = first.header.id;
  second.answers[0].ttl = first.answers[0].ttl;
  second.answers[1].ttl = first.answers[1].ttl;
  EXPECT_EQ(second, first);
  now_ += seconds(40);
  EXPECT_FALSE(remembered(write_message(query))) << "the TTL has run out";
  EXPECT_EQ(memo_.size(), 0u);
}

TEST_F(DnsReplyMemo, AnythingElseInTheQuestionIsAnotherQuestion) {
  cache("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  Message query = question("www.example.com");
  look_up(write_message(query));
  EXPECT_TRUE(remembered(write_message(query)));
  Message other = query;
  other.edns->udp_bytes = 600;
  EXPECT_FALSE(remembered(write_message(other)));
  other = query;
  other.question->name = other.question->name.with_case_bits("\xff");
  EXPECT_FALSE(remembered(write_message(other)));
  other = query;
  other.header.checking_disabled = true;
  EXPECT_FALSE(remembered(write_message(other)));
}

TEST_F(DnsReplyMemo, RenewsTheLeases) {
  cache("www.example.com",
        {alias_record("www.example.com", "a.example.com", 1000),
         address_record("a.example.com", "93.184.216.34", 1000)},
        1000);
  const auto bytes = write_message(question("www.example.com"));
  look_up(bytes);
  now_ += seconds(900);
  ASSERT_TRUE(remembered(bytes));
  now_ += seconds(100 + 299);
  EXPECT_TRUE(test_.session->leases().is_leased("www.example.com", ip("93.184.216.34")));
  EXPECT_TRUE(test_.session->leases().is_leased("a.example.com", ip("93.184.216.34")));
}

TEST_F(DnsReplyMemo, AnEvictedLeaseGoesTheLongWay) {
  cache("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  const auto bytes = write_message(question("www.example.com"));
  look_up(bytes);
  for (int i = 0; i < 8; ++i) {
    test_.session->leases().grant("n" + std::to_string(i), ip("93.184.216.99"), seconds(3600));
  }
  ASSERT_FALSE(test_.session->leases().is_leased("www.example.com", ip("93.184.216.34")));
  EXPECT_FALSE(remembered(bytes));
  look_up(bytes);
  EXPECT_TRUE(test_.session->leases().is_leased("www.example.com", ip("93.184.216.34")));
}

TEST_F(DnsReplyMemo, AnotherPolicyIsAskedAnew) {
  cache("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  const auto bytes = write_message(question("www.example.com"));
  look_up(bytes);
  test_.policy->current_version = std::make_shared<int>(2);
  test_.policy->denied = {"example.com"};
  EXPECT_FALSE(remembered(bytes));
  EXPECT_EQ(parse_message(look_up(bytes))->header.rcode, Rcode::kRefused);
  EXPECT_FALSE(remembered(bytes)) << "denials are not remembered";
}

TEST_F(DnsReplyMemo, NothingIsRememberedWithoutAVersion) {
  test_.policy->current_version = nullptr;
  cache("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  const auto bytes = write_message(question("www.example.com"));
  look_up(bytes);
  EXPECT_FALSE(remembered(bytes));
  EXPECT_EQ(memo_.size(), 0u);
}

TEST_F(DnsReplyMemo, AChangedHostsFileIsSeen) {
  cache("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  const auto bytes = write_message(question("www.example.com"));
  look_up(bytes);
  ASSERT_TRUE(write_file_atomic(hosts_, "93.184.216.77 www.example.com\n"));
  now_ += seconds(2);
  EXPECT_FALSE(remembered(bytes));
  EXPECT_THAT(addresses_in(parse_message(look_up(bytes)).value()), ElementsAre("93.184.216.77"));
}

TEST_F(DnsReplyMemo, FilteredAndEmptyAnswersAreNotRemembered) {
  cache("www.example.com", {address_record("www.example.com", "93.184.216.34"),
                            address_record("www.example.com", "10.0.0.1")});
  cache("empty.example.com", {});
  for (const char* host : {"www.example.com", "empty.example.com"}) {
    look_up(write_message(question(host)));
    EXPECT_FALSE(remembered(write_message(question(host)))) << host;
  }
}

TEST_F(DnsReplyMemo, StaysWithinItsBound) {
  for (std::size_t i = 0; i < ReplyMemo::kMaxEntries + 10; ++i) {
    const std::string host = "n" + std::to_string(i) + ".example.com";
    cache(host, {address_record(host, "93.184.216.34")});
    look_up(write_message(question(host)));
    ASSERT_LE(memo_.size(), ReplyMemo::kMaxEntries);
  }
}

}  // namespace
}  // namespace agentsh::dns
