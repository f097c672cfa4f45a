// Requests a second through us and through nginx, side by side in one run: HTTP/1.1 keep-alive, 64
// connections, 1 KB, plain and with TLS on both sides, policy and audit on (nginx: access log on).
// Then the memory of idle connections.
//
//   proxy_bench [--seconds N] [--rounds N] [--connections N] [--idle N]
//
// The proxy under test runs on CPU 1, the load (wrk) and the origin on CPU 0.
#include "tests/bench/http/bench_proxy.h"
#include "tests/bench/http/bench_servers.h"
#include "tests/bench/http/idle_clients.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace agentsh::bench {
namespace {

struct Options {
  int seconds = 5;  // wrk(1) knows whole ones only.
  int rounds = 3;
  int connections = 64;
  unsigned idle = 2000;
};

struct Load {
  double per_second = 0;
  std::string p50;
  std::string p99;
  std::string errors;
  double cpu_us = 0;  // Of the proxy, per request.
};

std::string word_after(const std::string& text, const std::string& mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return {};
  const std::size_t begin = text.find_first_not_of(" \t", at + mark.size());
  return text.substr(begin, text.find_first_of(" \t\n", begin) - begin);
}

// `host`: what requests are for, which behind a transparent proxy is the origin.
Load run_wrk(const Options& options, const std::string& url, const std::string& host) {
  const std::string command =
      fmt::format("taskset -c 0 wrk -t1 -c{} -d{}s --latency -H 'Host: {}' {} 2>&1",
                  options.connections, options.seconds, host, url);
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  char buffer[4096];
  while (std::size_t got = std::fread(buffer, 1, sizeof(buffer), pipe)) text.append(buffer, got);
  ::pclose(pipe);
  Load load;
  load.per_second = std::atof(word_after(text, "Requests/sec:").c_str());
  load.p50 = word_after(text, " 50%");
  load.p99 = word_after(text, " 99%");
  const std::size_t bad = std::min(text.find("Socket errors"), text.find("Non-2xx"));
  if (bad != std::string::npos) load.errors = text.substr(bad, text.find('\n', bad) - bad);
  return load;
}

using CpuSeconds = std::function<double()>;

// All threads of this process, those that write the audit trail as well.
double own_cpu_seconds() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

struct Contender {
  std::string name;
  std::string url;
  CpuSeconds cpu_seconds;
  std::vector<Load> loads;

  void measure(const Options& options, const std::string& host) {
    const double before = cpu_seconds();
    loads.push_back(run_wrk(options, url, host));
    Load& load = loads.back();
    const double requests = load.per_second * options.seconds;
    load.cpu_us = requests > 0 ? (cpu_seconds() - before) * 1e6 / requests : 0;
  }

  const Load& median() {
    std::ranges::sort(loads, {}, &Load::per_second);
    return loads[loads.size() / 2];
  }
};

bool compare(const Options& options, const std::string& what, std::uint16_t origin,
             std::vector<Contender> contenders) {
  const std::string host = fmt::format("localhost:{}", origin);
  for (int round = 0; round < options.rounds; ++round) {
    for (Contender& one : contenders) one.measure(options, host);
  }
  bool fine = true;
  const double nginx = contenders[1].median().per_second;
  for (Contender& one : contenders) {
    const Load& load = one.median();
    fmt::print(
        "{:<5} {:<8} {:>9.0f} req/s  {:>5.2f} x nginx  p50 {:>8}  p99 {:>8}  CPU {:>5.1f} us  {}\n",
        what, one.name, load.per_second, nginx > 0 ? load.per_second / nginx : 0, load.p50,
        load.p99, load.cpu_us, load.errors);
    fine = fine && load.per_second > 0 && load.errors.empty();
  }
  return fine;
}

void measure_idle(const std::string& what, std::uint16_t port, unsigned count, bool tls) {
  {
    const IdleClients warm_up(port, count / 4, tls);
  }
  const std::size_t before = resident_bytes();
  const IdleClients clients(port, count, tls);
  // Server connections are given back to the pool, buffers to their stock.
  std::this_thread::sleep_for(std::chrono::milliseconds(3000));
  const std::size_t after = resident_bytes();
  fmt::print("{:<5} idle     {:>9} connections, {:.1f} KB each\n", what, clients.ready(),
             static_cast<double>(after - std::min(before, after)) / 1024.0 /
                 std::max(1u, clients.ready()));
}

int run(const Options& options) {
  auto certificates = TestCertificates::make();
  if (!certificates) return fmt::print("{}\n", certificates.error().what), 1;
  auto servers = BenchServers::start(*certificates, 0, 1);
  if (!servers) return fmt::print("{}\n", servers.error().what), 1;
  const BenchServers::Ports& ports = (*servers)->ports();
  auto proxy = BenchProxy::start(*certificates, (*servers)->directory(), 1);
  if (!proxy) return fmt::print("{}\n", proxy.error().what), 1;
  auto plain = (*proxy)->listen(ports.origin);
  auto secure = (*proxy)->listen(ports.origin_tls);
  if (!plain || !secure) return fmt::print("cannot listen\n"), 1;

  const auto url = [](const char* scheme, std::uint16_t port) {
    return fmt::format("{}://localhost:{}/", scheme, port);
  };
  const CpuSeconds none = [] { return 0.0; };
  // Work that was put off is counted, and does not disturb who comes next.
  const CpuSeconds agentsh = [&proxy] {
    (*proxy)->finish_index();
    return own_cpu_seconds();
  };
  const CpuSeconds nginx = [&servers] { return (*servers)->proxy_cpu_seconds(); };
  bool fine = compare(options, "plain", ports.origin,
                      {{"direct", url("http", ports.origin), none, {}},
                       {"nginx", url("http", ports.proxy), nginx, {}},
                       {"agentsh", url("http", *plain), agentsh, {}}});
  fine = compare(options, "TLS", ports.origin_tls,
                 {{"direct", url("https", ports.origin_tls), none, {}},
                  {"nginx", url("https", ports.proxy_tls), nginx, {}},
                  {"agentsh", url("https", *secure), agentsh, {}}}) &&
         fine;
  if (options.idle > 0) {
    measure_idle("plain", *plain, options.idle, false);
    measure_idle("TLS", *secure, options.idle, true);
  }
  fmt::print("audit: {} events\n", (*proxy)->events());
  return fine ? 0 : 1;
}

}  // namespace
}  // namespace agentsh::bench

int main(int argc, char** argv) {
  agentsh::bench::Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) options.seconds = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--rounds") == 0) options.rounds = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--connections") == 0) options.connections = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--idle") == 0) {
      options.idle = static_cast<unsigned>(std::atoi(argv[i + 1]));
    }
  }
  return agentsh::bench::run(options);
}
