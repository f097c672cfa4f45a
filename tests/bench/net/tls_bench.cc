// TLS streams: handshakes, a relay between two of them, and what an idle connection holds.
//
// Client, relay and server run on one loop and one core, so the figures are what all of them cost
// together.
#include "certs/leaf_cache.h"
#include "proxy/net/connect.h"
#include "proxy/net/listener.h"
#include "proxy/net/relay.h"
#include "proxy/net/socket_stream.h"
#include "proxy/net/tls_stream.h"
#include "tests/support/run_loop.h"

#include <benchmark/benchmark.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <sys/resource.h>
#include <sys/socket.h>

#include <fstream>
#include <string>
#include <vector>

namespace agentsh::net {
namespace {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator&&;
using std::chrono::milliseconds;
using test::run_loop;

struct Setup {
  asio::io_context loop{1};
  std::shared_ptr<const certs::Authority> authority = certs::Authority::generate().value();
  std::unique_ptr<const certs::LeafFactory> leaves = certs::LeafFactory::create(authority).value();
  std::shared_ptr<const certs::Leaf> leaf = leaves->mint("www.example.com").value();
  std::shared_ptr<const ServerContext> servers =
      ServerContext::create(TicketKeys::random()).value();
  std::shared_ptr<ClientContext> clients =
      ClientContext::create(certs::TrustStore::from_pem(authority->certificate_pem()).value())
          .value();
  UniqueFd listening = listen_tcp({*IpAddress::parse("127.0.0.1"), 0}).value();
  Endpoint endpoint = local_endpoint(listening.get()).value();
  std::uint16_t port = 443;  // What sessions are kept under.

  using SocketPair = std::pair<std::unique_ptr<ByteStream>, std::unique_ptr<ByteStream>>;
  SocketPair tcp() {
    auto near = run_loop(loop, connect(loop.get_executor(), endpoint, milliseconds(5000)));
    UniqueFd socket(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    auto far = TcpStream::adopt(loop.get_executor(), std::move(socket));
    return {std::move(near.value()), std::move(far.value())};
  }

  SocketPair tls() {
    auto [near, far] = tcp();
    auto [client, server] = run_loop(
        loop,
        connect_tls(clients, std::move(near), {.host = "www.example.com", .port = port}) &&
            accept_tls(servers, std::move(far), {.leaf = leaf, .server_name = "www.example.com"}));
    return {std::move(client.value()), std::move(server.value())};
  }

  SocketPair make(bool with_tls) { return with_tls ? tls() : tcp(); }
};

// Both ends' work. Without resumption every connection is to a port that is new to the client.
void handshake(benchmark::State& state) {
  Setup setup;
  const bool resume = state.range(0) == 1;
  std::array<std::uint8_t, 64> buffer;
  for (auto _ : state) {
    if (!resume) ++setup.port;
    auto [client, server] = setup.tls();
    // The ticket is read with the first answer.
    run_loop(setup.loop, write(*server, as_bytes("x")));
    benchmark::DoNotOptimize(run_loop(setup.loop, read(*client, buffer)));
  }
}
BENCHMARK(handshake)->ArgName("resumed")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

asio::awaitable<void> send_for_ever(ByteStream& stream, std::size_t size) {
  const std::string block(size, 'x');
  while (co_await write(stream, as_bytes(block))) {
  }
}

asio::awaitable<Result<>> receive(ByteStream& stream, std::size_t size) {
  static std::array<std::uint8_t, 256 << 10> buffer;
  while (size > 0) {
    auto got = co_await read(stream, std::span(buffer).first(std::min(size, buffer.size())));
    if (!got || *got == 0) co_return std::unexpected(canceled_error());
    size -= *got;
  }
  co_return Result<>();
}

// client -> [a relay b] -> server
struct Chain {
  std::unique_ptr<ByteStream> client, a, b, server;
  RelayCounters counters;
  bool ended = false;

  Chain(Setup& setup, bool with_tls) {
    std::tie(client, a) = setup.make(with_tls);
    std::tie(b, server) = setup.make(with_tls);
    asio::co_spawn(setup.loop, relay(*a, *b, {.idle = std::chrono::minutes(5)}, counters),
                   [this](std::exception_ptr, const RelayEnd&) { ended = true; });
  }
  void end(Setup& setup) {
    client->close(true);
    server->close(true);
    while (!ended) setup.loop.run_one();
    setup.loop.poll();
  }
};

void relay_throughput(benchmark::State& state) {
  Setup setup;
  Chain chain(setup, state.range(0) == 1);
  asio::co_spawn(setup.loop, send_for_ever(*chain.server, 64 << 10), asio::detached);
  constexpr std::size_t kRound = 8 << 20;
  for (auto _ : state) {
    if (!run_loop(setup.loop, receive(*chain.client, kRound))) state.SkipWithError("relay ended");
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kRound));
  chain.end(setup);
}
BENCHMARK(relay_throughput)->ArgName("tls")->Arg(0)->Arg(1)->Unit(benchmark::kMillisecond);

asio::awaitable<Result<>> round_trip(ByteStream& client, ByteStream& server) {
  static const std::string message(256, 'm');
  std::array<std::uint8_t, 512> buffer;
  if (auto sent = co_await write(client, as_bytes(message)); !sent) co_return sent;
  if (auto got = co_await read(server, buffer); !got) co_return std::unexpected(got.error());
  if (auto sent = co_await write(server, as_bytes(message)); !sent) co_return sent;
  if (auto got = co_await read(client, buffer); !got) co_return std::unexpected(got.error());
  co_return Result<>();
}

void relay_round_trips(benchmark::State& state) {
  Setup setup;
  Chain chain(setup, state.range(0) == 1);
  for (auto _ : state) {
    if (!run_loop(setup.loop, round_trip(*chain.client, *chain.server))) {
      state.SkipWithError("relay ended");
    }
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
  chain.end(setup);
}
BENCHMARK(relay_round_trips)->ArgName("tls")->Arg(0)->Arg(1)->Unit(benchmark::kMicrosecond);

std::size_t resident_kb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::stoul(line.substr(6));
  }
  return 0;
}

// 1000, or as many as there are descriptors for: each has four sockets.
int pairs_that_fit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int>(std::min<rlim_t>(1000, (limit.rlim_max - 64) / 4));
}

// What the proxy holds for a connection with TLS on both legs that has moved some bytes and idles:
// two streams and the relay. The peers' ends are in this process too, so there are four streams;
// the figure is half of what all hold, which counts the relay half and the plain sockets' buffers
// (which are the kernel's) not at all.
void memory_per_idle_pair(benchmark::State& state) {
  const bool with_tls = state.range(0) == 1;
  const int pairs = pairs_that_fit();
  for (auto _ : state) {
    Setup setup;
    {
      Chain warm(setup, with_tls);
      warm.end(setup);
    }
    const std::size_t before = resident_kb();
    std::vector<std::unique_ptr<Chain>> chains;
    for (int i = 0; i < pairs; ++i) {
      chains.push_back(std::make_unique<Chain>(setup, with_tls));
      for (int n = 0; n < 2; ++n) {
        auto moved =
            run_loop(setup.loop, round_trip(*chains.back()->client, *chains.back()->server));
        if (!moved) state.SkipWithError("relay ended");
      }
    }
    const std::size_t after = resident_kb();
    state.counters["pairs"] = pairs;
    state.counters["kb_per_pair"] = static_cast<double>(after - before) / 2 / pairs;
    for (auto& chain : chains) chain->end(setup);
  }
}
BENCHMARK(memory_per_idle_pair)
    ->ArgName("tls")
    ->Arg(0)
    ->Arg(1)
    ->Iterations(1)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace agentsh::net
