// Minting a leaf, looking a cached one up, generating a sandbox's trust files.
#include "certs/leaf_cache.h"
#include "certs/trust_files.h"

#include <benchmark/benchmark.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace agentsh::certs {
namespace {

std::unique_ptr<const LeafFactory> make_factory() {
  return LeafFactory::create(Authority::generate().value()).value();
}

std::string host(std::int64_t number) {
  return "host-" + std::to_string(number) + ".example.com";
}

// p50 and p99 beside the mean: the goal is 100 and 300 µs.
void mint_leaf(benchmark::State& state) {
  const auto factory = make_factory();
  std::vector<double> times;
  std::int64_t number = 0;
  for (auto _ : state) {
    const std::string name = host(number++);
    const auto start = std::chrono::steady_clock::now();
    auto leaf = factory->mint(name);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    benchmark::DoNotOptimize(leaf);
    times.push_back(took.count());
  }
  std::ranges::sort(times);
  state.counters["p50_us"] = times[times.size() / 2];
  state.counters["p99_us"] = times[times.size() * 99 / 100];
}
BENCHMARK(mint_leaf)->Unit(benchmark::kMicrosecond);

void look_up_cached_leaf(benchmark::State& state) {
  LeafCache cache(make_factory());
  for (int i = 0; i < 1000; ++i) cache.warm(host(i));
  std::vector<std::string> hosts;
  for (int i = 0; i < 1000; ++i) hosts.push_back(host(i * 7 % 1000));
  std::size_t next = 0;
  for (auto _ : state) {
    auto leaf = cache.get(hosts[next++ % hosts.size()]);
    benchmark::DoNotOptimize(leaf);
  }
}
BENCHMARK(look_up_cached_leaf);

// 10 000 distinct names are to cost at most 40 MB.
void memory_per_cached_leaf(benchmark::State& state) {
  constexpr int kLeaves = 2000;
  for (auto _ : state) {
    LeafCache cache(make_factory(), kLeaves);
    const std::size_t before = ::mallinfo2().uordblks;
    for (int i = 0; i < kLeaves; ++i) cache.warm(host(i));
    state.counters["bytes_each"] = static_cast<double>(::mallinfo2().uordblks - before) / kLeaves;
  }
}
BENCHMARK(memory_per_cached_leaf)->Iterations(1)->Unit(benchmark::kMillisecond);

// The first session after a change of the host's roots, and every other one.
void prepare_trust_files(benchmark::State& state) {
  const auto authority = Authority::generate().value();
  const std::string cache =
      std::filesystem::temp_directory_path() / ("agentsh-bench-" + std::to_string(::getpid()));
  const TrustOptions options{.cache = cache};
  const bool first = state.range(0) == 1;
  if (!first) benchmark::DoNotOptimize(TrustFiles::prepare(options, *authority));
  for (auto _ : state) {
    if (first) std::filesystem::remove_all(cache);
    auto files = TrustFiles::prepare(options, *authority);
    if (!files) state.SkipWithError(files.error().what.c_str());
  }
  std::filesystem::remove_all(cache);
}
BENCHMARK(prepare_trust_files)->ArgName("generate")->Arg(1)->Arg(0)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace agentsh::certs
