// What an event costs: rendering it, recording it (the caller's side), and getting it to disk.
//
//   audit_bench --benchmark_filter=Record        ns per record() call, by number of threads
//   audit_bench --benchmark_filter=Sustained     events/s until the last one is on disk
#include "audit/chain.h"
#include "audit/event.h"
#include "audit/event_index.h"
#include "audit/recorder.h"
#include "audit/text_buffer.h"

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace agentsh;
using namespace agentsh::audit;

// What a connection's event looks like.
Event typical_event() {
  Event event("net_connect");
  event.session_id = "session-0f8fad5b-d9cb-469f-a165-70867728950e";
  event.command_id = "cmd-7c9e6679-7425-40de-944b-e07fc1f90ae7";
  event.source = "proxy";
  event.pid = 12345;
  event.program = "/usr/bin/curl";
  event.policy = PolicyInfo{
      .decision = "allow", .effective_decision = "allow", .rule = "allow-package-registries"};
  event.domain = "registry.npmjs.org";
  event.remote = "104.16.25.34:443";
  event.operation = "connect";
  event.field("transport", std::string("tcp"))
      .field("resolved_ip", std::string("104.16.25.34"))
      .field("tls", true);
  return event;
}

class Log {
 public:
  explicit Log(bool index = false, Fsync fsync = Fsync::kInterval) {
    std::string name = (std::filesystem::current_path() / "audit-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
    recorder_ = Recorder::open({.directory = path_ + "/log",
                                .key_file = path_ + "/key",
                                .fsync = fsync,
                                .index = index})
                    .value();
  }
  ~Log() {
    recorder_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Recorder& recorder() { return *recorder_; }
  std::string directory() const { return path_ + "/log"; }

 private:
  std::string path_;
  std::unique_ptr<Recorder> recorder_;
};

void RenderEvent(benchmark::State& state) {
  const Event event = typical_event();
  TextBuffer out;
  for (auto _ : state) {
    out.clear();
    append_json(out, event, "evt-18b2f3c4d5e6f708-0001", 1795500145123456789);
    benchmark::DoNotOptimize(out.view().data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * out.size()));
}
BENCHMARK(RenderEvent);

void ChainLine(benchmark::State& state) {
  const std::string json = to_json(typical_event());
  const ChainKey key = ChainKey::from_bytes(std::string(32, 'k')).value();
  ChainHead head;
  TextBuffer out;
  for (auto _ : state) {
    out.clear();
    append_line(key, head, json, out);
    benchmark::DoNotOptimize(out.view().data());
  }
}
BENCHMARK(ChainLine);

void BuildEvent(benchmark::State& state) {
  for (auto _ : state) {
    Event event = typical_event();
    benchmark::DoNotOptimize(event);
  }
}
BENCHMARK(BuildEvent);

double now_by(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

// The caller's side alone: fewer events than a ring holds, and the writer drains it between the
// measured stretches. Making the event is not counted. wall_ns has what other load on the machine
// adds, cpu_ns has not.
void Record(benchmark::State& state) {
  static std::unique_ptr<Log> log;
  if (state.thread_index() == 0) log = std::make_unique<Log>();
  constexpr int kBurst = 2000;
  double wall = 0;
  double cpu = 0;
  std::vector<Event> events;
  for (auto _ : state) {
    events.assign(kBurst, typical_event());
    const double wall_start = now_by(CLOCK_MONOTONIC);
    const double cpu_start = now_by(CLOCK_THREAD_CPUTIME_ID);
    for (Event& event : events) log->recorder().record(std::move(event));
    cpu += now_by(CLOCK_THREAD_CPUTIME_ID) - cpu_start;
    const double stretch = now_by(CLOCK_MONOTONIC) - wall_start;
    wall += stretch;
    state.SetIterationTime(stretch);
    log->recorder().flush();
  }
  const auto count = static_cast<double>(state.iterations() * kBurst);
  state.counters["wall_ns"] = {wall / count * 1e9, benchmark::Counter::kAvgThreads};
  state.counters["cpu_ns"] = {cpu / count * 1e9, benchmark::Counter::kAvgThreads};
  if (state.thread_index() == 0) log.reset();
}
BENCHMARK(Record)->ThreadRange(1, 8)->UseManualTime();

// All threads at full speed, held back by the writer where it is slower; the clock stops when the
// last event is in the log and the log is on disk.
void Sustained(benchmark::State& state) {
  static std::unique_ptr<Log> log;
  if (state.thread_index() == 0) log = std::make_unique<Log>(state.range(0) != 0);
  constexpr int kBurst = 10'000;
  for (auto _ : state) {
    for (int i = 0; i < kBurst; ++i) log->recorder().record(typical_event());
    log->recorder().flush(std::chrono::minutes(1));
  }
  state.SetItemsProcessed(state.iterations() * kBurst);
  if (state.thread_index() == 0) log.reset();
}
BENCHMARK(Sustained)->ArgName("index")->Arg(0)->Arg(1)->ThreadRange(1, 4)->UseRealTime();

// How fast an index is filled from the log.
void IndexLog(benchmark::State& state) {
  constexpr int kEvents = 50'000;
  Log log;
  for (int i = 0; i < kEvents; ++i) log.recorder().record(typical_event());
  log.recorder().flush(std::chrono::minutes(1));
  for (auto _ : state) {
    std::filesystem::remove(EventIndex::file_in(log.directory()));
    std::filesystem::remove(EventIndex::file_in(log.directory()) + "-wal");
    auto index = EventIndex::open(log.directory()).value();
    if (!index.catch_up(std::chrono::steady_clock::now() + std::chrono::minutes(1)).value()) {
      std::abort();
    }
  }
  state.SetItemsProcessed(state.iterations() * kEvents);
}
BENCHMARK(IndexLog)->Unit(benchmark::kMillisecond);

}  // namespace
