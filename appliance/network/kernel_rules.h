// The part of network_rules that the kernel answers by itself, inside connect(): denials by address
// and port that no earlier rule can decide otherwise.
//
// An earlier rule that allows names may match any public address (a name can resolve to it), so
// after one only denials of addresses that are not public are handed over: rules without cidrs do
// not cover those. Pure; any thread.
#pragma once

#include "policies/compiled_policy.h"
#include "proxy/bpf/static_rules.h"

#include <string>
#include <vector>

namespace agentsh {

struct KernelRules {
  std::vector<bpf::StaticRule> rules;  // `tag` is an index into `names`.
  std::vector<std::string> names;
  std::vector<std::string> messages;
};

KernelRules kernel_rules(const policy::CompiledPolicy& policy);

}  // namespace agentsh
