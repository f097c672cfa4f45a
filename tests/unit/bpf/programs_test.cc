// Real programs, and very many connections.
#include "tests/unit/bpf/clients.h"
#include "tests/unit/bpf/variants.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <random>

namespace agentsh::bpf::testing {
namespace {

class Programs : public BothVariants {
 protected:
  // Answers every HTTP request with the destination that its connection was for, until `child`
  // ends.
  std::string serve_http(Child child) {
    const int v4 = session_->listener(true).tcp.get();
    const int v6 = session_->listener(false).tcp.get();
    for (;;) {
      std::array<pollfd, 3> waits{{{v4, POLLIN, 0}, {v6, POLLIN, 0}, {child.pid_fd(), POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), 30000) <= 0) return "the program hangs";
      for (const pollfd& ready : {waits[0], waits[1]}) {
        if (ready.revents != 0) answer(ready.fd);
      }
      if (waits[2].revents != 0) return child.finish();
    }
  }

  void answer(int listening) {
    auto accepted = accept_next(*session_, listening);
    if (!accepted) return;
    char request[4096];
    if (::read(accepted->fd.get(), request, sizeof request) <= 0) return;
    const std::string body = accepted->origin ? accepted->origin->original.to_string() : "unknown";
    if (is_bpf() && accepted->origin) seen_.push_back(accepted->origin->comm);
    const std::string response =
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    ASSERT_EQ(::write(accepted->fd.get(), response.data(), response.size()),
              static_cast<ssize_t>(response.size()));
  }

  std::vector<std::string> seen_;  // comm of the clients.
};
INSTANTIATE_TEST_SUITE_P(Programs, Programs, ::testing::ValuesIn(kAllVariants), variant_name);

bool have(const char* program) {
  Child child = fork_child([&] {
    return ::execlp("sh", "sh", "-c",
                    (std::string("command -v ") + program + " >/dev/null").c_str(), nullptr);
  });
  int status = 0;
  child.finish(&status);
  return status == 0;
}

constexpr const char* kPython =
    "import urllib.request as r\n"
    "o = r.build_opener(r.ProxyHandler({}))\n"
    "for u in ('http://93.184.216.34:8080/', 'http://[2606:2800::1]:8080/'):\n"
    "  print(o.open(u, timeout=10).read().decode())\n";
constexpr const char* kNode =
    "const go = async () => { for (const u of ['http://93.184.216.34:8080/', "
    "'http://[2606:2800::1]:8080/']) console.log(await (await fetch(u)).text()) }; go()";

TEST_P(Programs, SeeTheirDestination) {
  struct {
    const char* program;
    std::vector<std::string> argv;
  } const cases[] = {
      {"curl",
       {"curl", "-sS", "--noproxy", "*", "-w", "\n", "http://93.184.216.34:8080/", "-w", "\n",
        "http://[2606:2800::1]:8080/"}},
      {"/usr/bin/python3", {"/usr/bin/python3", "-c", kPython}},
      {"node", {"node", "-e", kNode}},
  };
  int ran = 0;
  for (const auto& each : cases) {
    if (!have(each.program)) continue;
    ++ran;
    EXPECT_EQ(serve_http(session_->start(each.argv)), "93.184.216.34:8080\n[2606:2800::1]:8080\n")
        << each.program;
  }
  EXPECT_GT(ran, 0) << "none of curl, python3 and node is installed";
  if (is_bpf()) EXPECT_EQ(seen_.size(), 2u * static_cast<unsigned>(ran));
}

// --- Very many -----------------------------------------------------------------------------------

// What a client says on its connection: where it meant to go.
struct Claim {
  std::uint8_t address[16];
  std::uint32_t port = 0;
  std::uint32_t number = 0;
};

struct RandomTarget {
  Endpoint to;
  bool mapped = false;
};

RandomTarget random_target(std::mt19937& random) {
  RandomTarget target;
  const std::uint32_t kind = static_cast<std::uint32_t>(random()) % 3;
  if (kind == 2) {
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
    for (std::size_t i = 4; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(random());
    target.to.address = IpAddress::v6(bytes);
  } else {
    // 1.0.0.0 to 126.255.255.255
    target.to.address = IpAddress::v4((1u + static_cast<std::uint32_t>(random()) % 126u) << 24 |
                                      (static_cast<std::uint32_t>(random()) & 0xffffffu));
    target.mapped = kind == 1;
  }
  do {
    target.to.port = static_cast<std::uint16_t>(random());
  } while (target.to.port == 0 || target.to.port == 53);
  return target;
}

// One connection, one of several ways. Empty when all was as it should be.
std::string connect_randomly(std::mt19937& random, std::uint32_t number) {
  const RandomTarget target = random_target(random);
  Claim claim{};
  std::memcpy(claim.address, target.to.address.bytes().data(), sizeof claim.address);
  claim.port = target.to.port;
  claim.number = number;
  TcpClient client{.to = target.to, .mapped = target.mapped};
  client.payload.assign(reinterpret_cast<const char*>(&claim), sizeof claim);
  // Binding first is rare, because it is slow when most ports are in TIME_WAIT, as everywhere.
  const std::uint32_t way = static_cast<std::uint32_t>(random()) % 40;
  client.bind_first = way == 0;
  client.non_blocking = way >= 1 && way < 10;
  client.fast_open = way >= 10 && way < 20;
  client.fast_open_connect = way >= 20 && way < 30;
  const std::string said = run_tcp_client(client);
  const std::string expected =
      "ok " + std::string(target.mapped ? "mapped " : "") + target.to.to_string();
  // No source port is free: all flows share one destination, and a client that binds first cannot
  // have a port in TIME_WAIT, as on any machine.
  if (said == "errno EADDRNOTAVAIL" || (client.bind_first && said == "errno EADDRINUSE")) return {};
  return said == expected ? std::string() : expected + " but " + said;
}

class Storm : public BothVariants {
 protected:
  // Serves one connection; returns whether what was claimed is what the kernel says.
  void check(int listening) {
    auto accepted = accept_next(*session_, listening, 0);
    if (!accepted) return;
    ++accepted_;
    Claim claim{};
    const ssize_t got = ::recv(accepted->fd.get(), &claim, sizeof claim, MSG_WAITALL);
    if (got != sizeof claim || !accepted->origin) {
      ++lost_;
      return;
    }
    const Endpoint claimed{IpAddress::from_network(claim.address, 16),
                           static_cast<std::uint16_t>(claim.port)};
    if (claimed != accepted->origin->original) ++wrong_;
  }

  void run(int connections) {
    std::array<std::optional<Child>, 2> children;
    for (unsigned i = 0; i < children.size(); ++i) {
      children[i].emplace(session_->start([&] {
        std::mt19937 random(1000 + i);
        for (int n = 0; n < connections / 2; ++n) {
          const std::string complaint = connect_randomly(random, static_cast<std::uint32_t>(n));
          if (!complaint.empty()) {
            say(complaint);
            return 1;
          }
        }
        return 0;
      }));
    }
    const int v4 = session_->listener(true).tcp.get();
    const int v6 = session_->listener(false).tcp.get();
    for (int running = 2; running > 0 || wait_readable(v4, 0) || wait_readable(v6, 0);) {
      std::array<pollfd, 4> waits{
          {{v4, POLLIN, 0}, {v6, POLLIN, 0}, {-1, POLLIN, 0}, {-1, POLLIN, 0}}};
      for (unsigned i = 0; i < 2; ++i) {
        if (children[i]) waits[2 + i].fd = children[i]->pid_fd();
      }
      ASSERT_GT(::poll(waits.data(), waits.size(), 20000), 0);
      if (waits[0].revents != 0) check(v4);
      if (waits[1].revents != 0) check(v6);
      for (unsigned i = 0; i < 2; ++i) {
        if (waits[2 + i].revents == 0) continue;
        EXPECT_EQ(children[i]->finish(), "");
        children[i].reset();
        --running;
      }
    }
  }

  int accepted_ = 0;
  int lost_ = 0;
  int wrong_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Storm, Storm, ::testing::ValuesIn(kAllVariants), variant_name);

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr int kConnections = 20000;
#else
constexpr int kConnections = 100000;
#endif
#endif

TEST_P(Storm, NoConnectionIsTakenForAnother) {
  // By nftables every flow costs a conntrack entry, of which the machine allows a number.
  run(is_bpf() ? kConnections : kConnections / 5);
  EXPECT_EQ(wrong_, 0);
  EXPECT_EQ(lost_, 0);
  EXPECT_GT(accepted_, kConnections / 6);
  if (!is_bpf()) return;
  std::string why;
  Redirector* redirector = shared_redirector(why);
  session_.reset();
  redirector->sweep_flows({});
  EXPECT_EQ(redirector->statistics().flows_waiting, 0u);
  EXPECT_EQ(redirector->statistics().flow_table_full, 0u);
}

}  // namespace
}  // namespace agentsh::bpf::testing
