// What is closed: other transports, datagrams that are not DNS, and how refusals are told.
#include "proxy/bpf/nft_refusal_log.h"
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

namespace agentsh::bpf::testing {
namespace {

constexpr int kMptcp = 262;
constexpr int kSmc = 256;
constexpr int kL2tp = 115;
constexpr int kSeqPacket = 5;
constexpr int kDccpType = 6;

class Refused : public BothVariants {};
INSTANTIATE_TEST_SUITE_P(Refused, Refused, ::testing::ValuesIn(kAllVariants), variant_name);

struct DatagramCase {
  const char* name;
  Datagram datagram;
};

std::vector<DatagramCase> datagrams() {
  const auto to = [](const char* text) { return *Endpoint::parse(text); };
  return {
      {"QUIC", {.to = to("93.184.216.34:443")}},
      {"QUIC, connected", {.to = to("93.184.216.34:443"), .connected = true}},
      {"QUIC, IPv6", {.to = to("[2606:2800::1]:443")}},
      {"QUIC, IPv6, connected", {.to = to("[2606:2800::1]:443"), .connected = true}},
      {"QUIC, mapped", {.to = to("93.184.216.34:443"), .mapped = true}},
      {"QUIC, mapped, connected",
       {.to = to("93.184.216.34:443"), .mapped = true, .connected = true}},
      {"NTP", {.to = to("162.159.200.1:123")}},
      {"sendmmsg", {.to = to("162.159.200.1:123"), .many = true}},
      {"mDNS", {.to = to("224.0.0.251:5353")}},
      {"LLMNR, IPv6", {.to = to("[ff02::1:3]:5355")}},
      {"multicast, connected", {.to = to("239.255.255.250:1900"), .connected = true}},
      {"broadcast", {.to = to("255.255.255.255:67"), .broadcast = true}},
      {"metadata", {.to = to("169.254.169.254:80")}},
      {"DNS over another port", {.to = to("9.9.9.9:5353")}},
  };
}

TEST_P(Refused, DatagramsThatAreNotDns) {
  for (const DatagramCase& each : datagrams()) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(say_in(*session_, each.datagram), "errno EPERM");
  }
}

// Programs learn their own address this way, and getaddrinfo() sorts by it.
TEST_P(Refused, ConnectOfADatagramSocketSendsNothingAndIsLeftAlone) {
  const std::string said = session_->run([] {
    sockaddr_storage storage;
    const socklen_t length = Endpoint::parse("8.8.8.8:80")->to_sockaddr(storage);
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) {
      say(errno_text(errno));
      return 1;
    }
    socklen_t own_length = sizeof storage;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &own_length);
    say(Endpoint::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), own_length)
            ->address.to_string());
    return 0;
  });
  EXPECT_EQ(said, "198.18.0.1");
}

TEST_P(Refused, DatagramsWithinTheSessionAreItsOwn) {
  for (const char* at : {"127.0.0.1:7000", "[::1]:7000", "198.18.0.1:7000"}) {
    const Endpoint own = *Endpoint::parse(at);
    const std::string said = session_->run([&] {
      sockaddr_storage storage;
      const socklen_t length = own.to_sockaddr(storage);
      UniqueFd server(::socket(storage.ss_family, SOCK_DGRAM, 0));
      ::bind(server.get(), reinterpret_cast<sockaddr*>(&storage), length);
      const std::string sent = send_datagram({.to = own});
      say(sent + (wait_readable(server.get(), 2000) ? " arrived" : " lost"));
      return 0;
    });
    EXPECT_EQ(said, "ok arrived") << at;
  }
}

// A session without capabilities of its own cannot make these in any variant; what an ordinary
// process can make leads nowhere.
TEST_P(Refused, OtherTransports) {
  struct {
    const char* name;
    int type;
    int protocol;
  } const sockets[] = {
      {"raw ICMP", SOCK_RAW, IPPROTO_ICMP},
      {"raw IP", SOCK_RAW, IPPROTO_RAW},
      {"raw UDP", SOCK_RAW, IPPROTO_UDP},
      {"ping", SOCK_DGRAM, IPPROTO_ICMP},
      {"UDP-Lite", SOCK_DGRAM, IPPROTO_UDPLITE},
      {"SCTP", SOCK_STREAM, IPPROTO_SCTP},
      {"SCTP seqpacket", kSeqPacket, IPPROTO_SCTP},
      {"DCCP", kDccpType, IPPROTO_DCCP},
      {"L2TP", SOCK_DGRAM, kL2tp},
      {"MPTCP", SOCK_STREAM, kMptcp},
      {"SMC", SOCK_STREAM, kSmc},
  };
  for (const auto& each : sockets) {
    for (const int family : {AF_INET, AF_INET6}) {
      const std::string said = session_->run([&] {
        say(try_socket(family, each.type, each.protocol));
        return 0;
      });
      if (is_bpf()) {
        // EACCES and ESOCKTNOSUPPORT where the kernel refuses before the hook is asked.
        EXPECT_TRUE(said == "errno EPROTONOSUPPORT" || said == "errno ESOCKTNOSUPPORT" ||
                    said == "errno EACCES")
            << each.name << " " << said;
      } else if (said == "ok") {
        // Seccomp refuses these in a real session; without it the rules do, below.
        EXPECT_NE(each.type, SOCK_RAW) << each.name;
      }
    }
  }
}

TEST(RefusedByNft, UdpLiteLeadsNowhere) {
  AGENTSH_REQUIRE_ROOT();
  auto session = NftSession::make();
  ASSERT_TRUE(session) << session.error().what;
  const std::string said = (*session)->run([] {
    sockaddr_storage storage;
    const socklen_t length = Endpoint::parse("9.9.9.9:53")->to_sockaddr(storage);
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE));
    const ssize_t sent =
        fd ? ::sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&storage), length) : -1;
    say(sent < 0 ? errno_text(errno) : "ok");
    return 0;
  });
  EXPECT_TRUE(said == "errno EPERM" || said == "errno EPROTONOSUPPORT") << said;
}

TEST(RefusedByNft, MptcpIsRedirectedAsTcp) {
  AGENTSH_REQUIRE_ROOT();
  auto session = NftSession::make();
  ASSERT_TRUE(session) << session.error().what;
  const TcpClient client{.to = *Endpoint::parse("93.184.216.34:443"), .protocol = kMptcp};
  const std::string said = say_in(**session, client);
  if (said == "errno EPROTONOSUPPORT") return;  // A kernel without it.
  EXPECT_EQ(said, "ok 93.184.216.34:443");
  auto accepted = accept_next(**session, (*session)->listener(true).tcp.get());
  ASSERT_TRUE(accepted && accepted->origin);
  EXPECT_EQ(accepted->origin->original, client.to);
}

TEST(RefusedByNft, RejectionsAreTold) {
  AGENTSH_REQUIRE_ROOT();
  auto session = NftSession::make({.log_group = 5});
  ASSERT_TRUE(session) << session.error().what;
  const netns::ListenerSockets& listener = (*session)->listener(true);
  const Endpoint direct{listener.address, listener.tcp_port};
  const Endpoint quic = *Endpoint::parse("1.2.3.4:443");
  const Endpoint quic6 = *Endpoint::parse("[2001:db8::1]:443");
  (*session)->run([&] {
    for (int i = 0; i < 3; ++i) send_datagram({.to = quic});
    send_datagram({.to = quic6, .connected = true});
    run_tcp_client({.to = direct});
    run_tcp_client({.to = quic});
    return 0;
  });
  NftRefusalLog log(UniqueFd(::dup((*session)->log_socket())), {listener.address});
  std::vector<KernelRefusal> told;
  ASSERT_TRUE(log.read([&](const KernelRefusal& refusal) { told.push_back(refusal); }));
  ASSERT_EQ(told.size(), 3u);
  EXPECT_EQ(told[0].destination, quic);
  EXPECT_EQ(told[0].kind, RefusalKind::kUdp);
  EXPECT_EQ(told[0].count, 3u);
  EXPECT_EQ(told[0].uid, 65534u);
  EXPECT_EQ(told[0].error, EPERM);
  EXPECT_EQ(told[1].destination, quic6);
  EXPECT_EQ(told[2].destination, direct);
  EXPECT_EQ(told[2].kind, RefusalKind::kListener);
  EXPECT_EQ(told[2].error, ECONNREFUSED);
  EXPECT_EQ(log.overflows(), 0u);
}

// --- What user space hears -----------------------------------------------------------------------

using Refusals = BpfOnly;

TEST_F(Refusals, NameProcessDestinationAndReason) {
  auto session = make_session();
  Child child = session->start([] {
    say(send_datagram({.to = *Endpoint::parse("1.2.3.4:443")}));
    return 0;
  });
  const pid_t pid = child.pid();
  EXPECT_EQ(child.finish(), "errno EPERM");
  const auto refusals = take_refusals();
  ASSERT_EQ(refusals.size(), 1u);
  const KernelRefusal& refusal = refusals.front();
  EXPECT_EQ(refusal.netns_cookie, session->cookie());
  EXPECT_EQ(refusal.kind, RefusalKind::kUdp);
  EXPECT_EQ(refusal.destination, Endpoint::parse("1.2.3.4:443"));
  EXPECT_EQ(refusal.protocol, IPPROTO_UDP);
  EXPECT_EQ(refusal.error, EPERM);
  EXPECT_EQ(refusal.pid, pid);
  EXPECT_EQ(refusal.comm, "bpf_redirect_te");
  EXPECT_EQ(refusal.count, 1u);
  const auto age = std::chrono::system_clock::now() - refusal.first_at;
  EXPECT_LT(std::chrono::abs(age), std::chrono::minutes(1));
}

TEST_F(Refusals, OfConnectedDatagramsNameTheProcessToo) {
  auto session = make_session();
  for (const char* to : {"1.2.3.4:443", "[2001:db8::1]:443"}) {
    Child child = session->start([&] {
      say(send_datagram({.to = *Endpoint::parse(to), .connected = true}));
      return 0;
    });
    const pid_t pid = child.pid();
    EXPECT_EQ(child.finish(), "errno EPERM");
    const auto refusals = take_refusals();
    ASSERT_EQ(refusals.size(), 1u);
    EXPECT_EQ(refusals.front().pid, pid);
    EXPECT_EQ(refusals.front().kind, RefusalKind::kUdp);
    EXPECT_EQ(refusals.front().destination, Endpoint::parse(to));
  }
}

TEST_F(Refusals, OfSocketsNameTheType) {
  auto session = make_session();
  session->run([] {
    try_socket(AF_INET, SOCK_STREAM, kMptcp);
    return 0;
  });
  const auto refusals = take_refusals();
  ASSERT_EQ(refusals.size(), 1u);
  EXPECT_EQ(refusals.front().kind, RefusalKind::kSocketType);
  EXPECT_FALSE(refusals.front().destination);
  EXPECT_EQ(refusals.front().protocol, kMptcp);
  EXPECT_EQ(refusals.front().socket_type, SOCK_STREAM);
}

std::uint64_t sum_of_counts(const std::vector<KernelRefusal>& refusals) {
  std::uint64_t sum = 0;
  for (const KernelRefusal& refusal : refusals) sum += refusal.count;
  return sum;
}

TEST_F(Refusals, AreCountedExactlyAndReportedTogether) {
  auto session = make_session();
  constexpr int kEach = 20000;
  std::vector<Child> children;
  for (int child = 0; child < 2; ++child) {
    children.push_back(session->start([] {
      sockaddr_storage storage;
      const socklen_t length = Endpoint::parse("1.2.3.4:443")->to_sockaddr(storage);
      UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
      for (int i = 0; i < kEach; ++i) {
        ::sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&storage), length);
      }
      return 0;
    }));
  }
  // Drained while they run: nothing may fall between the epochs.
  std::vector<KernelRefusal> all;
  const auto collect = [&] {
    const auto more = take_refusals();
    all.insert(all.end(), more.begin(), more.end());
  };
  for (Child& child : children) {
    while (!wait_readable(child.output_fd(), 1)) collect();
    child.finish();
  }
  collect();
  EXPECT_EQ(sum_of_counts(all), 2u * kEach);
  EXPECT_LT(all.size(), 2000u);
}

// More different destinations than the counting table holds: what is not reported is at least
// counted.
TEST_F(Refusals, LoseNoCountWhenTheTableIsFull) {
  auto session = make_session();
  constexpr std::uint64_t kDestinations = 30000;
  const std::uint64_t before = redirector_->statistics().refusals_uncounted;
  session->run([] {
    UniqueFd fd(::socket(AF_INET, SOCK_DGRAM, 0));
    for (std::uint32_t i = 0; i < kDestinations; ++i) {
      sockaddr_storage storage;
      const socklen_t length = Endpoint{IpAddress::v4(0x0b000000 + i), 443}.to_sockaddr(storage);
      ::sendto(fd.get(), "x", 1, 0, reinterpret_cast<sockaddr*>(&storage), length);
    }
    return 0;
  });
  const std::uint64_t reported = sum_of_counts(take_refusals());
  const std::uint64_t uncounted = redirector_->statistics().refusals_uncounted - before;
  EXPECT_EQ(reported + uncounted, kDestinations);
  EXPECT_GT(reported, 8000u);
}

}  // namespace
}  // namespace agentsh::bpf::testing
