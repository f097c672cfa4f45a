// Any bytes as a policy: it loads or is refused with a place, never anything else. What loads is
// compiled, linted, explained and asked, and every place that is reported lies within the text.
#include "policies/compiled_policy.h"
#include "policies/enforcement.h"
#include "policies/lint.h"
#include "policies/loader.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace agentsh;
using namespace agentsh::policy;

void check_places(const Diagnostics& problems, std::string_view text) {
  const auto lines = std::ranges::count(text, '\n') + 2;
  for (const Diagnostic& problem : problems.sorted()) {
    if (problem.where.line < 0 || problem.where.line > lines) std::abort();
    if (problem.message.empty()) std::abort();
  }
}

void ask(const CompiledPolicy& policy) {
  const IpAddress address = *IpAddress::parse("64:ff9b::a00:1");
  (void)policy.decide(ConnectFacts{.name = "a.example.com", .address = address, .port = 443});
  (void)policy.decide(ConnectFacts{.address = IpAddress::v4(0x5db8d822), .port = 53});
  (void)policy.decide(DnsFacts{.name = "db.internal", .type = "A"});
  (void)policy.decide(FileFacts{.path = "/home/u/.ssh/id", .operation = "delete"});
  const std::vector<std::string> arguments = {"-c", "env A=1 rm -rf \"x y\""};
  (void)policy.decide(CommandFacts{.path = "/bin/sh.real", .arguments = arguments});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kLongest = 64 << 10;  // YAML this long says nothing new, only slower.
  if (size > kLongest) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Diagnostics problems("fuzz.yaml");
  auto policy = load_policy(text, problems);
  check_places(problems, text);
  if (policy.has_value() != problems.ok()) std::abort();
  if (!policy) {
    (void)problems.to_error();
    return 0;
  }
  (void)lint(*policy);
  auto compiled = CompiledPolicy::compile(
      std::move(*policy), Variables({{"HOME", "/home/u"}, {"PROJECT_ROOT", "/home/u/{p}*"}}));
  if (!compiled) return 0;
  ask(**compiled);
  (void)to_text(enforcement_report(**compiled, "/home/u/p", {.bpf = true, .mounts = true}));
  return 0;
}
