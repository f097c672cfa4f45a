// Cached names over UDP: questions a second of this service (one thread, with a compiled policy and
// an event for each question in a real audit trail) beside unbound with one thread, both driven by
// dnsperf on loopback, in turns, in one run.
//
//   dns_throughput_bench [--seconds N] [--names N]
//
// --names: how many the policy holds (1 000 000 unless said).
#include "proxy/dns/service.h"
#include "tests/bench/dns/bench_policy.h"
#include "tests/unit/dns/fakes.h"
#include "tests/unit/dns/scripted_upstream.h"
#include "tests/unit/dns/unbound_server.h"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace agentsh::dns {
namespace {

constexpr int kCachedNames = 1000;
constexpr int kRounds = 3;

std::string host_of(int i) {
  return "n" + std::to_string(i) + ".example.com";
}

// The service on a thread of its own, its names in the cache.
class BenchService {
 public:
  BenchService(std::size_t names, const std::string& directory)
      : recorder_(open_recorder(directory)), work_(boost::asio::make_work_guard(context_)) {
    auto cache = std::make_shared<Cache>();
    fill(*cache);
    auto engine = std::make_shared<Engine>(EngineOptions{.hosts_file = ""}, cache);
    gate_ =
        std::make_unique<policy::Gate>("bench", policy_with_names(names), *recorder_, approvals_);
    SessionOptions options;
    options.id = "bench";
    options.policy = std::make_shared<GatePolicy>(*gate_, *recorder_);
    options.observer = std::make_shared<GateObserver>(*gate_);
    auto session = std::make_shared<Session>(std::move(options));
    service_ = Service::create(context_.get_executor(), engine, {});
    SessionSockets sockets;
    sockets.udp.push_back(bound_socket(SOCK_DGRAM, "127.0.0.1"));
    endpoint_ = endpoint_of(sockets.udp.front().get());
    if (auto added = service_->add(session, std::move(sockets)); !added) {
      std::fprintf(stderr, "%s\n", added.error().what.c_str());
      std::exit(1);
    }
    thread_ = std::thread([this] { context_.run(); });
  }
  ~BenchService() {
    boost::asio::post(context_, [this] { service_->stop(); });
    work_.reset();
    thread_.join();
  }
  Endpoint endpoint() const { return endpoint_; }
  // Of the service's thread, so far.
  double cpu_seconds() {
    clockid_t clock;
    timespec time{};
    ::pthread_getcpuclockid(thread_.native_handle(), &clock);
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }

 private:
  static std::unique_ptr<audit::Recorder> open_recorder(const std::string& directory) {
    audit::RecorderOptions options;
    options.directory = directory;
    options.key_file = directory + ".key";
    auto recorder = audit::Recorder::open(std::move(options));
    if (recorder) return std::move(*recorder);
    std::fprintf(stderr, "%s\n", recorder.error().what.c_str());
    std::exit(1);
  }
  static void fill(Cache& cache) {
    for (int i = 0; i < kCachedNames; ++i) {
      Answer answer;
      answer.rcode = Rcode::kNoError;
      answer.records = {address_record(host_of(i), "93.184.216.34", 3600)};
      answer.ttl = 3600;
      answer.received = std::chrono::steady_clock::now();
      cache.insert({host_of(i), RrType::kA, false},
                   std::make_shared<const Answer>(std::move(answer)));
    }
  }

  std::unique_ptr<audit::Recorder> recorder_;
  policy::ApprovalQueue approvals_{{}};
  std::unique_ptr<policy::Gate> gate_;
  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::shared_ptr<Service> service_;
  Endpoint endpoint_;
  std::thread thread_;
};

struct Figures {
  double per_second = 0;
  double latency_us = 0;
  double cpu_us = 0;  // Of the server, per question.
};

double number_after(const std::string& text, const char* label) {
  const std::size_t at = text.find(label);
  return at == std::string::npos ? 0 : std::strtod(text.c_str() + at + std::strlen(label), nullptr);
}

Figures drive(const Endpoint& server, const std::string& data_file, int seconds,
              const std::function<double()>& cpu_seconds) {
  const double cpu_before = cpu_seconds();
  const std::string command =
      fmt::format("dnsperf -s {} -p {} -d {} -c 20 -T 1 -q 200 -l {} -e 2>/dev/null",
                  server.address.to_string(), server.port, data_file, seconds);
  FILE* pipe = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): text of our own.
  if (pipe == nullptr) return {};
  std::string text;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof buffer, pipe)) {
    text.append(buffer, size);
  }
  ::pclose(pipe);
  if (number_after(text, "Queries lost:") > number_after(text, "Queries sent:") / 1000) {
    std::fprintf(stderr, "many questions were lost:\n%s", text.c_str());
  }
  const double completed = std::max(1.0, number_after(text, "Queries completed:"));
  return {number_after(text, "Queries per second:"),
          number_after(text, "Average Latency (s):") * 1e6,
          (cpu_seconds() - cpu_before) * 1e6 / completed};
}

// The names come from a local zone of a stub that unbound asks once: from then on its message cache
// answers, as the service's does.
std::string unbound_lines(const Endpoint& stub) {
  return fmt::format(
      "  domain-insecure: \"example.com\"\n  msg-cache-size: 16m\n"
      "forward-zone:\n  name: \".\"\n  forward-addr: {}@{}\n",
      stub.address.to_string(), stub.port);
}

// Both in turns, so that a machine that is busy with other things is so for both.
double compare(UnboundServer& unbound, BenchService& service, const std::string& data_file,
               int seconds, std::size_t names) {
  const auto their_cpu = [&] { return unbound.cpu_seconds(); };
  const auto our_cpu = [&] { return service.cpu_seconds(); };
  drive(unbound.endpoint(), data_file, 1, their_cpu);  // Fills its cache.
  std::vector<double> ratios;
  for (int round = 0; round < kRounds; ++round) {
    const Figures theirs = drive(unbound.endpoint(), data_file, seconds, their_cpu);
    const Figures ours = drive(service.endpoint(), data_file, seconds, our_cpu);
    ratios.push_back(theirs.per_second > 0 ? ours.per_second / theirs.per_second : 0);
    std::printf("round %d: unbound %.0f q/s, latency %.0f us, CPU %.1f us a question\n", round + 1,
                theirs.per_second, theirs.latency_us, theirs.cpu_us);
    std::printf("         agentsh %.0f q/s, latency %.0f us, CPU %.1f us a question; %zu names\n",
                ours.per_second, ours.latency_us, ours.cpu_us, names);
    std::printf("         ratio %.2f (questions a second), %.2f (questions a CPU second)\n",
                ratios.back(), ours.cpu_us > 0 ? theirs.cpu_us / ours.cpu_us : 0);
  }
  std::sort(ratios.begin(), ratios.end());
  return ratios[kRounds / 2];
}

int run(int seconds, std::size_t names) {
  std::vector<Record> records;
  const std::string data_file = fmt::format("/tmp/dns-bench.{}", ::getpid());
  {
    std::ofstream data(data_file);
    for (int i = 0; i < kCachedNames; ++i) {
      data << host_of(i) << " A\n";
      records.push_back(address_record(host_of(i), "93.184.216.34", 3600));
    }
  }
  double ratio = 0;
  {
    ScriptedUpstream stub(table_script(std::move(records)));
    auto unbound = UnboundServer::start(unbound_lines(stub.endpoint()));
    if (!unbound) {
      std::fprintf(stderr, "%s\n", unbound.error().what.c_str());
      return 1;
    }
    BenchService service(names, data_file + ".audit");
    ratio = compare(*unbound, service, data_file, seconds, names);
  }
  std::printf("cached names over UDP, one thread each: median ratio to unbound %.2f\n", ratio);
  for (const char* suffix : {"", ".audit", ".audit.key"}) {
    std::filesystem::remove_all(data_file + suffix);
  }
  return ratio > 0 ? 0 : 1;
}

}  // namespace
}  // namespace agentsh::dns

int main(int argc, char** argv) {
  int seconds = 5;
  std::size_t names = 1'000'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--names") == 0) names = std::strtoul(argv[i + 1], nullptr, 10);
  }
  return agentsh::dns::run(seconds, names);
}
