// TCP: every way of connecting arrives at the listener with its original destination, and the
// client sees the peer that it asked for.
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace agentsh::bpf::testing {
namespace {

const Endpoint kSite4 = *Endpoint::parse("93.184.216.34:443");
const Endpoint kSite6 = *Endpoint::parse("[2606:2800:220:1::1]:443");

class TcpRedirect : public BothVariants {};
INSTANTIATE_TEST_SUITE_P(Tcp, TcpRedirect, ::testing::ValuesIn(kAllVariants), variant_name);

struct Case {
  const char* name;
  TcpClient client;
  bool v6 = false;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const Endpoint& site : {kSite4, kSite6}) {
    const bool v6 = site.address.is_v6();
    all.push_back({"plain", {.to = site}, v6});
    all.push_back({"non-blocking", {.to = site, .non_blocking = true}, v6});
    all.push_back({"MSG_FASTOPEN", {.to = site, .fast_open = true}, v6});
    all.push_back({"TCP_FASTOPEN_CONNECT", {.to = site, .fast_open_connect = true}, v6});
    all.push_back({"bind first", {.to = site, .bind_first = true}, v6});
    all.push_back(
        {"bind first, reuse port", {.to = site, .bind_first = true, .reuse_port = true}, v6});
  }
  all.push_back({"mapped", {.to = kSite4, .mapped = true}});
  all.push_back({"mapped non-blocking", {.to = kSite4, .mapped = true, .non_blocking = true}});
  all.push_back({"mapped MSG_FASTOPEN", {.to = kSite4, .mapped = true, .fast_open = true}});
  all.push_back({"mapped bind first", {.to = kSite4, .mapped = true, .bind_first = true}});
  all.push_back({"link-local", {.to = *Endpoint::parse("169.254.169.254:80")}});
  all.push_back({"private", {.to = *Endpoint::parse("10.1.2.3:5432")}});
  all.push_back({"NAT64", {.to = *Endpoint::parse("[64:ff9b::a00:1]:80")}, true});
  all.push_back({"port 0 of a name", {.to = *Endpoint::parse("1.1.1.1:1")}});
  return all;
}

std::string expected_peer(const TcpClient& client) {
  return std::string("ok ") + (client.mapped ? "mapped " : "") + client.to.to_string();
}

TEST_P(TcpRedirect, DeliversTheOriginalDestination) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(say_in(*session_, each.client), expected_peer(each.client));
    auto accepted = accept_next(*session_, session_->listener(!each.v6).tcp.get());
    ASSERT_TRUE(accepted);
    ASSERT_TRUE(accepted->origin);
    EXPECT_EQ(accepted->origin->original, each.client.to);
    std::array<char, 8> payload{};
    EXPECT_EQ(::read(accepted->fd.get(), payload.data(), payload.size()), 1);
  }
}

TEST_P(TcpRedirect, SendsPort53ToTheDnsService) {
  for (const char* resolver : {"9.9.9.9:53", "[2620:fe::fe]:53"}) {
    const Endpoint to = *Endpoint::parse(resolver);
    EXPECT_EQ(say_in(*session_, TcpClient{.to = to}), "ok " + to.to_string());
    auto accepted = accept_next(*session_, session_->listener(to.address.is_v4()).dns_tcp.get());
    ASSERT_TRUE(accepted && accepted->origin);
    EXPECT_EQ(accepted->origin->original, to);
  }
}

// A server of the session and its client, on an address that is the session's own.
int serve_and_connect(const Endpoint& at) {
  sockaddr_storage storage;
  const socklen_t length = at.to_sockaddr(storage);
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  UniqueFd server(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::bind(server.get(), address, length) != 0 || ::listen(server.get(), 1) != 0) {
    say(errno_text(errno));
    return 1;
  }
  say(run_tcp_client({.to = at}) + (wait_readable(server.get(), 2000) ? " served" : " lost"));
  return 0;
}

TEST_P(TcpRedirect, LeavesTheSessionsOwnAddressesAlone) {
  for (const char* at : {"127.0.0.1:8080", "127.5.6.7:8080", "[::1]:8080"}) {
    const Endpoint own = *Endpoint::parse(at);
    EXPECT_EQ(session_->run([&] { return serve_and_connect(own); }),
              "ok " + own.to_string() + " served");
  }
  for (const IpAddress& address : session_->own_addresses()) {
    const Endpoint own{address, 8080};
    EXPECT_EQ(session_->run([&] { return serve_and_connect(own); }),
              "ok " + own.to_string() + " served");
  }
}

TEST_P(TcpRedirect, LetsNamedPortsOfLoopbackOut) {
  make({.host_ports = {5432}});
  const TcpClient unnamed{.to = *Endpoint::parse("127.0.0.1:5433")};
  EXPECT_EQ(say_in(*session_, unnamed), "errno ECONNREFUSED");
  for (const char* at : {"127.0.0.1:5432", "[::1]:5432"}) {
    const Endpoint to = *Endpoint::parse(at);
    EXPECT_EQ(say_in(*session_, TcpClient{.to = to}), "ok " + to.to_string());
    auto accepted = accept_next(*session_, session_->listener(to.address.is_v4()).tcp.get());
    ASSERT_TRUE(accepted && accepted->origin);
    EXPECT_EQ(accepted->origin->original, to);
  }
}

TEST_P(TcpRedirect, RefusesDirectConnectionsToTheListener) {
  for (const netns::ListenerSockets& listener : session_->listeners()) {
    for (const std::uint16_t port : {listener.tcp_port, listener.dns_tcp_port}) {
      const TcpClient direct{.to = {listener.address, port}};
      EXPECT_EQ(say_in(*session_, direct), is_bpf() ? "errno EPERM" : "errno ECONNREFUSED");
    }
    EXPECT_FALSE(wait_readable(listener.tcp.get(), 0));
  }
}

// A source address that is not the session's: allowed, because every destination is local, and the
// answer finds its way.
TEST_P(TcpRedirect, WorksFromAnyLoopbackSource) {
  const std::string said = session_->run([] {
    sockaddr_storage from;
    sockaddr_storage to;
    const socklen_t from_length = Endpoint::parse("127.9.9.9:0")->to_sockaddr(from);
    const socklen_t to_length = kSite4.to_sockaddr(to);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), from_length) != 0) return 1;
    say(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), to_length) == 0 ? "ok"
                                                                              : errno_text(errno));
    return 0;
  });
  EXPECT_EQ(said, "ok");
  auto accepted = accept_next(*session_, session_->listener(true).tcp.get());
  ASSERT_TRUE(accepted && accepted->origin);
  EXPECT_EQ(accepted->origin->original, kSite4);
}

using TcpBpf = BpfOnly;

TEST_F(TcpBpf, KnowsTheProcess) {
  auto session = make_session();
  pid_t client = 0;
  {
    Child child = session->start([] {
      say(run_tcp_client({.to = kSite4}));
      return 0;
    });
    client = child.pid();
    EXPECT_EQ(child.finish(), "ok 93.184.216.34:443");
  }
  auto accepted = accept_next(*session, session->listener(true).tcp.get());
  ASSERT_TRUE(accepted && accepted->origin);
  EXPECT_EQ(accepted->origin->pid, client);
  EXPECT_EQ(accepted->origin->tid, client);
  EXPECT_EQ(accepted->origin->uid, 0u);
  EXPECT_EQ(accepted->origin->comm, "bpf_redirect_te");
  EXPECT_NE(accepted->origin->cgroup_id, 0u);
  // Taken means taken.
  EXPECT_FALSE(session->origin(accepted->fd.get(), accepted->peer, accepted->local));
}

TEST_F(TcpBpf, ReconnectsOneSocket) {
  auto session = make_session();
  const TcpClient twice{.to = kSite4, .connect_twice = true};
  EXPECT_EQ(say_in(*session, twice), "ok 93.184.216.34:443");
  for (int i = 0; i < 2; ++i) {
    auto accepted = accept_next(*session, session->listener(true).tcp.get());
    ASSERT_TRUE(accepted && accepted->origin);
    EXPECT_EQ(accepted->origin->original, kSite4);
  }
}

// A socket that was redirected and then goes to the session's own loopback keeps no trace of the
// first.
TEST_F(TcpBpf, ForgetsARedirectWhenTheSocketGoesLocal) {
  auto session = make_session();
  const std::string said = session->run([] {
    sockaddr_storage there;
    sockaddr_storage here;
    const socklen_t there_length = kSite4.to_sockaddr(there);
    const socklen_t here_length = Endpoint::parse("127.0.0.1:9")->to_sockaddr(here);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&there), there_length) != 0) return 1;
    sockaddr nothing{};
    nothing.sa_family = AF_UNSPEC;
    ::connect(fd.get(), &nothing, sizeof nothing);
    ::connect(fd.get(), reinterpret_cast<sockaddr*>(&here), here_length);
    say(errno_text(errno));
    return 0;
  });
  EXPECT_EQ(said, "errno ECONNREFUSED");
  ASSERT_TRUE(accept_next(*session, session->listener(true).tcp.get()));
  EXPECT_EQ(redirector_->statistics().flows_waiting, 0u);
}

TEST_F(TcpBpf, RefusesProcessesThatOnlyHalfBelong) {
  auto session = make_session();
  const netns::ListenerSockets& listener = session->listener(true);
  const TcpClient direct{.to = {listener.address, listener.tcp_port}};
  // In the namespace, outside the cgroup: no hook rewrites, and the acceptor finds no record.
  Child outside = session->start_outside_cgroup([&] {
    say(run_tcp_client(direct));
    return 0;
  });
  EXPECT_EQ(outside.finish(), "ok " + direct.to.to_string());
  auto accepted = accept_next(*session, listener.tcp.get());
  ASSERT_TRUE(accepted);
  EXPECT_FALSE(accepted->origin);
  // In the cgroup, outside the namespace: refused where it is.
  Child elsewhere = session->start_outside_namespace([] {
    say(run_tcp_client({.to = *Endpoint::parse("127.0.0.1:22")}));
    return 0;
  });
  EXPECT_EQ(elsewhere.finish(), "errno EPERM");
}

TEST_F(TcpBpf, SpreadsOverListenerAddresses) {
  auto session = make_session({.network = {.listener_addresses = 2}});
  ASSERT_EQ(session->listeners().size(), 4u);
  const std::string said = session->run([] {
    for (int i = 0; i < 64; ++i) {
      if (run_tcp_client({.to = kSite4}) != "ok 93.184.216.34:443") return 1;
    }
    say("done");
    return 0;
  });
  EXPECT_EQ(said, "done");
  int used = 0;
  int flows = 0;
  for (const netns::ListenerSockets& listener : session->listeners().first(2)) {
    int here = 0;
    while (auto accepted = accept_next(*session, listener.tcp.get(), 0)) {
      ASSERT_TRUE(accepted->origin);
      ++here;
    }
    flows += here;
    used += here > 0 ? 1 : 0;
  }
  EXPECT_EQ(flows, 64);
  EXPECT_EQ(used, 2);
}

TEST_F(TcpBpf, WorksWithoutIpv6) {
  auto session = make_session({.ipv6 = false});
  EXPECT_FALSE(session->has_ipv6());
  EXPECT_EQ(say_in(*session, TcpClient{.to = kSite4}), "ok 93.184.216.34:443");
  EXPECT_EQ(say_in(*session, TcpClient{.to = kSite6}), "errno ENETUNREACH");
}

}  // namespace
}  // namespace agentsh::bpf::testing
