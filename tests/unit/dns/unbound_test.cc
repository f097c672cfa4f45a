// unbound as the upstream: what it says must come out of us the same, but for what we take out.
#include "base/file_io.h"
#include "tests/unit/dns/served_session.h"
#include "tests/unit/dns/unbound_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::string_view kZone = R"(
  local-zone: "example.com." static
  local-data: "example.com. 300 IN SOA ns.example.com. admin.example.com. 1 2 3 4 60"
  local-data: "example.com. 300 IN NS ns.example.com."
  local-data: "example.com. 300 IN MX 10 mail.example.com."
  local-data: "example.com. 300 IN CAA 0 issue \"ca.example\""
  local-data: "www.example.com. 300 IN A 93.184.216.34"
  local-data: "www.example.com. 300 IN AAAA 2001:470::34"
  local-data: "_sip._tcp.example.com. 300 IN SRV 1 2 5060 sip.example.com."
  local-data: "naptr.example.com. 300 IN NAPTR 1 2 \"s\" \"SIP+D2U\" \"\" sip.example.com."
  local-data: "txt.example.com. 300 IN TXT \"one\" \"two\""
  local-data: "tlsa.example.com. 300 IN TLSA 3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
  local-data: "sshfp.example.com. 300 IN SSHFP 1 1 00112233445566778899aabbccddeeff00112233"
  local-data: "svc.example.com. 300 IN HTTPS 1 . alpn=\"h3,h2\" port=8443 ipv4hint=10.1.1.1 ech=AEj+DQBE"
  local-data: "inner.example.com. 300 IN A 10.0.0.1"
  local-data: "both.example.com. 300 IN A 10.0.0.1"
  local-data: "both.example.com. 300 IN A 93.184.216.35"
)";

class DnsUnbound : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string zone(kZone);
    for (int i = 0; i < 40; ++i) {
      zone += "  local-data: \"big.example.com. 300 IN TXT \\\"" + std::string(100, 'a') +
              std::to_string(i) + "\\\"\"\n";
    }
    auto started = UnboundServer::start(zone);
    ASSERT_TRUE(started) << started.error().what;
    unbound_.emplace(std::move(*started));
    auto options = upstream_options({unbound_->endpoint()});
    options.upstream.attempt_timeout = std::chrono::seconds(5);
    options.upstream.total_timeout = std::chrono::seconds(10);
    served_ = std::make_unique<ServedSession>(std::move(options));
    served_->start();
  }

  Message direct(const Message& query) {
    return parse_message(ask_tcp(unbound_->endpoint(), {write_message(query)}, 1).at(0)).value();
  }

  std::optional<UnboundServer> unbound_;
  std::unique_ptr<ServedSession> served_;
};

// TXT strings and the like, in an order that does not depend on the server's round robin.
std::vector<std::string> sorted_data(const Message& message) {
  std::vector<std::string> texts;
  for (Record record : message.answers) {
    Message one = reply_to(question("x"), {std::move(record)});
    one.answers[0].ttl = 0;
    const auto bytes = write_message(one);
    texts.emplace_back(bytes.begin(), bytes.end());
  }
  std::sort(texts.begin(), texts.end());
  return texts;
}

TEST_F(DnsUnbound, EveryTypeComesThroughUnchanged) {
  const std::pair<const char*, RrType> asked[] = {
      {"www.example.com", RrType::kA},
      {"www.example.com", RrType::kAaaa},
      {"example.com", RrType::kMx},
      {"example.com", RrType::kNs},
      {"example.com", RrType::kSoa},
      {"example.com", RrType::kCaa},
      {"_sip._tcp.example.com", RrType::kSrv},
      {"naptr.example.com", RrType::kNaptr},
      {"txt.example.com", RrType::kTxt},
      {"tlsa.example.com", RrType::kTlsa},
      {"sshfp.example.com", RrType::kSshfp},
  };
  for (const auto& [host, type] : asked) {
    const Message through = served_->ask(question(host, type));
    EXPECT_EQ(through.header.rcode, Rcode::kNoError) << host;
    ASSERT_FALSE(through.answers.empty()) << host << " " << to_string(type);
    EXPECT_EQ(sorted_data(through), sorted_data(direct(question(host, type)))) << host;
  }
}

TEST_F(DnsUnbound, ServiceBindingsAreReduced) {
  const Message before = direct(question("svc.example.com", RrType::kHttps));
  EXPECT_EQ(std::get<SvcbData>(before.answers.at(0).data).parameters.size(), 4u);
  const Message reply = served_->ask(question("svc.example.com", RrType::kHttps));
  ASSERT_EQ(reply.answers.size(), 1u);
  const auto& binding = std::get<SvcbData>(reply.answers[0].data);
  EXPECT_THAT(binding.parameters,
              ElementsAre(SvcParameter{SvcKey::kPort, std::string("\x20\xfb")}));
}

TEST_F(DnsUnbound, BigAnswersComeByTcp) {
  const auto replies =
      ask_tcp(served_->tcp(), {write_message(question("big.example.com", RrType::kTxt))}, 1);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(parse_message(replies[0])->answers.size(), 40u);
  EXPECT_TRUE(served_->ask(question("big.example.com", RrType::kTxt)).header.truncated);
}

TEST_F(DnsUnbound, NegativeAnswersAndTheirTtl) {
  const Message reply = served_->ask(question("missing.example.com"));
  EXPECT_EQ(reply.header.rcode, Rcode::kNxDomain);
  ASSERT_EQ(reply.authorities.size(), 1u);
  EXPECT_LE(reply.authorities[0].ttl, 60u);
  const Message nodata = served_->ask(question("www.example.com", RrType::kMx));
  EXPECT_EQ(nodata.header.rcode, Rcode::kNoError);
  EXPECT_TRUE(nodata.answers.empty());
}

TEST_F(DnsUnbound, PrivateAddressesAreRemoved) {
  EXPECT_EQ(served_->ask(question("inner.example.com")).header.rcode, Rcode::kRefused);
  const Message both = served_->ask(question("both.example.com"));
  EXPECT_THAT(addresses_in(both), ElementsAre("93.184.216.35"));
  EXPECT_THAT(extended_error_text(both), HasSubstr("10.0.0.1 (private address)"));
}

}  // namespace
}  // namespace agentsh::dns
