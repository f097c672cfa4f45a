// What the redirect costs: connect() and sendto() with and without it in alternating rounds, each
// program by the kernel's own statistics, and the price of a session. All on loopback, in
// namespaces made here.
//
//   redirect_bench [--rounds N]
#include "proxy/bpf/redirector.h"
#include "tests/unit/bpf/session_fixture.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace agentsh::bpf::testing {
namespace {

using Clock = std::chrono::steady_clock;
using Microseconds = std::chrono::duration<double, std::micro>;

constexpr int kConnectsPerRound = 500;
const Endpoint kSite4 = *Endpoint::parse("93.184.216.34:443");
const Endpoint kSite6 = *Endpoint::parse("[2606:2800::1]:443");

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + at);
  return values[static_cast<std::size_t>(at)];
}

// An acceptor that waits in accept(2), as an idle proxy does, and asks where each connection was
// going. Ends with the object.
class Acceptor {
 public:
  Acceptor(SessionFixture& session, int listening, bool asks) : listening_(listening) {
    // Blocking, so that the thread waits in the call itself.
    ::fcntl(listening, F_SETFL, ::fcntl(listening, F_GETFL) & ~O_NONBLOCK);
    thread_ = std::jthread([&session, listening, asks] {
      while (serve_one(session, listening, asks)) continue;
    });
  }
  ~Acceptor() { ::shutdown(listening_, SHUT_RD); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

 private:
  static bool serve_one(SessionFixture& session, int listening, bool asks) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    const UniqueFd accepted(::accept4(listening, address, &length, SOCK_CLOEXEC));
    if (!accepted) return errno != EINVAL;
    if (!asks) return true;
    const auto peer = Endpoint::from_sockaddr(address, length);
    length = sizeof storage;
    ::getsockname(accepted.get(), address, &length);
    const auto local = Endpoint::from_sockaddr(address, length);
    if (peer && local) (void)session.origin(accepted.get(), *peer, *local);
    return true;
  }

  int listening_;
  std::jthread thread_;
};

// The durations of connect() in microseconds, as raw doubles on the output.
int time_connects(const Endpoint& to) {
  sockaddr_storage storage;
  const socklen_t length = to.to_sockaddr(storage);
  std::vector<double> times;
  for (int i = 0; i < kConnectsPerRound; ++i) {
    UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd) return 1;
    const linger reset{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    const auto start = Clock::now();
    if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) return 1;
    times.push_back(Microseconds(Clock::now() - start).count());
  }
  say(std::string(reinterpret_cast<const char*>(times.data()), times.size() * sizeof(double)));
  return 0;
}

int time_sends(const Endpoint& to) {
  sockaddr_storage storage;
  const socklen_t length = to.to_sockaddr(storage);
  UniqueFd fd(::socket(storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return 1;
  std::vector<double> times;
  for (int i = 0; i < kConnectsPerRound; ++i) {
    const auto start = Clock::now();
    if (::sendto(fd.get(), "q", 1, 0, reinterpret_cast<sockaddr*>(&storage), length) != 1) return 1;
    times.push_back(Microseconds(Clock::now() - start).count());
  }
  say(std::string(reinterpret_cast<const char*>(times.data()), times.size() * sizeof(double)));
  return 0;
}

void drain(int socket) {
  char buffer[64];
  while (::recv(socket, buffer, sizeof buffer, MSG_DONTWAIT) >= 0) continue;
}

// One kind of call in one session.
struct Series {
  const char* name;
  const SessionFixture* session;
  Endpoint to;
  std::vector<double> times;

  void run_round(int (*body)(const Endpoint&)) {
    int status = 0;
    const std::string raw = session->start([&] { return body(to); }).finish(&status);
    if (status != 0 || raw.size() % sizeof(double) != 0) {
      std::fprintf(stderr, "%s: the client failed\n", name);
      std::exit(1);
    }
    const std::size_t before = times.size();
    times.resize(before + raw.size() / sizeof(double));
    std::memcpy(times.data() + before, raw.data(), raw.size());
  }
};

void compare(const char* call, std::vector<Series>& series, int rounds,
             int (*body)(const Endpoint&)) {
  for (int round = 0; round < rounds; ++round) {
    for (Series& each : series) {
      each.run_round(body);
      for (const netns::ListenerSockets& listener : each.session->listeners())
        drain(listener.dns_udp.get());
    }
  }
  const double base50 = percentile(series.front().times, 0.5);
  const double base99 = percentile(series.front().times, 0.99);
  for (Series& each : series) {
    const double p50 = percentile(each.times, 0.5);
    const double p99 = percentile(each.times, 0.99);
    std::printf("%-10s %-22s p50 %7.2f us  p99 %7.2f us   added p50 %+6.2f  p99 %+6.2f\n", call,
                each.name, p50, p99, p50 - base50, p99 - base99);
  }
}

struct ProgramCost {
  std::uint64_t runs = 0;
  std::uint64_t nanoseconds = 0;
};

// Run statistics of every loaded program whose name is one of ours.
std::map<std::string, ProgramCost> program_costs() {
  constexpr std::array kNames = {"sock_create",  "connect4",     "connect6",    "sendmsg4",
                                 "sendmsg6",     "recvmsg4",     "recvmsg6",    "egress",
                                 "sock_release", "getpeername4", "getpeername6"};
  std::map<std::string, ProgramCost> costs;
  std::uint32_t id = 0;
  while (bpf_prog_get_next_id(id, &id) == 0) {
    const UniqueFd fd(bpf_prog_get_fd_by_id(id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (!fd || bpf_obj_get_info_by_fd(fd.get(), &info, &size) != 0) continue;
    if (std::ranges::find(kNames, std::string_view(info.name)) == kNames.end()) continue;
    costs[info.name].runs += info.run_cnt;
    costs[info.name].nanoseconds += info.run_time_ns;
  }
  return costs;
}

void print_program_costs(BpfSession& session) {
  const UniqueFd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
  if (!statistics) {
    std::printf("programs: the kernel keeps no run statistics\n");
    return;
  }
  const auto before = program_costs();
  for (int i = 0; i < 4; ++i) {
    session.start([] { return time_connects(kSite4); }).finish();
    session.start([] { return time_connects(kSite6); }).finish();
    session.start([] { return time_sends({kSite4.address, 53}); }).finish();
    session.start([] { return time_sends({kSite6.address, 53}); }).finish();
  }
  std::printf("programs (the kernel's statistics, which add some 30 ns to each run):\n");
  for (const auto& [name, after] : program_costs()) {
    const auto earlier = before.contains(name) ? before.at(name) : ProgramCost{};
    const std::uint64_t runs = after.runs - earlier.runs;
    if (runs == 0) continue;
    std::printf(
        "  %-14s %8llu runs  %6.0f ns each\n", name.c_str(), static_cast<unsigned long long>(runs),
        static_cast<double>(after.nanoseconds - earlier.nanoseconds) / static_cast<double>(runs));
  }
}

template <class Body>
double median_of(int times, Body body) {
  std::vector<double> taken;
  for (int i = 0; i < times; ++i) {
    const auto start = Clock::now();
    body();
    taken.push_back(Microseconds(Clock::now() - start).count());
  }
  return percentile(taken, 0.5);
}

void print_session_costs(Redirector& redirector, BpfSession& session) {
  std::printf("load and probe         %8.0f us\n", median_of(5, [] {
                const auto loaded = Redirector::create({});
                if (!loaded) std::exit(1);
              }));
  // The namespace's part, in a child of its own, as the session's init does it.
  Child child = fork_child([] {
    std::vector<double> taken;
    for (int i = 0; i < 21; ++i) {
      if (::unshare(CLONE_NEWNET) != 0) return 1;
      const auto start = Clock::now();
      if (!netns::set_up_session_network()) return 1;
      taken.push_back(Microseconds(Clock::now() - start).count());
    }
    say(std::to_string(percentile(taken, 0.5)));
    return 0;
  });
  std::printf("session network        %8.0f us  (lo, addresses, routes, 6 sockets)\n",
              std::strtod(child.finish().c_str(), nullptr));
  auto cgroup = TestCgroup::make();
  if (!cgroup) std::exit(1);
  const SessionRedirect redirect{cgroup->fd(),
                                 session.cookie() + 1,
                                 netns::listener_endpoints(session.listeners()),
                                 {netns::own_address4()},
                                 {},
                                 {}};
  std::printf("attach and detach      %8.0f us  per session\n", median_of(21, [&] {
                if (!redirector.attach(redirect)) std::exit(1);
              }));
  std::vector<StaticRule> rules;
  for (std::uint32_t i = 0; i < 10000; ++i) {
    rules.push_back({{IpAddress::v4(i << 12), 20}, 0, 65535, StaticAnswer::kNotPermitted, i});
  }
  std::printf("10 000 static rules    %8.0f us  per policy\n", median_of(3, [&] {
                if (!redirector.load_denials(rules)) std::exit(1);
              }));
  const Endpoint nobody = *Endpoint::parse("127.83.71.1:1");
  std::printf("take a flow            %8.2f us  per accepted connection\n",
              median_of(9, [&] {
                for (int i = 0; i < 1000; ++i)
                  (void)redirector.take_flow(session.cookie(), nobody, nobody);
              }) / 1000);
}

int run(int rounds) {
  auto redirector = Redirector::create({});
  auto plain = redirector ? BpfSession::make(**redirector) : std::unexpected(redirector.error());
  auto bpf = redirector ? BpfSession::make(**redirector) : std::unexpected(redirector.error());
  auto nft = NftSession::make();
  if (!plain || !bpf || !nft) {
    std::fprintf(stderr, "%s\n",
                 (!plain ? plain.error()
                  : !bpf ? bpf.error()
                         : nft.error())
                     .what.c_str());
    return 1;
  }
  (*plain)->detach();
  {
    std::vector<std::unique_ptr<Acceptor>> acceptors;
    for (SessionFixture* session :
         std::initializer_list<SessionFixture*>{plain->get(), bpf->get(), nft->get()}) {
      // The nftables session's origin() also asks for the owner, which would measure something
      // else.
      const bool asks = session == bpf->get();
      for (const netns::ListenerSockets& listener : session->listeners()) {
        acceptors.push_back(std::make_unique<Acceptor>(*session, listener.tcp.get(), asks));
      }
    }
    const auto direct = [&](bool v4) {
      const netns::ListenerSockets& listener = (*plain)->listener(v4);
      return Endpoint{listener.address, listener.tcp_port};
    };
    std::vector<Series> tcp4{{"direct, IPv4", plain->get(), direct(true), {}},
                             {"eBPF, IPv4", bpf->get(), kSite4, {}},
                             {"nftables, IPv4", nft->get(), kSite4, {}}};
    std::vector<Series> tcp6{{"direct, IPv6", plain->get(), direct(false), {}},
                             {"eBPF, IPv6", bpf->get(), kSite6, {}},
                             {"nftables, IPv6", nft->get(), kSite6, {}}};
    compare("connect()", tcp4, rounds, time_connects);
    compare("connect()", tcp6, rounds, time_connects);
    const netns::ListenerSockets& dns = (*plain)->listener(true);
    std::vector<Series> udp{{"direct, IPv4", plain->get(), {dns.address, dns.dns_udp_port}, {}},
                            {"eBPF, IPv4", bpf->get(), {kSite4.address, 53}, {}},
                            {"nftables, IPv4", nft->get(), {kSite4.address, 53}, {}}};
    compare("sendto()", udp, rounds, time_sends);
    print_program_costs(**bpf);
  }
  print_session_costs(**redirector, **bpf);
  return 0;
}

}  // namespace
}  // namespace agentsh::bpf::testing

int main(int argc, char** argv) {
  if (::geteuid() != 0) {
    std::printf("redirect_bench makes namespaces and loads eBPF: run as root\n");
    return 0;
  }
  int rounds = 40;
  if (argc == 3 && std::strcmp(argv[1], "--rounds") == 0) rounds = std::atoi(argv[2]);
  return agentsh::bpf::testing::run(std::max(rounds, 1));
}
