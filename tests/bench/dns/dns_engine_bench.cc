// Time per question inside the process: message in, decision, cache, lease, message and event out.
#include "proxy/dns/lookup.h"
#include "proxy/dns/response.h"
#include "tests/bench/dns/bench_policy.h"
#include "tests/unit/dns/fakes.h"

#include <benchmark/benchmark.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace agentsh::dns {
namespace {

struct Bench {
  std::shared_ptr<Cache> cache = std::make_shared<Cache>();
  Engine engine{{.hosts_file = ""}, cache};
  std::shared_ptr<BenchObserver> observer = std::make_shared<BenchObserver>();
  std::shared_ptr<Session> session;
  std::vector<std::vector<std::uint8_t>> queries;
  std::vector<std::uint8_t> out;
  policy::Actor actor;

  explicit Bench(std::size_t names) {
    SessionOptions options;
    options.id = "bench";
    // Compiling a million names takes seconds: once, however often the benchmark is run.
    static std::map<std::size_t, std::shared_ptr<BenchPolicy>> policies;
    auto& policy = policies[names];
    if (!policy) policy = std::make_shared<BenchPolicy>(names);
    options.policy = policy;
    options.observer = observer;
    session = std::make_shared<Session>(std::move(options));
  }

  void add_cached(const std::string& host) {
    Answer answer;
    answer.rcode = Rcode::kNoError;
    answer.records = {address_record(host, "93.184.216.34", 3600),
                      address_record(host, "93.184.216.35", 3600)};
    answer.ttl = 3600;
    answer.received = std::chrono::steady_clock::now();
    answer.server = "192.0.2.53:53";
    cache->insert({host, RrType::kA, false}, std::make_shared<const Answer>(std::move(answer)));
    queries.push_back(write_message(question(host)));
  }

  void handle(const std::vector<std::uint8_t>& bytes) {
    const TimePoint now = std::chrono::steady_clock::now();
    ReceivedQuery received = read_query(bytes, QueryTransport::kUdp, {});
    received.query->started = now;
    Lookup lookup(engine, session, std::move(*received.query), now);
    if (lookup.start() != Step::kDone) std::abort();
    write_reply(received.frame, lookup.outcome(), out);
    observer->answered({session->id(), lookup.query(), lookup.outcome(), actor,
                        std::chrono::steady_clock::now() - now});
  }
};

void cached_name(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  for (int i = 0; i < 1000; ++i) bench.add_cached("n" + std::to_string(i) + ".example.com");
  std::size_t next = 0;
  for (auto step : state) bench.handle(bench.queries[next++ % bench.queries.size()]);
}
BENCHMARK(cached_name)->Arg(10)->Arg(1'000'000);

void denied_name(benchmark::State& state) {
  Bench bench(static_cast<std::size_t>(state.range(0)));
  for (int i = 0; i < 1000; ++i) {
    bench.queries.push_back(write_message(question("n" + std::to_string(i) + ".evil.example")));
  }
  std::size_t next = 0;
  for (auto step : state) bench.handle(bench.queries[next++ % bench.queries.size()]);
}
BENCHMARK(denied_name)->Arg(10)->Arg(1'000'000);

void parse_and_write(benchmark::State& state) {
  Message message =
      reply_to(question("www.example.com"), {alias_record("www.example.com", "cdn.example.net"),
                                             address_record("cdn.example.net", "93.184.216.34"),
                                             address_record("cdn.example.net", "93.184.216.35")});
  const auto bytes = write_message(message);
  for (auto step : state) benchmark::DoNotOptimize(write_message(*parse_message(bytes)));
}
BENCHMARK(parse_and_write);

void lease_look_up(benchmark::State& state) {
  LeaseTable table;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    table.grant("n" + std::to_string(i) + ".example.com", IpAddress::v4(0x01000000 + i),
                std::chrono::seconds(300));
  }
  std::uint32_t next = 0;
  for (auto step : state) {
    const std::uint32_t i = next++ % 10'000;
    benchmark::DoNotOptimize(table.names_of(IpAddress::v4(0x01000000 + i)));
  }
}
BENCHMARK(lease_look_up);

}  // namespace
}  // namespace agentsh::dns
