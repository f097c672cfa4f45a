// The set-up of a session's namespace, and who owns a connection where no eBPF says it.
#include "base/netns/session_network.h"

#include "proxy/bpf/socket_owner.h"
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace agentsh::bpf::testing {
namespace {

class SessionNetworkTest : public ::testing::Test {
 protected:
  void SetUp() override { AGENTSH_REQUIRE_ROOT(); }
};

TEST_F(SessionNetworkTest, RefusesNonsense) {
  EXPECT_FALSE(netns::set_up_session_network({.listener_addresses = 0}));
  EXPECT_FALSE(netns::set_up_session_network({.listener_addresses = 5}));
}

TEST_F(SessionNetworkTest, NeedsTheRightToDoIt) {
  Child child = fork_child([] {
    if (::setresuid(65534, 65534, 65534) != 0) return 1;
    auto network = netns::set_up_session_network();
    say(network ? "done" : network.error().what);
    return 0;
  });
  EXPECT_EQ(child.finish(), "session network: bring up lo: Operation not permitted");
}

// A process of the session cannot take a port of the listeners, nor share it, nor bind to an
// address that is not the session's.
TEST_F(SessionNetworkTest, KeepsItsPortsToItself) {
  auto session = NftSession::make();
  ASSERT_TRUE(session) << session.error().what;
  const netns::ListenerSockets& listener = (*session)->listener(true);
  struct {
    int type;
    std::uint16_t port;
  } const targets[] = {{SOCK_STREAM, listener.tcp_port}, {SOCK_DGRAM, listener.dns_udp_port}};
  for (const auto& target : targets) {
    for (const IpAddress& address : {listener.address, IpAddress::v4(0)}) {
      const std::string said = (*session)->run([&] {
        UniqueFd fd(::socket(AF_INET, target.type, 0));
        const int one = 1;
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
        ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &one, sizeof one);
        sockaddr_storage storage;
        const socklen_t length = Endpoint{address, target.port}.to_sockaddr(storage);
        say(::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0
                ? "bound"
                : errno_text(errno));
        return 0;
      });
      EXPECT_EQ(said, "errno EADDRINUSE") << address.to_string();
    }
  }
}

// --- Owners --------------------------------------------------------------------------------------

struct OwnerCase {
  const char* to;
  bool mapped;
};

TEST_F(SessionNetworkTest, OwnersAreFound) {
  auto session = NftSession::make();
  ASSERT_TRUE(session) << session.error().what;
  for (const OwnerCase& each :
       {OwnerCase{"93.184.216.34:80", false}, OwnerCase{"93.184.216.34:80", true},
        OwnerCase{"[2606:2800::1]:80", false}}) {
    const Endpoint to = *Endpoint::parse(each.to);
    // A process that holds its connection until it is killed.
    Child client = (*session)->start([&]() -> int {
      sockaddr_storage storage;
      socklen_t length = to.to_sockaddr(storage);
      if (each.mapped) {
        auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
        in6 = {};
        in6.sin6_family = AF_INET6;
        in6.sin6_port = htons(to.port);
        std::ranges::copy(to.address.bytes(), in6.sin6_addr.s6_addr);
        length = sizeof in6;
      }
      UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM, 0));
      if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return 1;
      for (;;) ::pause();
    });
    auto accepted = accept_next(**session, (*session)->listener(to.address.is_v4()).tcp.get());
    ASSERT_TRUE(accepted && accepted->origin);
    int asked = 0;
    SocketOwnerFinder finder(UniqueFd(::dup((*session)->diagnosis())), [&] {
      ++asked;
      return std::vector<pid_t>{::getpid(), client.pid()};
    });
    for (int again = 0; again < 2; ++again) {
      auto owner = finder.find(Transport::kTcp, accepted->peer, accepted->origin->original);
      ASSERT_TRUE(owner) << each.to;
      EXPECT_EQ(owner->pid, client.pid());
      EXPECT_EQ(owner->uid, 65534u);
      EXPECT_EQ(owner->comm, "bpf_redirect_te");
      EXPECT_NE(owner->inode, 0u);
    }
    EXPECT_EQ(asked, 1) << "the second time the last holder is enough";
    EXPECT_FALSE(finder.find(Transport::kTcp, accepted->peer, *Endpoint::parse("9.9.9.9:9")));
  }
}

TEST_F(SessionNetworkTest, OwnersMayBeUnknown) {
  auto session = NftSession::make();
  ASSERT_TRUE(session) << session.error().what;
  Child client = (*session)->start([]() -> int {
    sockaddr_storage storage;
    const socklen_t length = Endpoint::parse("9.9.9.9:53")->to_sockaddr(storage);
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
    ::sendto(fd.get(), "q", 1, 0, reinterpret_cast<sockaddr*>(&storage), length);
    for (;;) ::pause();
  });
  const int listening = (*session)->listener(true).dns_udp.get();
  ASSERT_TRUE(wait_readable(listening, 5000));
  sockaddr_storage from{};
  socklen_t length = sizeof from;
  char byte = 0;
  ASSERT_EQ(::recvfrom(listening, &byte, 1, 0, reinterpret_cast<sockaddr*>(&from), &length), 1);
  const Endpoint peer = *Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&from), length);
  SocketOwnerFinder nobody(UniqueFd(::dup((*session)->diagnosis())),
                           [] { return std::vector<pid_t>{}; });
  auto owner = nobody.find(Transport::kUdp, peer, *Endpoint::parse("9.9.9.9:53"));
  ASSERT_TRUE(owner);
  EXPECT_EQ(owner->pid, 0);
  EXPECT_EQ(owner->comm, "");
  SocketOwnerFinder finder(UniqueFd(::dup((*session)->diagnosis())),
                           [&] { return std::vector<pid_t>{client.pid()}; });
  EXPECT_EQ(finder.find(Transport::kUdp, peer, *Endpoint::parse("9.9.9.9:53"))->pid, client.pid());
  EXPECT_FALSE(SocketOwnerFinder(UniqueFd(), [] {
                 return std::vector<pid_t>{};
               }).find(Transport::kTcp, peer, peer));
}

}  // namespace
}  // namespace agentsh::bpf::testing
