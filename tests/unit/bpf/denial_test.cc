// Static rules answered inside connect(), their exchange under load, and what is told of them.
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <unistd.h>

namespace agentsh::bpf::testing {
namespace {

class Denials : public BpfOnly {
 protected:
  std::shared_ptr<const DenialTable> load(const std::vector<StaticRule>& rules) {
    auto table = redirector_->load_denials(rules);
    EXPECT_TRUE(table) << table.error().what;
    return table ? *table : nullptr;
  }
};

StaticRule rule(const char* network, std::uint16_t first, std::uint16_t last, StaticAnswer answer,
                std::uint64_t tag = 0) {
  return {*Cidr::parse(network), first, last, answer, tag};
}

TEST_F(Denials, AnswerInsideConnect) {
  auto session = make_session({.denials = load({
                                   rule("10.1.2.3/32", 443, 443, StaticAnswer::kToProxy),
                                   rule("10.0.0.0/8", 0, 65535, StaticAnswer::kNotPermitted, 7),
                                   rule("0.0.0.0/0", 25, 25, StaticAnswer::kRefused, 8),
                                   rule("2001:db8::/32", 0, 65535, StaticAnswer::kRefused, 9),
                               })});
  struct {
    const char* to;
    bool mapped;
    const char* said;
  } const cases[] = {
      {"10.9.9.9:80", false, "errno EPERM"},
      {"10.9.9.9:80", true, "errno EPERM"},
      {"10.1.2.3:443", false, "ok 10.1.2.3:443"},
      {"10.1.2.3:444", false, "errno EPERM"},
      {"1.1.1.1:25", false, "errno ECONNREFUSED"},
      {"1.1.1.1:26", false, "ok 1.1.1.1:26"},
      {"[2001:db8::1]:443", false, "errno ECONNREFUSED"},
      {"[2001:db9::1]:443", false, "ok [2001:db9::1]:443"},
      {"10.9.9.9:53", false, "ok 10.9.9.9:53"},  // DNS is decided by name.
  };
  for (const auto& each : cases) {
    const TcpClient client{.to = *Endpoint::parse(each.to), .mapped = each.mapped};
    EXPECT_EQ(say_in(*session, client), each.said) << each.to;
    const TcpClient fast{.to = client.to, .mapped = each.mapped, .fast_open = true};
    EXPECT_EQ(say_in(*session, fast), each.said) << each.to << " with MSG_FASTOPEN";
  }
}

TEST_F(Denials, AreTold) {
  auto session =
      make_session({.denials = load({
                        rule("10.0.0.0/8", 0, 65535, StaticAnswer::kRefused, 0x1122334455667788),
                    })});
  take_refusals();
  Child child = session->start([] {
    for (int i = 0; i < 3; ++i) run_tcp_client({.to = *Endpoint::parse("10.0.0.1:80")});
    return 0;
  });
  const pid_t pid = child.pid();
  child.finish();
  std::uint64_t count = 0;
  for (const KernelRefusal& refusal : take_refusals()) {
    EXPECT_EQ(refusal.kind, RefusalKind::kRule);
    EXPECT_EQ(refusal.tag, 0x1122334455667788u);
    EXPECT_EQ(refusal.error, ECONNREFUSED);
    EXPECT_EQ(refusal.destination, Endpoint::parse("10.0.0.1:80"));
    EXPECT_EQ(refusal.pid, pid);
    count += refusal.count;
  }
  EXPECT_EQ(count, 3u);
}

TEST_F(Denials, ChangeWithTheSessionRunning) {
  auto session = make_session();
  const TcpClient client{.to = *Endpoint::parse("10.0.0.1:80")};
  EXPECT_EQ(say_in(*session, client), "ok 10.0.0.1:80");
  ASSERT_TRUE(session->links().set_denials(
      load({rule("10.0.0.0/8", 0, 65535, StaticAnswer::kNotPermitted)})));
  EXPECT_EQ(say_in(*session, client), "errno EPERM");
  ASSERT_TRUE(session->links().set_denials(nullptr));
  EXPECT_EQ(say_in(*session, client), "ok 10.0.0.1:80");
}

TEST_F(Denials, AreSharedAndStayWithTheirSessions) {
  auto table = load({rule("10.0.0.0/8", 0, 65535, StaticAnswer::kNotPermitted)});
  auto first = make_session({.denials = table});
  auto second = make_session({.denials = table});
  auto third = make_session();
  table.reset();
  first.reset();
  const TcpClient client{.to = *Endpoint::parse("10.0.0.1:80")};
  EXPECT_EQ(say_in(*second, client), "errno EPERM");
  EXPECT_EQ(say_in(*third, client), "ok 10.0.0.1:80");
}

// While tables are exchanged that all deny a destination and all allow another, no connect() sees
// anything else.
TEST_F(Denials, HaveNoWindowWhileTheyAreExchanged) {
  auto session = make_session();
  const auto next_table = [&] {
    return load({rule("10.0.0.0/8", 0, 65535, StaticAnswer::kNotPermitted)});
  };
  ASSERT_TRUE(session->links().set_denials(next_table()));
  UniqueFd stop_read;
  UniqueFd stop_write;
  {
    int fds[2];
    ASSERT_EQ(::pipe(fds), 0);
    stop_read.reset(fds[0]);
    stop_write.reset(fds[1]);
  }
  Child child = session->start([&] {
    stop_write.reset();
    int connects = 0;
    while (!wait_readable(stop_read.get(), 0)) {
      const std::string denied = run_tcp_client({.to = *Endpoint::parse("10.0.0.1:80")});
      const std::string allowed = run_tcp_client({.to = *Endpoint::parse("11.0.0.1:80")});
      if (denied != "errno EPERM" || allowed != "ok 11.0.0.1:80") {
        say("after " + std::to_string(connects) + ": " + denied + ", " + allowed);
        return 1;
      }
      ++connects;
    }
    say(connects > 100 ? "held" : "too few");
    return 0;
  });
  std::vector<Accepted> open;  // A closed one would be reset before the client looks.
  const auto accept_all = [&](int milliseconds) {
    auto accepted = accept_next(*session, session->listener(true).tcp.get(), milliseconds);
    for (; accepted; accepted = accept_next(*session, session->listener(true).tcp.get(), 0)) {
      open.push_back(std::move(*accepted));
    }
  };
  // Until enough of both has happened, however fast the machine is.
  for (int i = 0; i < 60 || open.size() < 200; ++i) {
    ASSERT_TRUE(session->links().set_denials(next_table()));
    accept_all(i < 60 ? 0 : 2000);
    if (i > 1000) break;
  }
  stop_write.reset();
  EXPECT_EQ(child.finish(), "held");
}

TEST_F(Denials, HoldTenThousandRules) {
  std::vector<StaticRule> rules;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    rules.push_back(
        {{IpAddress::v4(0x0b000000 + (i << 8)), 24}, 0, 65535, StaticAnswer::kNotPermitted, i});
  }
  auto session = make_session({.denials = load(rules)});
  take_refusals();
  EXPECT_EQ(say_in(*session, TcpClient{.to = *Endpoint::parse("11.0.5.77:80")}), "errno EPERM");
  EXPECT_EQ(say_in(*session, TcpClient{.to = *Endpoint::parse("12.0.5.77:80")}), "ok 12.0.5.77:80");
  const auto refusals = take_refusals();
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals.front().tag, 5u);
}

}  // namespace
}  // namespace agentsh::bpf::testing
