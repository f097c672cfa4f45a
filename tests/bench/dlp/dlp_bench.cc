// The whole catalogue over source code, prose and logs, in a stream, beside Vectorscan alone with
// the same patterns; an LLM request of 8 KB edited in place; deltas of a few bytes.
#include "dlp/catalogue.h"
#include "dlp/json_editor.h"
#include "dlp/redactor.h"
#include "dlp/restorer.h"
#include "dlp/scan_engine.h"
#include "dlp/scanner.h"
#include "dlp/text_stream.h"
#include "tests/bench/dlp/raw_vectorscan.h"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace agentsh::dlp::bench {
namespace {

const std::vector<Detector>& catalogue() {
  static const auto detectors = [] {
    auto loaded = builtin_catalogue();
    if (!loaded) std::abort();
    return *loaded;
  }();
  return detectors;
}

const std::shared_ptr<const Scanner>& scanner() {
  static const auto built = [] {
    auto made = Scanner::build(catalogue());
    if (!made) std::abort();
    return *made;
  }();
  return built;
}

std::shared_ptr<const Profile> profile(Mode mode) {
  return *Profile::make(scanner(), {.mode = mode});
}

// 4 MB of this project's own sources, which are prose and code.
const std::string& sources() {
  static const auto text = [] {
    std::string all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(AGENTSH_SOURCE)) {
      const auto extension = entry.path().extension();
      if (extension != ".cc" && extension != ".h" && extension != ".md" && extension != ".py") {
        continue;
      }
      // The detectors' own data is full of hits.
      const std::string path = entry.path().string();
      if (path.contains("/build/") || path.contains("/dlp/")) continue;
      std::ifstream file(entry.path(), std::ios::binary);
      all.append(std::istreambuf_iterator<char>(file), {});
      if (all.size() >= 4 << 20) break;
    }
    return all;
  }();
  return text;
}

// An access log: addresses, times, paths, numbers.
const std::string& logs() {
  static const auto text = [] {
    std::string all;
    for (unsigned i = 0; all.size() < 4 << 20; ++i) {
      char line[256];
      std::snprintf(line, sizeof line,
                    "2026-11-24T13:%02u:%02u.%06uZ INFO request id=%08x-%04x-4%03x-9%03x-%012x "
                    "path=/v1/items/%u?page=%u status=%u bytes=%u duration=%u.%03ums\n",
                    i / 60 % 60, i % 60, i * 7919 % 1000000, i * 2654435761u, i % 65536, i % 4096,
                    i % 4096, i * 40503u, i % 100000, i % 40, 200 + i % 5, i * 31, i % 90,
                    i % 1000);
      all += line;
    }
    return all;
  }();
  return text;
}

const std::string& text_of(const benchmark::State& state) {
  return state.range(0) == 0 ? sources() : logs();
}

void compile_catalogue(benchmark::State& state) {
  for (auto _ : state) {
    auto built = Scanner::build(catalogue());
    benchmark::DoNotOptimize(built);
  }
  state.counters["detectors"] = static_cast<double>(catalogue().size());
  state.counters["database_MB"] =
      static_cast<double>(scanner()->engine().database_bytes()) / 1048576;
  state.counters["scratch_KB"] = static_cast<double>(scanner()->engine().scratch_bytes()) / 1024;
}
BENCHMARK(compile_catalogue)->Unit(benchmark::kMillisecond)->Iterations(1);

void load_catalogue_text(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(builtin_catalogue());
}
BENCHMARK(load_catalogue_text)->Unit(benchmark::kMillisecond)->Iterations(1);

void scan_raw(benchmark::State& state) {
  std::vector<std::string> patterns;
  for (const Detector& detector : catalogue()) {
    patterns.insert(patterns.end(), detector.patterns.begin(), detector.patterns.end());
  }
  const RawVectorscan raw(patterns);
  const std::string& text = text_of(state);
  std::uint64_t ends = 0;
  for (auto _ : state) {
    ends = 0;
    for (std::size_t at = 0; at < text.size(); at += 65536) {
      ends += raw.scan(std::string_view(text).substr(at, 65536));
    }
  }
  state.counters["ends"] = static_cast<double>(ends);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(scan_raw)->ArgName("logs")->Arg(0)->Arg(1);

void scan_stream(benchmark::State& state) {
  const auto audit = profile(Mode::kAudit);
  const std::string& text = text_of(state);
  std::uint64_t hits = 0;
  for (auto _ : state) {
    hits = 0;
    ScanStream stream(audit);
    const auto receive = [&](const ScanStream::Found&) { ++hits; };
    stream.begin({});
    for (std::size_t at = 0; at < text.size(); at += 65536) {
      stream.push(std::string_view(text).substr(at, 65536), receive);
    }
    stream.finish({}, receive);
  }
  state.counters["hits"] = static_cast<double>(hits);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK(scan_stream)->ArgName("logs")->Arg(0)->Arg(1);

// A conversation of about 8 KB with two secrets in it.
std::string request() {
  std::string json = R"({"model":"gpt-5","stream":true,"messages":[)";
  for (int i = 0; json.size() < 8000; ++i) {
    if (i > 0) json += ',';
    json += R"({"role":"user","content":"Please read this file and explain:\n\n)";
    for (const char byte : sources().substr(static_cast<std::size_t>(i) * 5000 + 3000, 1200)) {
      if (byte == '\n') {
        json += "\\n";
      } else if (byte == '"' || byte == '\\') {
        json += '\\';
        json += byte;
      } else if (static_cast<unsigned char>(byte) >= 0x20) {
        json += byte;
      }
    }
    json += R"("})";
  }
  return json + R"(,{"role":"user","content":"mail bob.miller@contoso-labs.io the key"}]})";
}

void edit_request(benchmark::State& state) {
  const auto tokenize = profile(Mode::kTokenize);
  const auto vault = std::make_shared<Vault>();
  const std::string json = request();
  std::uint64_t replaced = 0;
  for (auto _ : state) {
    Redactor redactor(tokenize, vault);
    JsonEditor editor(redactor);
    std::string out;
    out.reserve(json.size());
    if (!editor.push(json, out) || !editor.finish(out)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out);
    replaced = redactor.replaced();
  }
  state.counters["replaced"] = static_cast<double>(replaced);
  state.counters["bytes"] = static_cast<double>(json.size());
}
BENCHMARK(edit_request)->Unit(benchmark::kMicrosecond);

// An answer's deltas of four bytes: placeholders put back, and everything scanned.
template <class MakeEditor>
void deltas(benchmark::State& state, MakeEditor make) {
  const std::string text = sources().substr(0, 16384);
  std::string out;
  for (auto _ : state) {
    auto editor = make();
    TextStream stream(editor);
    for (std::size_t at = 0; at < text.size(); at += 4) {
      stream.push(std::string_view(text).substr(at, 4), out);
    }
    stream.finish(out);
    out.clear();
  }
  state.counters["per_delta"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 4096,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
void restore_deltas(benchmark::State& state) {
  const auto vault = std::make_shared<Vault>();
  vault->placeholder_for("bob@example.com", "EMAIL");
  deltas(state, [&] { return Restorer(vault); });
}
BENCHMARK(restore_deltas)->Unit(benchmark::kMicrosecond);

void scan_deltas(benchmark::State& state) {
  const auto vault = std::make_shared<Vault>();
  const auto audit = profile(Mode::kAudit);
  deltas(state, [&] { return Redactor(audit, vault, Placeholders::kRestore); });
}
BENCHMARK(scan_deltas)->Unit(benchmark::kMicrosecond);

void add_held_secrets(benchmark::State& state) {
  std::vector<HeldSecret> secrets;
  for (int i = 0; i < 8; ++i) {
    secrets.push_back({"key" + std::to_string(i), "sk-proj-" + std::to_string(i * 7919) +
                                                      "abcdefghijklmnopqrstuvwxyz0123456789"});
  }
  for (auto _ : state) benchmark::DoNotOptimize(scanner()->with_secrets(secrets));
}
BENCHMARK(add_held_secrets)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace agentsh::dlp::bench
