#include "proxy/gateway/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>

namespace agentsh::gateway {
namespace {

constexpr std::size_t kMaxName = 80;

// The text format's escapes; control characters have no business in a name.
std::string label_value(std::string_view value) {
  std::string out;
  for (const char c : value.substr(0, kMaxName)) {
    if (c == '\\' || c == '"') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '_' : c;
  }
  return out;
}

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  fmt::format_to(std::back_inserter(out), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

template <class Labels>
std::string label_text(std::initializer_list<std::string_view> names, const Labels& labels) {
  std::string out;
  std::size_t at = 0;
  for (const std::string_view name : names) {
    if (!out.empty()) out += ',';
    fmt::format_to(std::back_inserter(out), "{}=\"{}\"", name, labels[at++]);
  }
  return out;
}

template <class Series>
void counters(std::string& out, std::string_view name, std::string_view help,
              std::initializer_list<std::string_view> labels, const Series& series) {
  head(out, name, "counter", help);
  for (const auto& [values, count] : series) {
    fmt::format_to(std::back_inserter(out), "{}{{{}}} {}\n", name, label_text(labels, values),
                   count);
  }
}

template <class Series, class Buckets>
void histograms(std::string& out, std::string_view name, std::string_view help,
                const Series& series, const Buckets& buckets) {
  head(out, name, "histogram", help);
  for (const auto& [values, histogram] : series) {
    const std::string labels = label_text({"provider", "dialect"}, values);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      below += histogram.counts[i];
      fmt::format_to(std::back_inserter(out), "{}_bucket{{{},le=\"{}\"}} {}\n", name, labels,
                     buckets[i], below);
    }
    fmt::format_to(std::back_inserter(out),
                   "{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                   name, labels, histogram.count, histogram.sum);
  }
}

}  // namespace

void LlmMetrics::Histogram::add(double value) {
  const auto bucket = std::ranges::lower_bound(kBuckets, value);
  if (bucket != kBuckets.end()) ++counts[static_cast<std::size_t>(bucket - kBuckets.begin())];
  ++count;
  sum += value;
}

std::string LlmMetrics::State::name(std::string_view label, std::string_view value) {
  if (value.empty()) return "unknown";
  std::set<std::string>& known = names[std::string(label)];
  std::string text = label_value(value);
  if (known.contains(text)) return text;
  if (known.size() >= kMaxNames) return "other";
  known.insert(text);
  return text;
}

void LlmMetrics::State::add_tokens(const llm::Record& record, const std::string& provider,
                                   const std::string& model) {
  if (!record.usage.known) return;
  const auto add = [&](std::string_view kind, std::uint64_t count) {
    if (count > 0) tokens[{provider, model, std::string(kind), ""}] += count;
  };
  add("input", record.usage.input);
  add("cache_read", record.usage.cache_read);
  add("cache_write", record.usage.cache_write);
  add("output", record.usage.output);
  add("reasoning", record.usage.reasoning);
  if (record.cost.nano_dollars) {
    cost[{provider, model}] += *record.cost.nano_dollars;
  } else if (record.usage.input + record.usage.output > 0) {
    ++unpriced[{provider, model}];
  }
}

void LlmMetrics::take(const llm::Record& record) {
  auto state = state_.lock();
  const std::string provider = state->name("provider", record.provider);
  const std::string model = state->name("model", record.model_asked);
  const std::string dialect(to_string(record.dialect));
  ++state->requests[{provider, dialect, model, std::to_string(record.status)}];
  state->add_tokens(record, provider, model);
  for (const llm::DlpFinding& finding : record.findings) {
    state->findings[{state->name("detector", finding.detector), finding.action}] += finding.count;
  }
  if (record.ending == llm::Ending::kRefused) {
    ++state->refusals[{state->name("code", record.refusal)}];
    return;
  }
  if (record.ending != llm::Ending::kComplete) ++state->cut[{provider}];
  state->duration[{provider, dialect}].add(seconds(record.duration));
  if (record.first_byte) state->first_byte[{provider, dialect}].add(seconds(*record.first_byte));
}

void LlmMetrics::write(std::string& out) const {
  const auto state = state_.lock();
  counters(out, "agentsh_llm_requests_total", "Requests to LLM APIs by answer's status",
           {"provider", "dialect", "model", "status"}, state->requests);
  counters(out, "agentsh_llm_tokens_total",
           "Tokens by kind; cache_read and cache_write are parts of input, reasoning of output",
           {"provider", "model", "kind"}, state->tokens);
  head(out, "agentsh_llm_cost_dollars_total", "counter", "Cost at list prices, in US dollars");
  for (const auto& [values, nano] : state->cost) {
    fmt::format_to(std::back_inserter(out), "agentsh_llm_cost_dollars_total{{{}}} {}\n",
                   label_text({"provider", "model"}, values), llm::format_dollars(nano));
  }
  counters(out, "agentsh_llm_unpriced_requests_total", "Requests whose tokens have no price",
           {"provider", "model"}, state->unpriced);
  counters(out, "agentsh_llm_dlp_findings_total", "What detectors found in requests and answers",
           {"detector", "action"}, state->findings);
  counters(out, "agentsh_llm_refusals_total", "Requests that were refused, by reason", {"code"},
           state->refusals);
  counters(out, "agentsh_llm_interrupted_total", "Answers that broke off before their end",
           {"provider"}, state->cut);
  histograms(out, "agentsh_llm_request_duration_seconds", "From request to the answer's end",
             state->duration, kBuckets);
  histograms(out, "agentsh_llm_first_byte_seconds", "From request to the answer's first byte",
             state->first_byte, kBuckets);
}

}  // namespace agentsh::gateway
