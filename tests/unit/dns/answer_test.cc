#include "proxy/dns/answer.h"

#include "proxy/dns/service_binding.h"
#include "tests/unit/dns/fakes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

Answer distilled(std::vector<Record> answers, std::vector<Record> authorities = {},
                 RrType type = RrType::kA, Rcode rcode = Rcode::kNoError, bool dnssec = false) {
  Message message = reply_to(question("www.example.com", type), std::move(answers), rcode);
  message.authorities = std::move(authorities);
  message.header.authentic_data = true;
  return distil(message, name("www.example.com"), type, dnssec, {}).value();
}

Record signature(std::string_view owner, RrType covered) {
  std::string data(18, 'x');
  data[0] = static_cast<char>(static_cast<unsigned>(covered) >> 8);
  data[1] = static_cast<char>(covered);
  return {name(owner), RrType::kRrsig, 300, OpaqueData{data + std::string("\3com\0signature", 14)}};
}

TEST(DnsAnswer, FollowsTheChainAndNothingElse) {
  const Answer answer = distilled({
      address_record("evil.example", "203.0.113.66"),
      address_record("cdn.example.net", "192.0.2.1", 100),
      alias_record("www.example.com", "edge.example.net", 200),
      text_record("www.example.com", "not asked for"),
      alias_record("edge.example.net", "cdn.example.net", 50),
      address_record("www.example.com", "203.0.113.67"),
  });
  ASSERT_EQ(answer.records.size(), 3u);
  EXPECT_EQ(answer.records[0], alias_record("www.example.com", "edge.example.net", 200));
  EXPECT_EQ(answer.records[1], alias_record("edge.example.net", "cdn.example.net", 50));
  EXPECT_EQ(answer.records[2], address_record("cdn.example.net", "192.0.2.1", 100));
  EXPECT_EQ(answer.ttl, 50u);
  EXPECT_EQ(answer.final_name, name("cdn.example.net"));
  EXPECT_TRUE(answer.complete);
}

TEST(DnsAnswer, RefusesCirclesAndContradictions) {
  const auto circle =
      reply_to(question("www.example.com"), {alias_record("www.example.com", "b.example.com"),
                                             alias_record("b.example.com", "www.example.com")});
  EXPECT_FALSE(distil(circle, name("www.example.com"), RrType::kA, false, {}));
  const auto contradiction =
      reply_to(question("www.example.com"), {address_record("www.example.com", "192.0.2.1")},
               Rcode::kNxDomain);
  EXPECT_FALSE(distil(contradiction, name("www.example.com"), RrType::kA, false, {}));
}

TEST(DnsAnswer, AliasWithoutItsAddressIsIncomplete) {
  const Answer open = distilled({alias_record("www.example.com", "cdn.example.net")});
  EXPECT_FALSE(open.complete);
  EXPECT_EQ(open.final_name, name("cdn.example.net"));
  const Answer closed =
      distilled({alias_record("www.example.com", "cdn.example.net")}, {soa_record("example.net")});
  EXPECT_TRUE(closed.complete);
}

TEST(DnsAnswer, NegativeTtlComesFromTheSoa) {
  EXPECT_EQ(distilled({}, {soa_record("example.com", 300, 60)}, RrType::kA, Rcode::kNxDomain).ttl,
            60u);
  EXPECT_EQ(distilled({}, {soa_record("example.com", 30, 60)}).ttl, 30u);
  EXPECT_EQ(distilled({}, {soa_record("example.com", 90000, 90000)}).ttl, 900u) << "capped";
  EXPECT_EQ(distilled({}).ttl, 0u) << "no SOA, not cached";
  EXPECT_EQ(distilled({}, {soa_record("other.org", 300, 60)}).ttl, 0u) << "not of this zone";
}

TEST(DnsAnswer, TtlIsCapped) {
  const Answer answer = distilled({address_record("www.example.com", "192.0.2.1", 1'000'000)});
  EXPECT_EQ(answer.ttl, 86400u);
  EXPECT_EQ(answer.records[0].ttl, 86400u);
}

TEST(DnsAnswer, NotesSpecialAddresses) {
  EXPECT_TRUE(distilled({address_record("www.example.com", "93.184.216.34")}).all_public);
  EXPECT_FALSE(distilled({address_record("www.example.com", "93.184.216.34"),
                          address_record("www.example.com", "10.0.0.1")})
                   .all_public);
  Message mapped = reply_to(question("www.example.com", RrType::kAaaa),
                            {{name("www.example.com"), RrType::kAaaa, 1, ip("::ffff:10.0.0.1")}});
  EXPECT_FALSE(distil(mapped, name("www.example.com"), RrType::kAaaa, false, {})->all_public);
}

TEST(DnsAnswer, SignaturesOnlyWhenAskedForAndUnchanged) {
  const std::vector<Record> records = {address_record("www.example.com", "93.184.216.34"),
                                       signature("www.example.com", RrType::kA),
                                       signature("www.example.com", RrType::kTxt)};
  EXPECT_EQ(distilled(records).records.size(), 1u);
  const Answer with = distilled(records, {}, RrType::kA, Rcode::kNoError, true);
  EXPECT_EQ(with.records.size(), 2u);
  EXPECT_TRUE(with.authenticated);

  const Record https = {name("www.example.com"), RrType::kHttps, 300,
                        SvcbData{1, Name(), {{SvcKey::kAlpn, "\2h3"}}}};
  const Answer changed = distilled({https, signature("www.example.com", RrType::kHttps)}, {},
                                   RrType::kHttps, Rcode::kNoError, true);
  EXPECT_EQ(changed.records.size(), 1u) << "the signature of what was changed goes";
  EXPECT_FALSE(changed.authenticated);
}

TEST(DnsAnswer, UnsafeOpaqueRecordsAreDropped) {
  const Answer answer = distilled({{name("www.example.com"), RrType::kMinfo, 9, OpaqueData{"ab"}}},
                                  {}, RrType::kMinfo);
  EXPECT_TRUE(answer.records.empty());
  EXPECT_FALSE(answer.authenticated);
  EXPECT_EQ(answer.ttl, 9u);
}

SvcParameter mandatory(std::initializer_list<std::uint16_t> keys) {
  std::string value;
  for (std::uint16_t key : keys) {
    value += static_cast<char>(key >> 8);
    value += static_cast<char>(key);
  }
  return {SvcKey::kMandatory, value};
}

struct BindingCase {
  std::string what;
  SvcbData data;
  std::optional<std::vector<SvcParameter>> kept;
};

TEST(DnsServiceBinding, KeepsWhatTheProxySpeaks) {
  const Name owner = name("www.example.com");
  const std::vector<std::string> alpn = {"h2", "http/1.1"};
  const SvcParameter port = {SvcKey::kPort, std::string("\x20\xfb")};
  const SvcParameter ech = {SvcKey::kEch, "secret"};
  const SvcParameter hints = {SvcKey::kIpv4Hint, "\x0a\x01\x01\x01"};
  const std::vector<BindingCase> cases = {
      {"ech goes", {1, Name(), {port, ech}}, {{port}}},
      {"address hints go", {1, owner, {port, hints}}, {{port}}},
      {"h3 goes, h2 stays",
       {1, Name(), {{SvcKey::kAlpn, "\2h3\2h2\5h3-29"}}},
       {{{SvcKey::kAlpn, "\2h2"}}}},
      {"only h3: the default remains",
       {1, Name(), {{SvcKey::kAlpn, "\2h3"}, {SvcKey::kNoDefaultAlpn, ""}}},
       std::vector<SvcParameter>{}},
      {"malformed alpn", {1, Name(), {{SvcKey::kAlpn, "\11h2"}}}, std::vector<SvcParameter>{}},
      {"unknown keys go",
       {1, Name(), {port, {static_cast<SvcKey>(7), "/dns-query{?dns}"}}},
       {{port}}},
      {"mandatory keys follow",
       {1, Name(), {mandatory({1, 4}), {SvcKey::kAlpn, "\2h2"}, hints}},
       {{mandatory({1}), {SvcKey::kAlpn, "\2h2"}}}},
      {"mandatory ech", {1, Name(), {mandatory({5}), ech}}, {}},
      {"mandatory unknown key", {1, Name(), {mandatory({4711})}}, {}},
      {"malformed mandatory", {1, Name(), {{SvcKey::kMandatory, "\1"}}}, {}},
      {"malformed port", {1, Name(), {{SvcKey::kPort, "\1"}}}, {}},
      {"another name", {1, name("svc.example.net"), {port}}, {}},
      {"alias form", {0, name("svc.example.net"), {}}, {}},
  };
  for (const BindingCase& test : cases) {
    const auto kept = restrict_service_binding(test.data, owner, alpn);
    ASSERT_EQ(kept.has_value(), test.kept.has_value()) << test.what;
    if (kept) EXPECT_EQ(kept->parameters, *test.kept) << test.what;
  }
}

}  // namespace
}  // namespace agentsh::dns
