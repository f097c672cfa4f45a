// Time of one policy decision, and of loading and compiling a policy, with 10 and with 10 000
// rules.
//
//   build/release/tests/bench/policies/policies_bench
//
// Decisions go round over many different inputs, most of which a rule far down the list is about,
// so that neither the first rule nor one cached answer is what is measured.
#include "policies/compiled_policy.h"
#include "policies/loader.h"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstdlib>

namespace agentsh::policy {
namespace {

constexpr std::size_t kInputs = 4096;

std::string network_yaml(long rules) {
  std::string yaml = "version: 1\nname: bench\nnetwork_rules:\n";
  for (long i = 0; i < rules; ++i) {
    switch (i % 4) {
      case 0:
        yaml += fmt::format(
            "  - {{name: r{0}, domains: [host{0}.example.com], ports: [443, 80], "
            "decision: allow}}\n",
            i);
        break;
      case 1:
        yaml += fmt::format(
            "  - {{name: r{0}, domains: [\"*.zone{0}.example.net\"], ports: [443], "
            "decision: audit}}\n",
            i);
        break;
      case 2:
        yaml += fmt::format("  - {{name: r{0}, cidrs: [10.{1}.{2}.0/24], decision: allow}}\n", i,
                            i / 256 % 256, i % 256);
        break;
      default:
        yaml += fmt::format("  - {{name: r{0}, domains: [\"api-{0}-*.**\"], decision: deny}}\n", i);
    }
  }
  return yaml;
}

std::string file_yaml(long rules) {
  std::string yaml = "version: 1\nname: bench\nfile_rules:\n";
  for (long i = 0; i < rules; ++i) {
    yaml += fmt::format(
        "  - {{name: r{0}, paths: [\"/srv/app{0}/**\", \"**/.secret{0}\"], "
        "operations: [open, read, write], decision: {1}}}\n",
        i, i % 2 == 0 ? "allow" : "deny");
  }
  return yaml;
}

std::string command_yaml(long rules) {
  std::string yaml = "version: 1\nname: bench\ncommand_rules:\n";
  for (long i = 0; i < rules; ++i) {
    yaml += fmt::format(
        "  - {{name: r{0}, commands: [tool{0}, \"/opt/x{0}/*\"], args_patterns: "
        "[\"(^| )--(force|delete)( |$)\"], decision: deny}}\n",
        i);
  }
  return yaml + "  - {name: rest, decision: allow}\n";
}

Policy load(const std::string& yaml) {
  Diagnostics problems("bench.yaml");
  auto policy = load_policy(yaml, problems);
  if (!policy) std::abort();
  return std::move(*policy);
}

std::shared_ptr<const CompiledPolicy> compile(const std::string& yaml) {
  auto compiled = CompiledPolicy::compile(load(yaml), {});
  if (!compiled) std::abort();
  return *compiled;
}

// Reports how many decisions were not denials, so that a broken policy is seen.
void finish(benchmark::State& state, std::size_t permitted) {
  state.counters["permitted"] =
      benchmark::Counter(static_cast<double>(permitted), benchmark::Counter::kAvgIterations);
}

void network(benchmark::State& state) {
  const long rules = state.range(0);
  const auto policy = compile(network_yaml(rules));
  const IpAddress address = *IpAddress::parse("93.184.216.34");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kInputs; ++i) {
    // Half of them one rule's literal name, half within another's zone.
    const long rule = static_cast<long>(i * 7919) % rules / 4 * 4;
    names.push_back(i % 2 == 0 ? fmt::format("host{}.example.com", rule)
                               : fmt::format("a{}.zone{}.example.net", i, rule + 1));
  }
  std::size_t next = 0;
  std::size_t permitted = 0;
  for (auto _ : state) {
    const std::string& name = names[next++ % kInputs];
    const Verdict verdict =
        policy->decide(ConnectFacts{.name = name, .address = address, .port = 443});
    permitted += verdict.permitted() ? 1 : 0;
  }
  finish(state, permitted);
}

// Names that nothing allows: the default denial, with its message.
void network_denied(benchmark::State& state) {
  const auto policy = compile(network_yaml(state.range(0)));
  const IpAddress address = *IpAddress::parse("93.184.216.34");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kInputs; ++i) names.push_back(fmt::format("www.other{}.example", i));
  std::size_t next = 0;
  std::size_t permitted = 0;
  for (auto _ : state) {
    const Verdict verdict = policy->decide(
        ConnectFacts{.name = names[next++ % kInputs], .address = address, .port = 443});
    permitted += verdict.permitted() ? 1 : 0;
  }
  finish(state, permitted);
}

void network_by_address(benchmark::State& state) {
  const auto rules = static_cast<std::uint32_t>(state.range(0));
  const auto policy = compile(network_yaml(state.range(0)));
  std::vector<IpAddress> addresses;
  for (std::uint32_t i = 0; i < kInputs; ++i) {
    const auto rule = static_cast<std::uint32_t>(i * 7919u % rules / 4 * 4 + 2);
    addresses.push_back(
        IpAddress::v4(10u << 24 | (rule / 256 % 256) << 16 | (rule % 256) << 8 | 7));
  }
  std::size_t next = 0;
  std::size_t permitted = 0;
  for (auto _ : state) {
    const Verdict verdict =
        policy->decide(ConnectFacts{.address = addresses[next++ % kInputs], .port = 443});
    permitted += verdict.permitted() ? 1 : 0;
  }
  finish(state, permitted);
}

void name(benchmark::State& state) {
  const long rules = state.range(0);
  const auto policy = compile(network_yaml(rules));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kInputs; ++i) {
    names.push_back(fmt::format("host{}.example.com", static_cast<long>(i * 7919) % rules / 4 * 4));
  }
  std::size_t next = 0;
  std::size_t permitted = 0;
  for (auto _ : state) {
    const Verdict verdict = policy->decide(DnsFacts{.name = names[next++ % kInputs], .type = "A"});
    permitted += verdict.permitted() ? 1 : 0;
  }
  finish(state, permitted);
}

void file(benchmark::State& state) {
  const long rules = state.range(0);
  const auto policy = compile(file_yaml(rules));
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kInputs; ++i) {
    paths.push_back(
        fmt::format("/srv/app{}/src/lib/module{}.cc", static_cast<long>(i * 7919) % rules, i % 10));
  }
  std::size_t next = 0;
  std::size_t permitted = 0;
  for (auto _ : state) {
    const Verdict verdict =
        policy->decide(FileFacts{.path = paths[next++ % kInputs], .operation = "open"});
    permitted += verdict.permitted() ? 1 : 0;
  }
  finish(state, permitted);
}

void command(benchmark::State& state) {
  const long rules = state.range(0);
  const auto policy = compile(command_yaml(rules));
  const std::vector<std::string> arguments = {"--verbose", "build", "--target", "all"};
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kInputs; ++i) {
    paths.push_back(fmt::format("/usr/bin/tool{}", static_cast<long>(i * 7919) % rules));
  }
  std::size_t next = 0;
  std::size_t permitted = 0;
  for (auto _ : state) {
    const Verdict verdict =
        policy->decide(CommandFacts{.path = paths[next++ % kInputs], .arguments = arguments});
    permitted += verdict.permitted() ? 1 : 0;
  }
  finish(state, permitted);
}

template <std::string (*yaml)(long)>
void compile_time(benchmark::State& state) {
  const Policy policy = load(yaml(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    Policy copy = policy;
    state.ResumeTiming();
    auto compiled = CompiledPolicy::compile(std::move(copy), {});
    if (!compiled) std::abort();
    state.PauseTiming();
    compiled->reset();
    state.ResumeTiming();
  }
}

void load_time(benchmark::State& state) {
  const std::string yaml = network_yaml(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(load(yaml));
  state.SetBytesProcessed(static_cast<std::int64_t>(yaml.size()) * state.iterations());
}

BENCHMARK(network)->Name("decide/network")->Arg(10)->Arg(10'000);
BENCHMARK(network_denied)->Name("decide/network_denied")->Arg(10)->Arg(10'000);
BENCHMARK(network_by_address)->Name("decide/network_by_address")->Arg(10)->Arg(10'000);
BENCHMARK(name)->Name("decide/dns_name")->Arg(10)->Arg(10'000);
BENCHMARK(file)->Name("decide/file")->Arg(10)->Arg(10'000);
BENCHMARK(command)->Name("decide/command")->Arg(10)->Arg(10'000);
BENCHMARK(compile_time<network_yaml>)
    ->Name("compile/network")
    ->Arg(10)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(compile_time<file_yaml>)
    ->Name("compile/file")
    ->Arg(10)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(compile_time<command_yaml>)
    ->Name("compile/command")
    ->Arg(10)
    ->Arg(10'000)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(load_time)->Name("load/network")->Arg(10)->Arg(10'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace agentsh::policy
