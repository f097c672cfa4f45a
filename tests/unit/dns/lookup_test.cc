#include "proxy/dns/lookup.h"

#include "proxy/dns/response.h"
#include "tests/unit/dns/fakes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

using policy::Decision;
using policy::Verdict;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// An engine, a session, and an upstream as a table: name and type to the records of its reply.
class DnsLookup : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.hosts_file = "";
    test_.policy->allowed = {"example.com", "cdn.example.net"};
  }

  Engine& engine() {
    if (!engine_) engine_ = std::make_unique<Engine>(options_, std::make_shared<Cache>());
    return *engine_;
  }
  Session& session() { return test_.session ? *test_.session : test_.make(session_options_); }

  void upstream(std::string_view host, std::vector<Record> records, Rcode rcode = Rcode::kNoError,
                RrType type = RrType::kA, std::vector<Record> authorities = {}) {
    Message message = reply_to(question(host, type), std::move(records), rcode);
    message.authorities = std::move(authorities);
    upstream_[{std::string(host), type}] = message;
  }

  Query query(std::string_view host, RrType type = RrType::kA) {
    Query query;
    query.name = name(host);
    query.host = std::string(host);
    query.type = type;
    query.started = now_;
    return query;
  }

  // Runs a lookup to its end; approvals are answered by `approval_`.
  const Outcome& run(std::string_view host, RrType type = RrType::kA) {
    return run(query(host, type));
  }
  const Outcome& run(Query asked) {
    session();
    lookup_ = std::make_unique<Lookup>(engine(), test_.session, std::move(asked), now_);
    Step step = lookup_->start();
    while (step != Step::kDone) {
      if (step == Step::kAskApproval) {
        step = lookup_->approval_settled(approval_, now_);
        continue;
      }
      step = lookup_->upstream_answered(ask(lookup_->next_question()), now_);
    }
    return lookup_->outcome();
  }

  AnswerPtr ask(const UpstreamQuestion& asked) {
    asked_.push_back(to_string(asked.type) + " " + asked.host);
    const auto found = upstream_.find({asked.host, asked.type});
    Answer answer =
        found == upstream_.end()
            ? failed_answer(ErrorInfo::kNoReachableAuthority, "nobody answered")
            : distil(found->second, name(asked.host), asked.type, asked.dnssec, {}).value();
    answer.received = now_;
    answer.server = "192.0.2.53:53";
    auto shared = std::make_shared<const Answer>(std::move(answer));
    engine().cache().insert({asked.host, asked.type, asked.dnssec}, shared);
    return shared;
  }

  std::vector<std::string> given() const {
    std::vector<std::string> texts;
    for (const GivenRecord& record : lookup_->outcome().answers) {
      if (record.record->address() != nullptr)
        texts.push_back(record.record->address()->to_string());
    }
    return texts;
  }

  bool leased(std::string_view host, std::string_view address) {
    return session().leases().is_leased(host, ip(address));
  }

  TestSession test_;
  SessionOptions session_options_;
  EngineOptions options_;
  std::unique_ptr<Engine> engine_;
  std::map<std::pair<std::string, RrType>, Message> upstream_;
  std::vector<std::string> asked_;
  std::unique_ptr<Lookup> lookup_;
  Verdict approval_ = Verdict::deny("approve-rule", "timed out");
  TimePoint now_ = std::chrono::steady_clock::now();
};

TEST_F(DnsLookup, AllowedNameIsResolvedAndLeased) {
  upstream("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  const Outcome& outcome = run("www.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kNoError);
  EXPECT_EQ(outcome.source, AnswerSource::kUpstream);
  EXPECT_TRUE(outcome.verdict.permitted());
  EXPECT_THAT(given(), ElementsAre("93.184.216.34"));
  EXPECT_TRUE(leased("www.example.com", "93.184.216.34"));
  EXPECT_FALSE(leased("example.com", "93.184.216.34"));
}

TEST_F(DnsLookup, DefaultDenialIsRefusedBeforeAnythingLeaves) {
  const Outcome& outcome = run("secret-data.evil.example");
  EXPECT_EQ(outcome.rcode, Rcode::kRefused);
  EXPECT_EQ(outcome.verdict.rule(), policy::kDefaultDenyNetwork);
  EXPECT_THAT(asked_, IsEmpty());
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->value.substr(0, 2), std::string("\0\x12", 2)) << "18, prohibited";
  EXPECT_THAT(outcome.reason, HasSubstr("default-deny-network"));
  EXPECT_THAT(outcome.reason, HasSubstr("ask for a rule"));
}

TEST_F(DnsLookup, DenialByRuleNamesRuleAndMessage) {
  test_.policy->denied = {"ads.example.com"};
  const Outcome& outcome = run("x.ads.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kRefused);
  EXPECT_EQ(outcome.error->value.substr(0, 2), std::string("\0\x0f", 2)) << "15, blocked";
  EXPECT_THAT(outcome.reason, HasSubstr("\"deny-rule\" denies x.ads.example.com: not for agents"));
}

TEST_F(DnsLookup, TheRefusalCanBeNxdomain) {
  options_.deny_rcode = Rcode::kNxDomain;
  EXPECT_EQ(run("evil.example").rcode, Rcode::kNxDomain);
}

TEST_F(DnsLookup, SecondQuestionComesFromTheCacheAndStillMakesItsLease) {
  upstream("www.example.com", {address_record("www.example.com", "93.184.216.34", 300)});
  run("www.example.com");
  now_ += std::chrono::seconds(100);
  TestSession other;
  other.policy->allowed = {"example.com"};
  test_ = other;
  const Outcome& outcome = run("www.example.com");
  EXPECT_EQ(outcome.source, AnswerSource::kCache);
  EXPECT_EQ(outcome.answers[0].ttl, 200u);
  EXPECT_TRUE(leased("www.example.com", "93.184.216.34"));
  EXPECT_EQ(asked_.size(), 1u);
}

TEST_F(DnsLookup, TheCacheLetsNobodyPastPolicy) {
  upstream("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  run("www.example.com");
  test_ = TestSession();
  EXPECT_EQ(run("www.example.com").rcode, Rcode::kRefused);
  EXPECT_FALSE(leased("www.example.com", "93.184.216.34"));
}

TEST_F(DnsLookup, ChainNamesAreLeasedOnlyWherePolicyResolvesThem) {
  upstream("www.example.com", {alias_record("www.example.com", "cdn.example.net"),
                               alias_record("cdn.example.net", "edge.elsewhere.org"),
                               address_record("edge.elsewhere.org", "93.184.216.34")});
  run("www.example.com");
  EXPECT_THAT(given(), ElementsAre("93.184.216.34"));
  EXPECT_TRUE(leased("www.example.com", "93.184.216.34"));
  EXPECT_TRUE(leased("cdn.example.net", "93.184.216.34"));
  EXPECT_FALSE(leased("edge.elsewhere.org", "93.184.216.34"));
}

TEST_F(DnsLookup, AnAliasToADeniedNameIsDenied) {
  test_.policy->denied = {"evil.example"};
  upstream("www.example.com", {alias_record("www.example.com", "x.evil.example"),
                               address_record("x.evil.example", "93.184.216.34")});
  const Outcome& outcome = run("www.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kRefused);
  EXPECT_THAT(
      outcome.reason,
      HasSubstr("www.example.com is an alias of x.evil.example; rule \"deny-rule\" denies"));
  EXPECT_THAT(given(), IsEmpty());
  EXPECT_FALSE(leased("www.example.com", "93.184.216.34"));
}

TEST_F(DnsLookup, AnOpenAliasIsAskedOn) {
  upstream("www.example.com", {alias_record("www.example.com", "cdn.example.net")});
  upstream("cdn.example.net", {address_record("cdn.example.net", "93.184.216.34")});
  run("www.example.com");
  EXPECT_THAT(given(), ElementsAre("93.184.216.34"));
  EXPECT_THAT(asked_, ElementsAre("A www.example.com", "A cdn.example.net"));
  EXPECT_TRUE(leased("www.example.com", "93.184.216.34"));
}

TEST_F(DnsLookup, AliasesWithoutEndFail) {
  for (int i = 0; i < 20; ++i) {
    const std::string host = "n" + std::to_string(i) + ".example.com";
    upstream(host, {alias_record(host, "n" + std::to_string(i + 1) + ".example.com")});
  }
  EXPECT_EQ(run("n0.example.com").rcode, Rcode::kServFail);
  EXPECT_EQ(asked_.size(), 8u);
}

TEST_F(DnsLookup, RebindingToSpecialAddressesIsRemoved) {
  for (const char* address : {"127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "192.168.1.1",
                              "100.64.0.1", "224.0.0.1", "255.255.255.255"}) {
    upstream("www.example.com", {address_record("www.example.com", address, 0)});
    const Outcome& outcome = run("www.example.com");
    EXPECT_EQ(outcome.rcode, Rcode::kRefused) << address;
    EXPECT_EQ(outcome.verdict.rule(), "dns-rebinding-guard");
    ASSERT_EQ(outcome.removed.size(), 1u);
    EXPECT_THAT(outcome.reason, HasSubstr(address));
    EXPECT_FALSE(leased("www.example.com", address));
  }
}

TEST_F(DnsLookup, RebindingInIpv6Forms) {
  for (const char* address : {"::1", "fd00::1", "fe80::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
                              "2002:a00:1::", "fd00:ec2::254"}) {
    upstream("www.example.com", {{name("www.example.com"), RrType::kAaaa, 0, ip(address)}},
             Rcode::kNoError, RrType::kAaaa);
    EXPECT_EQ(run("www.example.com", RrType::kAaaa).rcode, Rcode::kRefused) << address;
    EXPECT_THAT(given(), IsEmpty());
  }
}

TEST_F(DnsLookup, PublicAddressesBesideSpecialOnesStay) {
  upstream("www.example.com", {address_record("www.example.com", "10.0.0.1"),
                               address_record("www.example.com", "93.184.216.34")});
  const Outcome& outcome = run("www.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kNoError);
  EXPECT_THAT(given(), ElementsAre("93.184.216.34"));
  EXPECT_EQ(outcome.error->value.substr(0, 2), std::string("\0\x11", 2)) << "17, filtered";
  EXPECT_FALSE(leased("www.example.com", "10.0.0.1"));
}

TEST_F(DnsLookup, ARuleWithCidrsAllowsASpecialAddress) {
  test_.policy->special_addresses = {{"db.example.com", ip("10.0.0.1")}};
  upstream("db.example.com", {address_record("db.example.com", "10.0.0.1")});
  run("db.example.com");
  EXPECT_THAT(given(), ElementsAre("10.0.0.1"));
  EXPECT_TRUE(leased("db.example.com", "10.0.0.1"));
}

TEST_F(DnsLookup, RedirectAnswersItsFamilyOnly) {
  test_.policy->redirects["api.example.com"] = {"to-local", ip("10.9.9.9")};
  const Outcome& a = run("api.example.com");
  EXPECT_EQ(a.verdict.decision(), Decision::kRedirect);
  EXPECT_EQ(a.verdict.redirect()->target, "10.9.9.9");
  EXPECT_EQ(a.source, AnswerSource::kRedirect);
  EXPECT_THAT(given(), ElementsAre("10.9.9.9"));
  EXPECT_FALSE(a.error) << "the client is not told";
  EXPECT_TRUE(leased("api.example.com", "10.9.9.9"));
  EXPECT_EQ(session().leases().origin_of("api.example.com", ip("10.9.9.9")),
            LeaseOrigin::kRedirect);
  for (const RrType type : {RrType::kAaaa, RrType::kHttps, RrType::kTxt}) {
    EXPECT_EQ(run("api.example.com", type).rcode, Rcode::kNoError);
    EXPECT_TRUE(lookup_->outcome().answers.empty());
  }
  EXPECT_THAT(asked_, IsEmpty());

  test_.policy->redirects["api.example.com"] = {"to-local", ip("2001:db8::9"), "warn"};
  EXPECT_TRUE(run("api.example.com", RrType::kAaaa).error);
  EXPECT_THAT(given(), ElementsAre("2001:db8::9"));
}

TEST_F(DnsLookup, RedirectHoldsForAliasesToo) {
  test_.policy->redirects["cdn.example.net"] = {"to-local", ip("10.9.9.9")};
  upstream("www.example.com", {alias_record("www.example.com", "cdn.example.net"),
                               address_record("cdn.example.net", "93.184.216.34")});
  run("www.example.com");
  EXPECT_THAT(given(), ElementsAre("10.9.9.9"));
  EXPECT_FALSE(leased("www.example.com", "93.184.216.34"));
}

TEST_F(DnsLookup, LocalhostIsTheSessionsOwn) {
  run("localhost");
  EXPECT_THAT(given(), ElementsAre("127.0.0.1"));
  run("app.localhost", RrType::kAaaa);
  EXPECT_THAT(given(), ElementsAre("::1"));
  EXPECT_FALSE(leased("localhost", "127.0.0.1"));
}

TEST_F(DnsLookup, SpecialNamesNeverLeave) {
  test_.policy->allow_all = true;
  EXPECT_EQ(run("abc.onion").rcode, Rcode::kRefused);
  EXPECT_EQ(run("printer.local").rcode, Rcode::kRefused);
  EXPECT_THAT(lookup_->outcome().reason, HasSubstr("multicast DNS"));
  EXPECT_EQ(run("x.invalid").rcode, Rcode::kNxDomain);
  EXPECT_EQ(run("_dns.resolver.arpa", RrType::kSvcb).rcode, Rcode::kNxDomain);
  EXPECT_EQ(run("use-application-dns.net").rcode, Rcode::kNxDomain);
  EXPECT_EQ(run("ipv4only.arpa").rcode, Rcode::kNoError);
  EXPECT_THAT(given(), ElementsAre("192.0.0.170", "192.0.0.171"));
  EXPECT_EQ(run("4.3.2.10.in-addr.arpa", RrType::kPtr).rcode, Rcode::kNxDomain);
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(DnsLookup, LocalNamesWithARuleOrASuffixAreResolved) {
  test_.policy->allowed.insert("db.local");
  test_.policy->allow_all = true;
  session_options_.search_suffixes = {"svc.cluster.local"};
  upstream("db.local", {address_record("db.local", "93.184.216.34")});
  upstream("api.svc.cluster.local", {address_record("api.svc.cluster.local", "93.184.216.35")});
  EXPECT_EQ(run("db.local").rcode, Rcode::kNoError);
  EXPECT_EQ(run("api.svc.cluster.local").rcode, Rcode::kNoError);
  EXPECT_EQ(run("other.local").rcode, Rcode::kRefused);
}

TEST_F(DnsLookup, ReverseNamesOfLeasesAreAnsweredHere) {
  upstream("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  run("www.example.com");
  asked_.clear();
  const Outcome& outcome = run("34.216.184.93.in-addr.arpa", RrType::kPtr);
  ASSERT_EQ(outcome.answers.size(), 1u);
  EXPECT_EQ(std::get<NameData>(outcome.answers[0].record->data).target, name("www.example.com"));
  EXPECT_EQ(run("35.216.184.93.in-addr.arpa", RrType::kPtr).rcode, Rcode::kNxDomain)
      << "a guess, quietly denied";
  EXPECT_FALSE(lookup_->outcome().verdict.permitted());
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(DnsLookup, GuessesAreDeniedQuietly) {
  session_options_.search_suffixes = {"corp.internal"};
  EXPECT_EQ(run("wpad").rcode, Rcode::kNxDomain);
  EXPECT_EQ(run("www.example.com.corp.internal").rcode, Rcode::kNxDomain);
  EXPECT_EQ(run("corp.internal").rcode, Rcode::kRefused);
  test_.policy->denied = {"wpad"};
  EXPECT_EQ(run("wpad").rcode, Rcode::kRefused) << "a rule is about it";
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(DnsLookup, HostsEntriesAreAnsweredAndLeased) {
  session_options_.hosts = HostsTable::parse("10.1.1.1 db.example.com\n127.0.0.1 me.example.com");
  EXPECT_TRUE(leased("db.example.com", "10.1.1.1")) << "before any question";
  EXPECT_FALSE(leased("me.example.com", "127.0.0.1"));
  run("db.example.com");
  EXPECT_THAT(given(), ElementsAre("10.1.1.1"));
  EXPECT_EQ(lookup_->outcome().source, AnswerSource::kHosts);
  EXPECT_EQ(run("db.example.com", RrType::kAaaa).rcode, Rcode::kNoError);
  EXPECT_THAT(given(), IsEmpty());
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(DnsLookup, QuestionTypesThatAreNotAnswered) {
  test_.policy->allow_all = true;
  for (const RrType type : {RrType::kNull, RrType::kAxfr, RrType::kIxfr, RrType::kOpt,
                            RrType::kTkey, static_cast<RrType>(65399), static_cast<RrType>(0)}) {
    EXPECT_EQ(run("www.example.com", type).rcode, Rcode::kRefused) << to_string(type);
    EXPECT_EQ(lookup_->outcome().verdict.rule(), "dns-query-type");
  }
  const Outcome& any = run("www.example.com", RrType::kAny);
  ASSERT_EQ(any.answers.size(), 1u);
  EXPECT_EQ(any.answers[0].record->type, RrType::kHinfo);
  EXPECT_THAT(asked_, IsEmpty());
}

TEST_F(DnsLookup, NamesThatAreNoHostAreRefused) {
  Query odd;
  odd.name = *Name::from_wire(std::string_view("\3a b\7example\3com\0", 17));
  const Outcome& outcome = run(odd);
  EXPECT_EQ(outcome.rcode, Rcode::kRefused);
  EXPECT_THAT(outcome.reason, HasSubstr("a\\032b.example.com"));
}

TEST_F(DnsLookup, NegativeAnswersCarryTheirSoa) {
  upstream("none.example.com", {}, Rcode::kNxDomain, RrType::kA, {soa_record("example.com")});
  const Outcome& outcome = run("none.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kNxDomain);
  EXPECT_TRUE(outcome.verdict.permitted());
  ASSERT_EQ(outcome.authority.size(), 1u);
  EXPECT_EQ(outcome.authority[0].record->type, RrType::kSoa);
  run("none.example.com");
  EXPECT_EQ(asked_.size(), 1u) << "cached";
}

TEST_F(DnsLookup, FailureIsServfailWithItsReason) {
  const Outcome& outcome = run("www.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kServFail);
  EXPECT_EQ(outcome.reason, "nobody answered");
  EXPECT_TRUE(outcome.verdict.permitted());
}

TEST_F(DnsLookup, ApprovalIsAskedAndItsAnswerHolds) {
  test_.policy->allowed.clear();
  test_.policy->approve = {"example.com"};
  EXPECT_EQ(run("www.example.com").rcode, Rcode::kRefused);
  EXPECT_THAT(asked_, IsEmpty()) << "nothing leaves before the approval";
  approval_ = Verdict::allow("approve-rule");
  upstream("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  EXPECT_EQ(run("www.example.com").rcode, Rcode::kNoError);
  session().approvals().settle("www.example.com", Verdict::deny("approve-rule", "no"), now_);
  EXPECT_EQ(run("www.example.com").rcode, Rcode::kRefused);
}

TEST_F(DnsLookup, AFullLeaseTableGivesNoAddress) {
  session_options_.leases.max_entries = 1;
  upstream("www.example.com", {address_record("www.example.com", "93.184.216.34")});
  upstream("b.example.com", {address_record("b.example.com", "93.184.216.35")});
  run("www.example.com");
  const auto held = session().leases().hold("www.example.com", ip("93.184.216.34"));
  const Outcome& outcome = run("b.example.com");
  EXPECT_EQ(outcome.rcode, Rcode::kServFail);
  EXPECT_THAT(given(), IsEmpty());
}

TEST_F(DnsLookup, EventTellsTheWholeStory) {
  test_.policy->special_addresses = {};
  upstream("www.example.com", {alias_record("www.example.com", "cdn.example.net"),
                               address_record("cdn.example.net", "10.0.0.1"),
                               address_record("cdn.example.net", "93.184.216.34")});
  Query asked = query("www.example.com");
  asked.actor = {"cmd-1", 42, "curl"};
  run(std::move(asked));
  const audit::Event event =
      to_event(QueryReport{"session-1", lookup_->query(), lookup_->outcome(),
                           lookup_->query().actor, std::chrono::microseconds(1500)});
  EXPECT_EQ(event.type, "dns_query");
  EXPECT_EQ(event.domain, "www.example.com");
  EXPECT_EQ(event.pid, 42);
  EXPECT_EQ(event.program, "curl");
  std::map<std::string, audit::FieldValue> fields(event.fields.begin(), event.fields.end());
  EXPECT_EQ(std::get<std::string>(fields.at("qtype")), "A");
  EXPECT_EQ(std::get<std::string>(fields.at("rcode")), "NOERROR");
  EXPECT_EQ(std::get<std::string>(fields.at("upstream")), "192.0.2.53:53");
  EXPECT_EQ(std::get<std::int64_t>(fields.at("latency_us")), 1500);
  EXPECT_THAT(std::get<std::vector<std::string>>(fields.at("ips")), ElementsAre("93.184.216.34"));
  EXPECT_THAT(std::get<std::vector<std::string>>(fields.at("removed")),
              ElementsAre("10.0.0.1 (private)"));
  EXPECT_THAT(std::get<std::vector<std::string>>(fields.at("targets")),
              ElementsAre("cdn.example.net"));
}

// Names whose addresses keep changing, sessions that come to them at different times: an address
// passes for a session exactly if an answer to this session, of the last minutes, held it.
TEST_F(DnsLookup, RandomRebinding) {
  struct Clock {
    TimePoint now = TimePoint(std::chrono::hours(1000));
  };
  auto clock = std::make_shared<Clock>();
  constexpr int kSessions = 3;
  constexpr int kNames = 12;
  std::vector<TestSession> sessions(kSessions);
  for (int i = 0; i < kSessions; ++i) {
    sessions[static_cast<std::size_t>(i)].policy->allowed = {"example.com"};
    SessionOptions options;
    options.id = "s" + std::to_string(i);
    options.leases.clock = [clock] { return clock->now; };
    sessions[static_cast<std::size_t>(i)].make(std::move(options));
  }
  std::mt19937 random(99);
  std::map<std::string, std::map<std::string, TimePoint>> until[kSessions];
  int wrongly_passed = 0;
  int wrongly_denied = 0;
  for (int step = 0; step < 1'000'000; ++step) {
    now_ = clock->now;
    const std::size_t who = random() % kSessions;
    const std::string host = "h" + std::to_string(random() % kNames) + ".example.com";
    const std::string address =
        "93.184." + std::to_string(random() % 4) + "." + std::to_string(random() % 8);
    switch (random() % 4) {
      case 0:  // The name moves.
        upstream(host, {address_record(host, address, random() % 60)});
        break;
      case 1: {  // The session resolves it.
        if (!upstream_.contains({host, RrType::kA})) break;
        test_ = sessions[who];
        run(host);
        for (const GivenRecord& record : lookup_->outcome().answers) {
          const auto lifetime = std::max<std::uint32_t>(30, record.ttl);
          auto& end = until[who][host][record.record->address()->to_string()];
          end = std::max(end, now_ + std::chrono::seconds(lifetime + 300));
        }
        break;
      }
      case 2:
        clock->now += std::chrono::seconds(random() % 10);
        break;
      default: {
        const auto& table = until[who][host];
        const auto found = table.find(address);
        const bool expected = found != table.end() && now_ < found->second;
        const auto addresses = sessions[who].session->leases().addresses_of(host);
        const bool leased =
            std::find(addresses.begin(), addresses.end(), ip(address)) != addresses.end();
        wrongly_passed += leased && !expected;
        wrongly_denied += !leased && expected;
      }
    }
  }
  EXPECT_EQ(wrongly_passed, 0);
  EXPECT_EQ(wrongly_denied, 0);
}

}  // namespace
}  // namespace agentsh::dns
