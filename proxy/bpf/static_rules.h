// Policy rules whose answer depends on address and port alone, turned into the longest-prefix table
// that the kernel programs answer from at connect().
//
// The kernel's table is a short cut: what it leaves out goes to the proxy, which decides by the
// whole policy. So a compiler of rules must hand over only what no earlier rule of the policy (by
// name, for instance) can decide otherwise. Port 53 is not looked up here: DNS is decided by name.
// Pure functions, any thread.
#pragma once

#include "base/ip.h"
#include "proxy/bpf/flow_abi.h"

#include <cstdint>
#include <span>
#include <vector>

namespace agentsh::bpf {

enum class StaticAnswer : std::uint32_t {
  kToProxy = abi::kAnswerPass,               // An exception from a later, wider rule.
  kNotPermitted = abi::kAnswerNotPermitted,  // EPERM
  kRefused = abi::kAnswerRefused,            // ECONNREFUSED
};

struct StaticRule {
  Cidr network;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 65535;
  StaticAnswer answer = StaticAnswer::kNotPermitted;
  std::uint64_t tag = 0;  // Comes back with the refusals of this rule.
};

struct DenialEntry {
  abi::DenialKey key;
  abi::DenialValue value;
};

struct CompiledDenials {
  std::vector<DenialEntry> entries;
  // Port ranges that found no room in their prefix (kMaxPortRanges) and are left to the proxy.
  std::size_t ranges_left_out = 0;
};

// The first rule that contains address and port decides, as in the policy. O(n log n) in the number
// of rules.
CompiledDenials compile_denials(std::span<const StaticRule> rules);

}  // namespace agentsh::bpf
