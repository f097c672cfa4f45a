#include "proxy/gateway/estimate.h"

#include "proxy/gateway/model_glob.h"

#include <algorithm>
#include <array>

namespace agentsh::gateway {
namespace {

using llm::Dialect;

struct AnswerLimit {
  std::string_view models;
  std::uint64_t tokens;
};

// As the providers document them. The first that matches counts.
constexpr std::array<AnswerLimit, 26> kAnswerLimits = {{{"*claude-3-opus*", 4096},
                                                        {"*claude-3-haiku*", 4096},
                                                        {"*claude-3-5-*", 8192},
                                                        {"*claude-opus-4-1*", 32'000},
                                                        {"*claude-opus-4-2*", 32'000},
                                                        {"*claude-opus-4", 32'000},
                                                        {"*claude-opus-4-0*", 32'000},
                                                        {"*claude-sonnet-4*", 64'000},
                                                        {"*claude-haiku-4*", 64'000},
                                                        {"gpt-3.5*", 4096},
                                                        {"gpt-35*", 4096},
                                                        {"gpt-4o-2024-05-13", 4096},
                                                        {"gpt-realtime*", 4096},
                                                        {"gpt-4o*realtime*", 4096},
                                                        {"gpt-4o*", 16'384},
                                                        {"gpt-4.1*", 32'768},
                                                        {"gpt-4-turbo*", 4096},
                                                        {"gpt-4", 8192},
                                                        {"gpt-4-0613", 8192},
                                                        {"gpt-5*", 128'000},
                                                        {"o1*", 100'000},
                                                        {"o3*", 100'000},
                                                        {"o4*", 100'000},
                                                        {"gemini-2.0*", 8192},
                                                        {"gemini-*", 65'536},
                                                        {"*nova-*", 10'000}}};
constexpr std::uint64_t kUnknownAnswer = 131'072;

// Never less than it should be.
std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

bool gives_text(Dialect dialect) {
  return dialect != Dialect::kEmbeddings && dialect != Dialect::kCountTokens;
}

// Nothing is asked of a model, or it is charged elsewhere.
bool is_free(Dialect dialect) {
  return dialect == Dialect::kOther || dialect == Dialect::kCountTokens;
}

}  // namespace

std::uint64_t longest_answer(std::string_view model) {
  const auto found = std::ranges::find_if(kAnswerLimits, [model](const AnswerLimit& limit) {
    return matches_model(limit.models, model);
  });
  return found == kAnswerLimits.end() ? kUnknownAnswer : found->tokens;
}

Estimate most_of(const llm::Target& target, const llm::RequestFacts& request,
                 const llm::PriceTable& prices, std::chrono::sys_days day) {
  if (is_free(target.dialect)) return {.tokens = 0, .nano_dollars = 0};
  llm::TokenUsage usage{.input = request.bytes, .known = true};
  if (gives_text(target.dialect)) {
    const std::uint64_t each =
        request.max_tokens != 0 ? request.max_tokens : longest_answer(request.model);
    usage.output = times(each, request.answers);
  }
  // Speech costs more than text, where it may be either.
  if (target.dialect == Dialect::kRealtime) {
    usage.audio_input = usage.input;
    usage.audio_output = usage.output;
  }
  Estimate most{
      .tokens = usage.output > UINT64_MAX - usage.input ? UINT64_MAX : usage.input + usage.output,
      .nano_dollars = {}};
  // What is written to a cache costs more than plain input, or less: the dearer counts.
  const std::string_view model = request.model.empty() ? target.model : request.model;
  const auto price = [&] { return prices.cost(target.provider, model, {}, usage, day); };
  most.nano_dollars = price().nano_dollars;
  if (!most.nano_dollars) return most;
  usage.cache_write = usage.cache_write_hour = usage.input;
  if (const auto cached = price().nano_dollars) {
    most.nano_dollars = std::max(*most.nano_dollars, *cached);
  }
  return most;
}

}  // namespace agentsh::gateway
