// Cache, hosts tables, resolv.conf, watched files, special names, the approval book.
#include "base/file_io.h"
#include "proxy/dns/approval_book.h"
#include "proxy/dns/cache.h"
#include "proxy/dns/hosts_table.h"
#include "proxy/dns/resolver_config.h"
#include "proxy/dns/special_names.h"
#include "proxy/dns/watched_file.h"
#include "tests/unit/dns/fakes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

using std::chrono::seconds;

const TimePoint kStart = TimePoint(std::chrono::hours(1000));

AnswerPtr answer_with(std::uint32_t ttl, std::string padding = {}) {
  Answer answer;
  answer.rcode = Rcode::kNoError;
  answer.ttl = ttl;
  answer.received = kStart;
  answer.records.push_back(text_record("example.com", std::move(padding), ttl));
  return std::make_shared<const Answer>(std::move(answer));
}

TEST(DnsCache, GivesUntilTheTtlEnds) {
  Cache cache;
  cache.insert({"example.com", RrType::kA, false}, answer_with(10));
  EXPECT_TRUE(cache.find({"example.com", RrType::kA, false}, kStart));
  EXPECT_TRUE(cache.find({"example.com", RrType::kA, false}, kStart + seconds(9)));
  EXPECT_FALSE(cache.find({"example.com", RrType::kA, true}, kStart));
  EXPECT_FALSE(cache.find({"example.com", RrType::kAaaa, false}, kStart));
  EXPECT_FALSE(cache.find({"example.co", RrType::kA, false}, kStart));
  EXPECT_FALSE(cache.find({"example.com", RrType::kA, false}, kStart + seconds(10)));
  EXPECT_EQ(cache.entries(), 0u) << "the expired one is gone";
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(DnsCache, KeepsNothingWithoutTtl) {
  Cache cache;
  cache.insert({"example.com", RrType::kA, false}, answer_with(0));
  EXPECT_EQ(cache.entries(), 0u);
}

TEST(DnsCache, StaysWithinItsBytesAndForgetsTheOldest) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  Cache cache(kMaxBytes);
  for (int i = 0; i < 10'000; ++i) {
    cache.insert({"host" + std::to_string(i) + ".example.com", RrType::kA, false},
                 answer_with(60, std::string(200, 'x')));
    // Used over and over, so it stays.
    cache.insert({"host0.example.com", RrType::kA, false}, answer_with(60));
    ASSERT_TRUE(cache.find({"host0.example.com", RrType::kA, false}, kStart));
    ASSERT_LE(cache.bytes(), kMaxBytes);
  }
  EXPECT_GT(cache.entries(), 500u);
  EXPECT_TRUE(cache.find({"host9999.example.com", RrType::kA, false}, kStart));
  EXPECT_FALSE(cache.find({"host1.example.com", RrType::kA, false}, kStart));
  cache.insert({"huge.example.com", RrType::kA, false},
               answer_with(60, std::string(kMaxBytes, 'x')));
  EXPECT_FALSE(cache.find({"huge.example.com", RrType::kA, false}, kStart));
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(DnsAnswerAge, TtlsCountDown) {
  const auto answer = answer_with(60);
  EXPECT_EQ(answer->remaining(60, kStart), 60u);
  EXPECT_EQ(answer->remaining(60, kStart + seconds(25)), 35u);
  EXPECT_EQ(answer->remaining(60, kStart + seconds(100)), 0u);
  EXPECT_EQ(answer->remaining(60, kStart - seconds(5)), 60u);
}

TEST(DnsHosts, ReadsEntries) {
  const HostsTable hosts = HostsTable::parse(
      "127.0.0.1 localhost\n"
      "# comment\n"
      "10.1.2.3\tDB.internal db  # and a comment\r\n"
      "fd00::1 db.internal\n"
      "10.1.2.3 db.internal\n"
      "not-an-address host\n"
      "10.9.9.9 bad name$ ok.internal\n"
      "10.9.9.8");
  EXPECT_EQ(hosts.addresses_of("db.internal"),
            (std::vector<IpAddress>{ip("10.1.2.3"), ip("fd00::1")}));
  EXPECT_EQ(hosts.addresses_of("db"), (std::vector<IpAddress>{ip("10.1.2.3")}));
  EXPECT_EQ(hosts.addresses_of("ok.internal"), (std::vector<IpAddress>{ip("10.9.9.9")}));
  EXPECT_TRUE(hosts.addresses_of("host").empty());
  EXPECT_TRUE(hosts.has("bad"));
  EXPECT_FALSE(hosts.has("name$"));
  ASSERT_NE(hosts.name_of(ip("10.1.2.3")), nullptr);
  EXPECT_EQ(*hosts.name_of(ip("10.1.2.3")), "db.internal");
  EXPECT_EQ(hosts.name_of(ip("10.9.9.8")), nullptr);
}

TEST(DnsResolverConfig, ReadsServersAndSuffixes) {
  const auto config = ResolverConfig::parse(
      "domain old.example\n"
      "nameserver 192.0.2.53 # first\n"
      ";nameserver 192.0.2.54\n"
      "nameserver 2001:db8::53\n"
      "nameserver fe80::1%eth0\n"
      "search Corp.Example. svc.cluster.local\n"
      "options ndots:5\n");
  EXPECT_EQ(config.servers, (std::vector<Endpoint>{*Endpoint::parse("192.0.2.53:53"),
                                                   *Endpoint::parse("[2001:db8::53]:53")}));
  EXPECT_EQ(config.suffixes, (std::vector<std::string>{"corp.example", "svc.cluster.local"}));
}

TEST(DnsWatchedFile, ReadsAgainWhenTheFileChanges) {
  const std::string path = ::testing::TempDir() + "resolv.conf." + std::to_string(::getpid());
  ASSERT_TRUE(write_file_atomic(path, "nameserver 192.0.2.1\n"));
  WatchedFile<ResolverConfig> file(path);
  EXPECT_EQ(file.get(kStart)->servers.front().address, ip("192.0.2.1"));
  ASSERT_TRUE(write_file_atomic(path, "nameserver 192.0.2.2\n"));
  EXPECT_EQ(file.get(kStart + std::chrono::milliseconds(500))->servers.front().address,
            ip("192.0.2.1"))
      << "not looked at again yet";
  EXPECT_EQ(file.get(kStart + seconds(2))->servers.front().address, ip("192.0.2.2"));
  std::remove(path.c_str());
  EXPECT_TRUE(file.get(kStart + seconds(4))->servers.empty());
  EXPECT_TRUE(WatchedFile<ResolverConfig>("").get(kStart)->servers.empty());
}

TEST(DnsSpecialNames, AreRecognised) {
  EXPECT_EQ(special_name("localhost"), SpecialName::kLocalhost);
  EXPECT_EQ(special_name("a.localhost"), SpecialName::kLocalhost);
  EXPECT_EQ(special_name("notlocalhost"), SpecialName::kNone);
  EXPECT_EQ(special_name("printer.local"), SpecialName::kMulticast);
  EXPECT_EQ(special_name("xyz.onion"), SpecialName::kOnion);
  EXPECT_EQ(special_name("_dns.resolver.arpa"), SpecialName::kNoSuchName);
  EXPECT_EQ(special_name("ipv4only.arpa"), SpecialName::kIpv4Only);
  EXPECT_EQ(special_name("example.com"), SpecialName::kNone);
}

TEST(DnsSpecialNames, ReverseNames) {
  EXPECT_EQ(reverse_address("4.3.2.1.in-addr.arpa"), ip("1.2.3.4"));
  EXPECT_EQ(
      reverse_address("1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
      ip("2001:db8::1"));
  for (std::string_view bad :
       {"3.2.1.in-addr.arpa", "5.4.3.2.1.in-addr.arpa", "256.3.2.1.in-addr.arpa",
        "-1.3.2.1.in-addr.arpa", "1.0.ip6.arpa", "in-addr.arpa", "example.com"}) {
    EXPECT_FALSE(reverse_address(bad)) << bad;
  }
}

TEST(DnsApprovals, OneQuestionForAllWhoWait) {
  ApprovalBook book;
  int told = 0;
  const auto waiter = [&](const policy::Verdict& verdict) {
    told += verdict.permitted() ? 1 : 100;
  };
  EXPECT_EQ(book.wait("a.example", waiter, kStart), ApprovalBook::Place::kFirst);
  EXPECT_EQ(book.wait("a.example", waiter, kStart), ApprovalBook::Place::kJoined);
  EXPECT_EQ(book.wait("b.example", waiter, kStart), ApprovalBook::Place::kFirst);
  EXPECT_FALSE(book.settled("a.example", kStart));
  book.settle("a.example", policy::Verdict::allow("rule"), kStart);
  EXPECT_EQ(told, 2);
  EXPECT_EQ(book.wait("a.example", waiter, kStart), ApprovalBook::Place::kSettled);
  EXPECT_EQ(told, 3) << "who looked before the answer and waits after it";
  EXPECT_TRUE(book.settled("a.example", kStart + std::chrono::minutes(4)));
  EXPECT_FALSE(book.settled("a.example", kStart + std::chrono::minutes(5)));
  book.settle("b.example", policy::Verdict::deny("rule", "no"), kStart);
  EXPECT_EQ(told, 103);
  EXPECT_TRUE(book.settled("b.example", kStart + seconds(29)));
  EXPECT_FALSE(book.settled("b.example", kStart + seconds(30)));
}

TEST(DnsApprovals, TooManyAreTurnedAway) {
  ApprovalBook book;
  for (int i = 0; i < 64; ++i) {
    EXPECT_EQ(book.wait(
                  "n" + std::to_string(i), [](const auto&) {}, kStart),
              ApprovalBook::Place::kFirst);
  }
  EXPECT_EQ(book.wait("one-more", [](const auto&) {}, kStart), ApprovalBook::Place::kFull);
  for (int i = 0; i < 63; ++i) {
    EXPECT_EQ(book.wait("n0", [](const auto&) {}, kStart), ApprovalBook::Place::kJoined);
  }
  EXPECT_EQ(book.wait("n0", [](const auto&) {}, kStart), ApprovalBook::Place::kFull);
}

}  // namespace
}  // namespace agentsh::dns
