// What is counted about exchanges with LLM APIs, in Prometheus' text format (0.0.4).
//
// Names of models and the like come from clients, so only the first kMaxNames of each are kept;
// what comes later is counted as "other".
//
// Threads: any.
#pragma once

#include "base/lock_guarded.h"
#include "proxy/llm/services.h"

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

namespace agentsh::gateway {

class LlmMetrics final : public llm::RecordSink {
 public:
  static constexpr std::size_t kMaxNames = 200;

  void take(const llm::Record& record) override;
  // Appends the families.
  void write(std::string& out) const;

 private:
  static constexpr std::array<double, 12> kBuckets = {0.05, 0.1, 0.25, 0.5, 1,   2.5,
                                                      5,    10,  30,   60,  120, 300};
  struct Histogram {
    std::array<std::uint64_t, kBuckets.size()> counts{};  // Not cumulative.
    std::uint64_t count = 0;
    double sum = 0;

    void add(double seconds);
  };
  // Values of the labels, in their order.
  using Labels = std::array<std::string, 4>;
  struct State {
    std::map<Labels, std::uint64_t> requests;  // provider, dialect, model, status
    std::map<Labels, std::uint64_t> tokens;    // provider, model, kind
    std::map<Labels, std::uint64_t> cost;      // provider, model; nano-dollars
    std::map<Labels, std::uint64_t> unpriced;  // provider, model
    std::map<Labels, std::uint64_t> findings;  // detector, action
    std::map<Labels, std::uint64_t> refusals;  // code
    std::map<Labels, std::uint64_t> cut;       // provider
    std::map<Labels, Histogram> duration;      // provider, dialect
    std::map<Labels, Histogram> first_byte;    // provider, dialect
    std::map<std::string, std::set<std::string>, std::less<>> names;

    std::string name(std::string_view label, std::string_view value);
    void add_tokens(const llm::Record& record, const std::string& provider,
                    const std::string& model);
  };

  mutable LockGuarded<State> state_;
};

}  // namespace agentsh::gateway
