// Upstreams that lie, stall, die or are too small.
#include "base/file_io.h"
#include "tests/unit/dns/served_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Replies = std::vector<std::vector<std::uint8_t>>;

Message good_reply(const Message& query) {
  return reply_to(query, {{query.question->name, RrType::kA, 60, ip("93.184.216.34")}});
}

TEST(DnsUpstream, SpoofedRepliesAreIgnored) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    Replies replies;
    Message forged = reply_to(
        exchange.query, {{exchange.query.question->name, RrType::kA, 60, ip("93.184.216.66")}});
    ++forged.header.id;
    replies.push_back(write_message(forged));
    --forged.header.id;
    forged.question->name = name("other.example.com");
    replies.push_back(write_message(forged));
    forged.question = exchange.query.question;
    forged.header.response = false;
    replies.push_back(write_message(forged));
    replies.push_back({1, 2, 3});
    replies.push_back(write_message(good_reply(exchange.query)));
    return replies;
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
  EXPECT_EQ(upstream.queries(), 1);
}

// The forger knows the id and the case, and where the question came from; only the address to send
// from is not its own.
TEST(DnsUpstream, RepliesFromAnotherPortAreNotHeard) {
  const UniqueFd elsewhere = bound_socket(SOCK_DGRAM, "127.0.0.1");
  ScriptedUpstream upstream([&](const ScriptedUpstream::Exchange& exchange) {
    Message forged = good_reply(exchange.query);
    forged.answers[0].data = ip("93.184.216.66");
    const auto bytes = write_message(forged);
    sockaddr_storage address;
    const socklen_t length = exchange.client.to_sockaddr(address);
    ::sendto(elsewhere.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address),
             length);
    return Replies{write_message(good_reply(exchange.query))};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
  EXPECT_EQ(upstream.queries(), 1);
}

TEST(DnsUpstream, AFloodOfForgeriesMovesTheQuestionToTcp) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    if (exchange.tcp) return Replies{write_message(good_reply(exchange.query))};
    Replies replies;
    Message forged = good_reply(exchange.query);
    for (int i = 0; i < 40; ++i) {
      ++forged.header.id;
      replies.push_back(write_message(forged));
    }
    return replies;
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
  EXPECT_EQ(upstream.tcp_queries(), 1);
}

TEST(DnsUpstream, AnotherLetterCaseIsCheckedOverTcp) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    Message reply = good_reply(exchange.query);
    if (!exchange.tcp) {
      reply.question->name = reply.question->name.with_case_bits(std::string(1, '\0'));
      reply.answers[0].data = ip("93.184.216.66");
    }
    return Replies{write_message(reply)};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  // A name with so many letters is never asked for in lower case alone.
  EXPECT_THAT(
      addresses_in(served.ask(question("abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz"
                                       ".example.com"))),
      ElementsAre("93.184.216.34"));
}

TEST(DnsUpstream, PoisonInOtherSectionsIsDropped) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    Message reply = good_reply(exchange.query);
    reply.answers.push_back(address_record("bank.example.com", "93.184.216.66"));
    reply.authorities.push_back(
        {name("example.com"), RrType::kNs, 60, NameData{name("ns.evil.example")}});
    reply.additionals.push_back(address_record("bank.example.com", "93.184.216.66"));
    return Replies{write_message(reply)};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  const Message reply = served.ask(question("www.example.com"));
  EXPECT_THAT(addresses_in(reply), ElementsAre("93.184.216.34"));
  EXPECT_TRUE(reply.authorities.empty());
  EXPECT_TRUE(reply.additionals.empty());
  EXPECT_FALSE(served.session().leases().is_leased("bank.example.com", ip("93.184.216.66")));
  EXPECT_FALSE(served.engine().cache().find({"bank.example.com", RrType::kA, false},
                                            std::chrono::steady_clock::now()));
}

TEST(DnsUpstream, OversizedDatagramsGoToTcp) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    Message reply = good_reply(exchange.query);
    for (int i = 0; i < 40 && !exchange.tcp; ++i) {
      reply.answers.push_back(text_record("www.example.com", std::string(200, 'x')));
    }
    return Replies{write_message(reply)};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
  EXPECT_EQ(upstream.tcp_queries(), 1);
}

TEST(DnsUpstream, ALostDatagramIsAskedAgain) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    if (exchange.number == 1) return Replies{};
    return Replies{write_message(good_reply(exchange.query))};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
  EXPECT_EQ(upstream.queries(), 2);
}

TEST(DnsUpstream, TwoResolversOneDead) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    return Replies{write_message(good_reply(exchange.query))};
  });
  ScriptedUpstream silent([](const ScriptedUpstream::Exchange&) { return Replies{}; });
  Endpoint closed;
  {
    const UniqueFd gone = bound_socket(SOCK_DGRAM, "127.0.0.1");
    closed = endpoint_of(gone.get());
  }
  for (const Endpoint& dead : {closed, silent.endpoint()}) {
    ServedSession served(upstream_options({dead, upstream.endpoint()}));
    served.start();
    const auto started = std::chrono::steady_clock::now();
    EXPECT_THAT(addresses_in(served.ask(question("a.example.com"))), ElementsAre("93.184.216.34"));
    // The dead one is last in line now: no more waiting.
    for (int i = 0; i < 20; ++i) {
      EXPECT_EQ(served.ask(question("b" + std::to_string(i) + ".example.com")).header.rcode,
                Rcode::kNoError);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::milliseconds(1500));
  }
}

TEST(DnsUpstream, RefusingResolverIsPassedOver) {
  ScriptedUpstream refusing([](const ScriptedUpstream::Exchange& exchange) {
    return Replies{write_message(reply_to(exchange.query, {}, Rcode::kRefused))};
  });
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    return Replies{write_message(good_reply(exchange.query))};
  });
  ServedSession served(upstream_options({refusing.endpoint(), upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
}

TEST(DnsUpstream, AllDeadIsServfailWithTheReasonInTime) {
  ScriptedUpstream silent([](const ScriptedUpstream::Exchange&) { return Replies{}; });
  ServedSession served(upstream_options({silent.endpoint()}));
  served.start();
  const auto started = std::chrono::steady_clock::now();
  const Message reply = served.ask(question("www.example.com"));
  EXPECT_EQ(reply.header.rcode, Rcode::kServFail);
  EXPECT_THAT(extended_error_text(reply), HasSubstr(silent.endpoint().to_string()));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(3));
  const int before = silent.queries();
  EXPECT_EQ(served.ask(question("www.example.com")).header.rcode, Rcode::kServFail);
  EXPECT_EQ(silent.queries(), before) << "the failure itself is cached for a second";
}

TEST(DnsUpstream, ServerThatKnowsNoEdns) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    if (exchange.query.edns) {
      Message refusal = reply_to(exchange.query, {}, Rcode::kFormErr);
      refusal.edns.reset();
      refusal.question.reset();
      return Replies{write_message(refusal)};
    }
    return Replies{write_message(good_reply(exchange.query))};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
}

TEST(DnsUpstream, GarbageOverTcpFails) {
  ScriptedUpstream upstream([](const ScriptedUpstream::Exchange& exchange) {
    if (exchange.tcp) return Replies{std::vector<std::uint8_t>(100, 0xff)};
    Message reply = good_reply(exchange.query);
    reply.answers.clear();
    reply.header.truncated = true;
    return Replies{write_message(reply)};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  EXPECT_EQ(served.ask(question("www.example.com")).header.rcode, Rcode::kServFail);
}

TEST(DnsUpstream, SourcePortsAndIdsDiffer) {
  std::set<std::uint16_t> ids;
  std::set<std::uint16_t> ports;
  ScriptedUpstream upstream([&](const ScriptedUpstream::Exchange& exchange) {
    ids.insert(exchange.query.header.id);
    ports.insert(exchange.client.port);
    return Replies{write_message(good_reply(exchange.query))};
  });
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  for (int i = 0; i < 50; ++i) served.ask(question("n" + std::to_string(i) + ".example.com"));
  EXPECT_GT(ids.size(), 45u);
  EXPECT_GT(ports.size(), 45u);
}

TEST(DnsUpstream, WithoutAnyServerItSaysSo) {
  const std::string path = ::testing::TempDir() + "upstream-resolv." + std::to_string(::getpid());
  ASSERT_TRUE(write_file_atomic(path, "# empty\n"));
  auto options = upstream_options({});
  options.upstream.resolv_conf = path;
  ServedSession served(std::move(options));
  served.start();
  const Message reply = served.ask(question("www.example.com"));
  EXPECT_EQ(reply.header.rcode, Rcode::kServFail);
  EXPECT_THAT(extended_error_text(reply), HasSubstr("no upstream resolver is configured"));
  ::unlink(path.c_str());
}

TEST(DnsUpstream, StopEndsWhatIsOpen) {
  ScriptedUpstream silent([](const ScriptedUpstream::Exchange&) { return Replies{}; });
  auto options = upstream_options({silent.endpoint()});
  options.upstream.attempt_timeout = std::chrono::seconds(60);
  options.upstream.total_timeout = std::chrono::seconds(60);
  const auto started = std::chrono::steady_clock::now();
  {
    ServedSession served(std::move(options));
    served.start();
    ask_udp(served.udp(), write_message(question("www.example.com")), 50);
    EXPECT_EQ(served.session().waiting(), 1u);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
}

}  // namespace
}  // namespace agentsh::dns
