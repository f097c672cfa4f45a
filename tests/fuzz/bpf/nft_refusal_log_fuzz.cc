// Packets of a session, as netfilter's log hands them over.
#include "proxy/bpf/nft_refusal_log.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const agentsh::IpAddress listener = *agentsh::IpAddress::parse("127.83.71.1");
  for (const auto& refusal : agentsh::bpf::parse_refusal_log({data, size}, {&listener, 1})) {
    if (!refusal.destination || refusal.count != 1) std::abort();
  }
  return 0;
}
