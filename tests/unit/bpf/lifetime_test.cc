// What happens at the ends: sessions and daemons that die, connections that nobody accepts, records
// that must not be left behind.
#include "base/bytes.h"
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

namespace agentsh::bpf::testing {
namespace {

const Endpoint kSite4 = *Endpoint::parse("93.184.216.34:443");
const Endpoint kSite6 = *Endpoint::parse("[2606:2800:220:1::1]:443");

using Lifetime = BpfOnly;

// --- Records -------------------------------------------------------------------------------------

TEST_F(Lifetime, AcceptedConnectionsLeaveNoRecord) {
  auto session = make_session();
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(say_in(*session, TcpClient{.to = kSite4}), "ok 93.184.216.34:443");
    ASSERT_TRUE(accept_next(*session, session->listener(true).tcp.get())->origin);
  }
  EXPECT_EQ(redirector_->statistics().flows_waiting, 0u);
}

TEST_F(Lifetime, RefusedConnectionsLeaveNoRecord) {
  // Nobody listens: the record is written before the SYN and has to go with the reset.
  auto session = make_session();
  const netns::ListenerEndpoint nobody{session->listener(true).address, 1, 1, 1};
  TestCgroup cgroup = *TestCgroup::make();
  auto links = redirector_->attach(
      {cgroup.fd(), session->cookie(), {nobody}, {netns::own_address4()}, {}, {}});
  ASSERT_TRUE(links);
  Child child = session->start_outside_cgroup([&] {
    cgroup.enter();
    for (int i = 0; i < 50; ++i) {
      if (run_tcp_client({.to = kSite4}) != "errno ECONNREFUSED") return 1;
    }
    say("refused");
    return 0;
  });
  EXPECT_EQ(child.finish(), "refused");
  EXPECT_EQ(redirector_->statistics().flows_waiting, 0u);
}

// The client has sent its bytes and gone before the acceptor looked: that connection is still
// served.
TEST_F(Lifetime, ClosedConnectionsWaitForTheirAcceptor) {
  auto session = make_session();
  ASSERT_EQ(say_in(*session, TcpClient{.to = kSite4, .payload = "parting words"}),
            "ok 93.184.216.34:443");
  EXPECT_EQ(redirector_->sweep_flows(std::chrono::seconds(60)), 0u);
  auto accepted = accept_next(*session, session->listener(true).tcp.get());
  ASSERT_TRUE(accepted && accepted->origin);
  char bytes[32];
  EXPECT_EQ(::read(accepted->fd.get(), bytes, sizeof bytes), 13);
}

TEST_F(Lifetime, ClosedConnectionsThatNobodyAcceptsAreSwept) {
  auto session = make_session();
  session->run([] {
    for (int i = 0; i < 20; ++i) run_tcp_client({.to = kSite4});
    return 0;
  });
  EXPECT_EQ(redirector_->statistics().flows_waiting, 20u);
  // Closed by the client, so that the server's side still has to close: not all reached CLOSED yet.
  EXPECT_EQ(redirector_->sweep_flows(std::chrono::seconds(60)), 0u);
  session.reset();
  EXPECT_EQ(redirector_->sweep_flows(std::chrono::seconds(60)), 20u);
  EXPECT_EQ(redirector_->statistics().flows_waiting, 0u);
}

// Connects to each destination from the same source port, resetting the one before.
int connect_from_one_port(std::initializer_list<const char*> destinations) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_port = htons(45000);
  for (const char* to : destinations) {
    sockaddr_storage storage;
    const socklen_t length = Endpoint::parse(to)->to_sockaddr(storage);
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    const int one = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    const linger reset{1, 0};  // RST on close: the port is free again at once.
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), sizeof from) != 0 ||
        ::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
      say(errno_text(errno));
      return 1;
    }
  }
  say("connected");
  return 0;
}

// A source port that is used again before the acceptor came for its first connection: the second
// SYN is held back until it did, and neither is taken for the other.
TEST_F(Lifetime, RecordsAreNotTakenForEachOther) {
  auto session = make_session();
  Child client = session->start([] { return connect_from_one_port({"1.1.1.1:80", "2.2.2.2:80"}); });
  const int listening = session->listener(true).tcp.get();
  while (redirector_->statistics().flow_key_taken == 0) {
    ASSERT_FALSE(wait_readable(client.output_fd(), 1)) << client.finish();
  }
  for (const char* to : {"1.1.1.1:80", "2.2.2.2:80"}) {
    auto accepted = accept_next(*session, listening, 5000);
    ASSERT_TRUE(accepted && accepted->origin) << to;
    EXPECT_EQ(accepted->origin->original, Endpoint::parse(to));
  }
  EXPECT_EQ(client.finish(), "connected");
  bool told = false;
  for (const KernelRefusal& refusal : take_refusals())
    told = told || refusal.kind == RefusalKind::kFlowTable;
  EXPECT_TRUE(told);
}

// The same source address and port towards two listeners are two connections.
TEST_F(Lifetime, RecordsOfDifferentListenersDoNotMeet) {
  auto session = make_session();
  EXPECT_EQ(session->run([] {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_port = htons(45001);
    UniqueFd fds[2];
    int next = 0;
    for (const char* to : {"1.1.1.1:80", "9.9.9.9:53"}) {
      sockaddr_storage storage;
      const socklen_t length = Endpoint::parse(to)->to_sockaddr(storage);
      UniqueFd& fd = fds[next++];
      fd.reset(::socket(AF_INET, SOCK_STREAM, 0));
      const int one = 1;
      ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
      if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&from), sizeof from) != 0 ||
          ::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
        say(errno_text(errno));
        return 1;
      }
    }
    say("both");
    return 0;
  }),
            "both");
  auto web = accept_next(*session, session->listener(true).tcp.get());
  auto dns = accept_next(*session, session->listener(true).dns_tcp.get());
  ASSERT_TRUE(web && web->origin && dns && dns->origin);
  EXPECT_EQ(web->peer, dns->peer);
  EXPECT_EQ(web->origin->original, Endpoint::parse("1.1.1.1:80"));
  EXPECT_EQ(dns->origin->original, Endpoint::parse("9.9.9.9:53"));
}

TEST_F(Lifetime, ManySessionsComeAndGo) {
  std::vector<std::unique_ptr<BpfSession>> sessions;
  for (int i = 0; i < 40; ++i) {
    auto session = make_session();
    ASSERT_TRUE(session);
    ASSERT_EQ(say_in(*session,
                     TcpClient{.to = {IpAddress::v4(0x08080000u + static_cast<unsigned>(i)), 80}}),
              "ok 8.8.0." + std::to_string(i) + ":80");
    sessions.push_back(std::move(session));
  }
  // Same source address, same ports, other namespaces.
  for (int i = 0; i < 40; ++i) {
    auto accepted = accept_next(*sessions[static_cast<std::size_t>(i)],
                                sessions[static_cast<std::size_t>(i)]->listener(true).tcp.get());
    ASSERT_TRUE(accepted && accepted->origin);
    EXPECT_EQ(accepted->origin->original.address,
              IpAddress::v4(0x08080000u + static_cast<unsigned>(i)));
  }
}

// --- Without the programs, without the daemon ----------------------------------------------------

// A pair of devices between the session and the test, with no address and no route: whatever leaves
// the session by another way than `lo` is seen by the capture.
class Capture {
 public:
  explicit Capture(const BpfSession& session) {
    // The far end stays in a namespace of the capture's own, so that nothing of the machine's is
    // touched.
    Child maker = fork_child([&] {
      ::unshare(CLONE_NEWNET);
      const std::string target =
          "/proc/" + std::to_string(::getppid()) + "/fd/" + std::to_string(session.net_namespace());
      const std::string command =
          "ip link add far type veth peer name near && ip link set near netns " + target +
          " && ip link set far up && echo ready && exec sleep 1000";
      return ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    });
    EXPECT_TRUE(wait_readable(maker.output_fd(), 10000));
    char ready[16] = {};
    const ssize_t got = ::read(maker.output_fd(), ready, sizeof ready);
    EXPECT_EQ(std::string(ready, got > 0 ? static_cast<std::size_t>(got) : 0), "ready\n");
    far_ = std::make_unique<Child>(std::move(maker));
    Child raiser = session.start({"sh", "-c", "ip link set near up"});
    EXPECT_EQ(raiser.finish(), "");
    socket_ = open_far_socket();
  }

  // Packets that are not the kernel's own IPv6 housekeeping (multicast listener reports, router and
  // neighbour solicitations of the new device).
  int packets() const {
    int count = 0;
    std::uint8_t frame[2048];
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), frame, sizeof frame, MSG_DONTWAIT);
      if (got < 0) return count;
      ByteReader reader({frame, static_cast<std::size_t>(got)});
      reader.skip(12);
      const bool ipv6 = reader.u16() == ETHERTYPE_IPV6;
      reader.skip(6);
      const std::uint8_t next = reader.u8();
      reader.skip(33);
      const bool hop_by_hop = next == 0;  // MLD
      const bool icmp6 = next == 58;
      if (!(ipv6 && (hop_by_hop || icmp6))) ++count;
    }
  }

 private:
  UniqueFd open_far_socket() const {
    // A socket belongs to the namespace that it was made in; a thread would do, a child that hands
    // it over is plainer.
    UniqueFd result;
    const std::string path = "/proc/" + std::to_string(far_->pid()) + "/ns/net";
    UniqueFd theirs(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    UniqueFd ours(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    EXPECT_EQ(::setns(theirs.get(), CLONE_NEWNET), 0);
    result.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL)));
    EXPECT_EQ(::setns(ours.get(), CLONE_NEWNET), 0);
    EXPECT_TRUE(result);
    return result;
  }

  std::unique_ptr<Child> far_;
  UniqueFd socket_;
};

// Everything that an agent would try, none of which gets an answer.
std::string try_everything() {
  std::string said;
  for (const Endpoint& site : {kSite4, kSite6}) {
    said += run_tcp_client({.to = site}) + "\n";
    said += run_tcp_client({.to = site, .fast_open = true}) + "\n";
    said += send_datagram({.to = {site.address, 53}}) + "\n";
    said += send_datagram({.to = site}) + "\n";
    said += send_datagram({.to = site, .connected = true}) + "\n";
  }
  said += run_tcp_client({.to = kSite4, .mapped = true}) + "\n";
  said += send_datagram({.to = *Endpoint::parse("224.0.0.251:5353")}) + "\n";
  said += send_datagram({.to = *Endpoint::parse("255.255.255.255:67"), .broadcast = true}) + "\n";
  said += send_datagram({.to = *Endpoint::parse("[ff02::fb]:5353")}) + "\n";
  return said;
}

TEST_F(Lifetime, NothingLeavesASessionWhoseProgramsAreGone) {
  auto session = make_session();
  const Capture capture(*session);
  session->detach();
  const std::string said = session->run([] {
    say(try_everything());
    return 0;
  });
  // Datagrams may be "sent": to the session's own loopback, where nobody is. Nothing connects.
  EXPECT_EQ(said.find("ok 93."), std::string::npos) << said;
  EXPECT_EQ(said.find("ok [26"), std::string::npos) << said;
  EXPECT_EQ(said.find("ok mapped"), std::string::npos) << said;
  EXPECT_EQ(capture.packets(), 0);
}

TEST_F(Lifetime, NothingLeavesARedirectedSessionEither) {
  auto session = make_session();
  const Capture capture(*session);
  session->run([] {
    say(try_everything());
    return 0;
  });
  EXPECT_EQ(capture.packets(), 0);
}

// The daemon is killed while its session goes on: the programs stay with the cgroup and refuse.
TEST_F(Lifetime, AKilledDaemonLeavesTheSessionRefused) {
  auto session = make_session();
  TestCgroup cgroup = *TestCgroup::make();
  Child daemon = fork_child([&] {
    auto redirector = Redirector::create({});
    if (!redirector) return 1;
    // Listeners that only this daemon served are closed with it.
    auto links = (*redirector)
                     ->attach({cgroup.fd(),
                               session->cookie(),
                               {{netns::listener_address4(0), 7, 7, 7}},
                               {netns::own_address4()},
                               {},
                               {}});
    if (!links) return 1;
    say("attached");
    for (;;) ::pause();
  });
  ASSERT_TRUE(wait_readable(daemon.output_fd(), 20000));
  ::kill(daemon.pid(), SIGKILL);
  EXPECT_EQ(daemon.finish(), "attached");
  const Capture capture(*session);
  Child child = session->start_outside_cgroup([&] {
    cgroup.enter();
    say(run_tcp_client({.to = kSite4}) + "\n" + run_tcp_client({.to = kSite6}) + "\n" +
        send_datagram({.to = kSite4}) + "\n" +
        send_datagram(
            {.to = *Endpoint::parse("9.9.9.9:53"), .connected = true, .want_answer = true}) +
        "\n" + run_tcp_client({.to = *Endpoint::parse("127.0.0.1:9")}));
    return 0;
  });
  EXPECT_EQ(
      child.finish(),
      "errno ECONNREFUSED\nerrno ENETUNREACH\nerrno EPERM\nerrno ECONNREFUSED\nerrno ECONNREFUSED");
  EXPECT_EQ(capture.packets(), 0);
}

// --- Elsewhere -----------------------------------------------------------------------------------

TEST_F(Lifetime, ProcessIdsAreThoseOfTheDaemonsNamespace) {
  // A daemon in a container: its own PID namespace, with the test's session code as PID 1's child.
  Child outer = fork_child([] {
    if (::unshare(CLONE_NEWPID | CLONE_NEWNS) != 0) return 1;
    Child inner = fork_child([] {
      if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 1;
      if (::mount("proc", "/proc", "proc", 0, nullptr) != 0) return 1;
      auto redirector = Redirector::create({});
      if (!redirector) {
        say(redirector.error().what);
        return 1;
      }
      auto session = BpfSession::make(**redirector);
      if (!session) {
        say(session.error().what);
        return 1;
      }
      Child client = (*session)->start([] {
        say(run_tcp_client({.to = kSite4}));
        return 0;
      });
      const pid_t pid = client.pid();
      client.finish();
      auto accepted = accept_next(**session, (*session)->listener(true).tcp.get());
      if (!accepted || !accepted->origin) return 1;
      const bool known = (*redirector)->pids_known();
      say(accepted->origin->pid == (known ? pid : 0) && pid < 100 ? "right" : "wrong");
      return 0;
    });
    say(inner.finish());
    return 0;
  });
  EXPECT_EQ(outer.finish(), "right");
}

TEST(RedirectorErrors, AreSentences) {
  AGENTSH_REQUIRE_ROOT();
  auto missing = Redirector::create({.cgroup_parent = "/nonexistent"});
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().what.find("eBPF redirect: mkdir /nonexistent/"), std::string::npos)
      << missing.error().what;
  Child child = fork_child([] {
    if (::setresuid(65534, 65534, 65534) != 0) return 1;
    auto redirector = Redirector::create({});
    say(redirector ? "loaded" : redirector.error().what);
    return 0;
  });
  const std::string said = child.finish();
  EXPECT_NE(said.find("eBPF redirect"), std::string::npos) << said;
  EXPECT_NE(said.find("not permitted"), std::string::npos) << said;
}

TEST_F(Lifetime, RefusesNonsense) {
  auto session = make_session();
  const auto listeners = netns::listener_endpoints(session->listeners());
  TestCgroup cgroup = *TestCgroup::make();
  EXPECT_FALSE(redirector_->attach({cgroup.fd(), 0, listeners, {}, {}, {}}));
  EXPECT_FALSE(redirector_->attach({cgroup.fd(), 1, {}, {}, {}, {}}));
  EXPECT_FALSE(
      redirector_->attach({cgroup.fd(), 1, {{netns::listener_address4(0), 0, 1, 1}}, {}, {}, {}}));
  EXPECT_FALSE(redirector_->attach({0, 1, listeners, {}, {}, {}}));
  std::vector<std::uint16_t> too_many(17, 80);
  EXPECT_FALSE(session->links().set_host_ports(too_many));
}

}  // namespace
}  // namespace agentsh::bpf::testing
