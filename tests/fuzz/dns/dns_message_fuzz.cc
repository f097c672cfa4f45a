// Any bytes as a message: nothing is read past them, and whatever parses is written to bytes that
// parse to the same and are stable from then on.
#include "proxy/dns/message.h"

#include <cstdint>
#include <cstdlib>

using agentsh::Bytes;
using namespace agentsh::dns;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto first = parse_message(Bytes(data, size));
  if (!first) return 0;
  const auto written = write_message(*first);
  const auto second = parse_message(written);
  if (!second) std::abort();
  // A message that only just fits can grow when names are written that must not be compressed.
  const bool cut = second->header.truncated && !first->header.truncated;
  if (!cut && !(*second == *first)) std::abort();
  if (write_message(*second) != written) std::abort();
  if (write_message(*first, 512).size() > 512) std::abort();
  return 0;
}
