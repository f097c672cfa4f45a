// The service over real sockets, against a scripted upstream.
#include "proxy/dns/service.h"

#include "tests/unit/dns/served_session.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <future>
#include <random>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

std::vector<Record> sample_records() {
  return {address_record("www.example.com", "93.184.216.34"),
          address_record("www.example.com", "2001:470::34"),
          alias_record("alias.example.com", "www.example.com"),
          text_record("txt.example.com", "hello")};
}

TEST(DnsService, AnswersOverUdp) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  const Message reply = served.ask(question("WWW.example.com"));
  EXPECT_EQ(reply.header.rcode, Rcode::kNoError);
  EXPECT_THAT(addresses_in(reply), ElementsAre("93.184.216.34"));
  EXPECT_TRUE(served.session().leases().is_leased("www.example.com", ip("93.184.216.34")));
  EXPECT_EQ(served.ask(question("www.example.com")).answers.size(), 1u);
  EXPECT_EQ(upstream.queries(), 1) << "the second comes from the cache";
  EXPECT_EQ(served.ask(question("missing.example.com")).header.rcode, Rcode::kNxDomain);
  EXPECT_EQ(served.ask(question("txt.example.com", RrType::kTxt)).answers.size(), 1u);
  EXPECT_THAT(served.observer().lines(),
              ElementsAre("A www.example.com NOERROR upstream 93.184.216.34",
                          "A www.example.com NOERROR cache 93.184.216.34",
                          "A missing.example.com NXDOMAIN upstream",
                          "TXT txt.example.com NOERROR upstream"));
}

TEST(DnsService, DeniesWithTheReason) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  const Message reply = served.ask(question("stolen-bytes.evil.example"));
  EXPECT_EQ(reply.header.rcode, Rcode::kRefused);
  EXPECT_THAT(extended_error_text(reply), HasSubstr("default-deny-network"));
  EXPECT_EQ(upstream.queries(), 0);
}

// Clients that send to one of several addresses expect the reply from that address.
TEST(DnsService, RepliesLeaveFromTheAddressThatWasAsked) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  SessionSockets sockets;
  sockets.udp.push_back(bound_socket(SOCK_DGRAM, "0.0.0.0"));
  const std::uint16_t port = endpoint_of(sockets.udp.front().get()).port;
  served.start(std::move(sockets));
  for (const char* address : {"127.0.0.1", "127.83.71.1", "127.1.2.3"}) {
    // The socket is connected, so a reply from elsewhere is not received.
    const auto fresh = ask_udp({ip(address), port}, write_message(question("www.example.com")));
    EXPECT_THAT(addresses_in(parse_message(fresh).value()), ElementsAre("93.184.216.34"));
  }
}

TEST(DnsService, ServesIpv6AndMappedClients) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  SessionSockets sockets;
  sockets.udp.push_back(bound_socket(SOCK_DGRAM, "::"));
  const std::uint16_t port = endpoint_of(sockets.udp.front().get()).port;
  served.start(std::move(sockets));
  for (const char* address : {"::1", "127.0.0.1", "127.9.9.9"}) {
    const auto reply =
        ask_udp({ip(address), port}, write_message(question("www.example.com", RrType::kAaaa)));
    EXPECT_THAT(addresses_in(parse_message(reply).value()), ElementsAre("2001:470::34")) << address;
  }
}

TEST(DnsService, ReportsTheActor) {
  struct Actors : ActorSource {
    policy::Actor actor_of(policy::Transport transport, const Endpoint& client) override {
      return {"cmd-7", transport == policy::Transport::kUdp ? 11 : 22, client.address.to_string()};
    }
  };
  ScriptedUpstream upstream(table_script(sample_records()));
  auto options = upstream_options({upstream.endpoint()});
  options.session.actors = std::make_shared<Actors>();
  ServedSession served(std::move(options));
  served.start();
  served.ask(question("www.example.com"));
  ask_tcp(served.tcp(), {write_message(question("www.example.com"))}, 1);
  const auto events = served.observer().events();
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].pid, 11);
  EXPECT_EQ(events[0].program, "127.0.0.1");
  EXPECT_EQ(events[0].command_id, "cmd-7");
  EXPECT_EQ(events[1].pid, 22);
}

TEST(DnsService, RememberedRepliesAreReportedLikeAnyOther) {
  struct Actors : ActorSource {
    policy::Actor actor_of(policy::Transport, const Endpoint&) override {
      return {"", ++asked, ""};
    }
    int asked = 0;
  };
  ScriptedUpstream upstream(table_script(sample_records()));
  auto options = upstream_options({upstream.endpoint()});
  options.session.actors = std::make_shared<Actors>();
  ServedSession served(std::move(options));
  served.policy().current_version = std::make_shared<int>(1);
  served.start();
  for (std::uint16_t id = 1; id <= 5; ++id) {
    Message query = question("www.example.com");
    query.header.id = id;
    const Message reply = served.ask(query);
    EXPECT_EQ(reply.header.id, id);
    EXPECT_THAT(addresses_in(reply), ElementsAre("93.184.216.34"));
  }
  const auto events = served.observer().events();
  ASSERT_EQ(events.size(), 5u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(events[i].pid, static_cast<pid_t>(i + 1));
  EXPECT_THAT(served.observer().lines().back(), "A www.example.com NOERROR cache 93.184.216.34");
}

TEST(DnsService, PipelinesOverTcp) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  std::vector<std::vector<std::uint8_t>> queries;
  for (std::uint16_t id = 0; id < 200; ++id) {
    Message query = question("n" + std::to_string(id % 90) + ".example.com");
    query.header.id = id;
    queries.push_back(write_message(query));
  }
  const auto replies = ask_tcp(served.tcp(), queries, queries.size());
  ASSERT_EQ(replies.size(), queries.size());
  std::vector<bool> seen(queries.size());
  for (const auto& bytes : replies) {
    const Message reply = parse_message(bytes).value();
    EXPECT_EQ(reply.header.rcode, Rcode::kNxDomain);
    ASSERT_LT(reply.header.id, seen.size());
    EXPECT_FALSE(seen[reply.header.id]);
    seen[reply.header.id] = true;
  }
}

TEST(DnsService, TruncatesOverUdpAndGivesAllOverTcp) {
  std::vector<Record> records;
  for (int i = 0; i < 100; ++i) {
    records.push_back(address_record("many.example.com", "93.184.216." + std::to_string(i)));
  }
  ScriptedUpstream upstream(table_script(records));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  const Message udp = served.ask(question("many.example.com"));
  EXPECT_TRUE(udp.header.truncated);
  EXPECT_EQ(upstream.tcp_queries(), 1) << "the upstream's answer was truncated too";
  const auto tcp = ask_tcp(served.tcp(), {write_message(question("many.example.com"))}, 1);
  ASSERT_EQ(tcp.size(), 1u);
  EXPECT_EQ(parse_message(tcp[0])->answers.size(), 100u);
}

TEST(DnsService, TcpLimits) {
  ScriptedUpstream upstream(table_script(sample_records()));
  auto options = upstream_options({upstream.endpoint()});
  options.tcp = {.max_connections = 2, .idle_timeout = std::chrono::milliseconds(100)};
  ServedSession served(std::move(options));
  served.start();
  const auto query = write_message(question("www.example.com"));
  // An idle connection is closed, whether it asked or not.
  EXPECT_EQ(ask_tcp(served.tcp(), {query}, 2).size(), 1u);
  EXPECT_EQ(ask_tcp(served.tcp(), {}, 1).size(), 0u);
  // A frame that is too long, or too short, ends the connection; what came before is answered.
  EXPECT_EQ(ask_tcp(served.tcp(), {query, std::vector<std::uint8_t>(4096)}, 2).size(), 1u);
  EXPECT_EQ(ask_tcp(served.tcp(), {query, std::vector<std::uint8_t>(3)}, 2).size(), 1u);
  // FORMERR does not.
  auto bad = query;
  bad.push_back(0);
  EXPECT_EQ(ask_tcp(served.tcp(), {bad, query}, 2).size(), 2u);
}

TEST(DnsService, MalformedFloodIsCountedAndHarmless) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  const UniqueFd socket = bound_socket(SOCK_DGRAM, "127.0.0.1");
  sockaddr_storage address;
  const socklen_t length = served.udp().to_sockaddr(address);
  std::mt19937 random(7);
  const auto query = write_message(question("www.example.com"));
  constexpr int kFlood = 20'000;
  for (int i = 0; i < kFlood; ++i) {
    std::vector<std::uint8_t> bytes = query;
    if (i % 3 == 0) bytes.resize(random() % bytes.size());
    if (i % 3 == 1) bytes.resize(random() % 3000);
    for (int n = 0; n < 4 && !bytes.empty(); ++n) {
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    }
    ::sendto(socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address),
             length);
    // In step with the service, so that its socket's buffer does not swallow the flood.
    if (i % 64 == 63) served.ask(question("www.example.com"));
  }
  EXPECT_THAT(addresses_in(served.ask(question("www.example.com"))), ElementsAre("93.184.216.34"));
  served.on_thread([&] { served.service().remove("session-1"); });
  EXPECT_GT(served.observer().malformed_count(), kFlood / 2u);
  EXPECT_LT(served.observer().malformed_reports(), 60u) << "one a second, not one each";
}

TEST(DnsService, SameQuestionsShareOneUpstreamQuestion) {
  std::promise<void> release;
  auto released = release.get_future().share();
  const auto answer = table_script(sample_records());
  ScriptedUpstream upstream([&](const ScriptedUpstream::Exchange& exchange) {
    released.wait();
    return answer(exchange);
  });
  auto options = upstream_options({upstream.endpoint()});
  options.upstream.attempt_timeout = std::chrono::seconds(10);
  options.upstream.total_timeout = std::chrono::seconds(10);
  ServedSession served(std::move(options));
  served.start();
  std::vector<std::future<Message>> asked;
  for (int i = 0; i < 20; ++i) {
    asked.push_back(
        std::async(std::launch::async, [&] { return served.ask(question("www.example.com")); }));
  }
  // All twenty wait before the upstream may answer.
  while (served.on_thread([&] { return served.session().waiting(); }) < 20)
    std::this_thread::yield();
  release.set_value();
  for (auto& reply : asked) EXPECT_THAT(addresses_in(reply.get()), ElementsAre("93.184.216.34"));
  EXPECT_EQ(upstream.queries(), 1);
}

TEST(DnsService, OneSessionCannotTakeAllTheRoom) {
  ScriptedUpstream silent(
      [](const ScriptedUpstream::Exchange&) { return std::vector<std::vector<std::uint8_t>>{}; });
  auto options = upstream_options({silent.endpoint()});
  options.session.max_pending = 4;
  ServedSession served(std::move(options));
  served.start();
  std::vector<std::vector<std::uint8_t>> queries;
  for (int i = 0; i < 10; ++i)
    queries.push_back(write_message(question("n" + std::to_string(i) + ".example.com")));
  const auto replies = ask_tcp(served.tcp(), queries, 6, 1000);
  ASSERT_EQ(replies.size(), 6u) << "six are turned away at once";
  EXPECT_EQ(parse_message(replies[0])->header.rcode, Rcode::kServFail);
  EXPECT_THAT(extended_error_text(*parse_message(replies[0])), HasSubstr("too many questions"));
}

TEST(DnsService, HoldsAQuestionUntilItsApproval) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  std::promise<std::function<void(policy::Verdict)>> asked;
  std::atomic<int> approvals{0};
  served.policy().allowed.clear();
  served.policy().approve = {"example.com"};
  served.policy().approver = [&](policy::Verdict, std::string, auto done) {
    if (++approvals == 1) asked.set_value(done);
  };
  served.start();
  auto first =
      std::async(std::launch::async, [&] { return served.ask(question("www.example.com")); });
  auto second = std::async(std::launch::async,
                           [&] { return served.ask(question("www.example.com", RrType::kAaaa)); });
  auto answer = asked.get_future().get();
  while (served.session().waiting() < 2) std::this_thread::yield();
  EXPECT_EQ(upstream.queries(), 0);
  answer(policy::Verdict::allow("approve-rule"));
  EXPECT_THAT(addresses_in(first.get()), ElementsAre("93.184.216.34"));
  EXPECT_THAT(addresses_in(second.get()), ElementsAre("2001:470::34"));
  EXPECT_EQ(approvals, 1);
  EXPECT_EQ(served.ask(question("www.example.com")).header.rcode, Rcode::kNoError);
}

TEST(DnsService, ResolverGivesBothFamiliesAndLeases) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  const auto resolve = [&](std::string host) {
    std::promise<Resolution> promise;
    auto result = promise.get_future();
    // From a coroutine on another thread's loop, as a flow would.
    boost::asio::io_context other(1);
    struct Caller {
      static boost::asio::awaitable<void> run(Resolver resolver, std::shared_ptr<Session> session,
                                              std::string name, std::promise<Resolution>* out) {
        out->set_value(co_await resolver.resolve(session, name, {"cmd-1", 5, "curl"}));
      }
    };
    boost::asio::co_spawn(other,
                          Caller::run(served.service().resolver(), served.shared_session(),
                                      std::move(host), &promise),
                          boost::asio::detached);
    other.run();
    return result.get();
  };
  const Resolution found = resolve("alias.example.com");
  EXPECT_EQ(found.status, ResolveStatus::kFound);
  EXPECT_THAT(found.addresses, ElementsAre(ip("2001:470::34"), ip("93.184.216.34")));
  EXPECT_TRUE(served.session().leases().is_leased("alias.example.com", ip("93.184.216.34")));
  const Resolution denied = resolve("evil.example");
  EXPECT_EQ(denied.status, ResolveStatus::kDenied);
  EXPECT_THAT(denied.reason, HasSubstr("default-deny-network"));
  EXPECT_EQ(denied.verdict.rule(), policy::kDefaultDenyNetwork);
  const Resolution none = resolve("none.example.com");
  EXPECT_EQ(none.status, ResolveStatus::kNoSuchName);
  EXPECT_EQ(served.observer().lines().size(), 6u);
}

TEST(DnsService, OperatorsNamesAreLookedUpWithoutPolicy) {
  ScriptedUpstream upstream(table_script({address_record("proxy.corp.internal", "10.0.0.1")}));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  struct Caller {
    static boost::asio::awaitable<void> run(Resolver resolver,
                                            std::vector<Result<std::vector<IpAddress>>>* out) {
      out->push_back(co_await resolver.look_up("proxy.corp.internal"));
      out->push_back(co_await resolver.look_up("missing.corp.internal"));
    }
  };
  boost::asio::io_context other(1);
  std::vector<Result<std::vector<IpAddress>>> found;
  boost::asio::co_spawn(other, Caller::run(served.service().resolver(), &found),
                        boost::asio::detached);
  other.run();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_THAT(found[0].value(), ElementsAre(ip("10.0.0.1")));
  EXPECT_THAT(found[1].error().what, HasSubstr("missing.corp.internal has no address"));
  EXPECT_TRUE(served.observer().lines().empty());
  EXPECT_FALSE(served.session().leases().is_leased("proxy.corp.internal", ip("10.0.0.1")));
}

TEST(DnsService, RefusesSocketsOfTheWrongKind) {
  ServedSession served(upstream_options({}));
  served.start();
  TestSession other;
  const auto add = [&](SessionSockets sockets, std::string id) {
    SessionOptions options;
    options.id = std::move(id);
    other.make(std::move(options));
    return served.on_thread(
        [&] { return served.service().add(other.session, std::move(sockets)); });
  };
  SessionSockets stream_as_udp;
  stream_as_udp.udp.push_back(bound_socket(SOCK_STREAM, "127.0.0.1"));
  EXPECT_FALSE(add(std::move(stream_as_udp), "other"));
  SessionSockets dgram_as_tcp;
  dgram_as_tcp.tcp.push_back(bound_socket(SOCK_DGRAM, "127.0.0.1"));
  EXPECT_FALSE(add(std::move(dgram_as_tcp), "other"));
  EXPECT_FALSE(add({}, "session-1")) << "the id is taken";
  EXPECT_TRUE(add({}, "other"));
}

TEST(DnsService, RemovedSessionIsServedNoMore) {
  ScriptedUpstream upstream(table_script(sample_records()));
  ServedSession served(upstream_options({upstream.endpoint()}));
  served.start();
  served.ask(question("www.example.com"));
  served.on_thread([&] { served.service().remove("session-1"); });
  EXPECT_TRUE(ask_udp(served.udp(), write_message(question("www.example.com")), 1000).empty());
}

}  // namespace
}  // namespace agentsh::dns
