// The most that a request to a model can use, from what is known before it is sent.
//
// Input: no tokenizer makes more than one token of a byte. Output: what the request allows, else
// what the model can give. Money: that many tokens at the dearest rates that they could have.
#pragma once

#include "proxy/llm/dialect.h"
#include "proxy/llm/facts.h"
#include "proxy/llm/prices.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace agentsh::gateway {

struct Estimate {
  std::uint64_t tokens = 0;
  std::optional<std::uint64_t> nano_dollars;  // Nothing: the model has no price.
};

Estimate most_of(const llm::Target& target, const llm::RequestFacts& request,
                 const llm::PriceTable& prices, std::chrono::sys_days day);

// The longest answer that a model gives, in tokens; of one that is not known a large number.
std::uint64_t longest_answer(std::string_view model);

}  // namespace agentsh::gateway
