// Any bytes in any coding: the same output or an error for every chunking, within the limits.
#include "dlp/inflate.h"
#include "tests/fuzz/dlp/fuzz_detectors.h"

#include <optional>

using namespace agentsh::dlp;

namespace {

std::optional<std::string> inflated(Coding coding, std::string_view in, std::size_t size) {
  const InflateLimits limits{.max_output = 1 << 20, .max_ratio = 100, .max_free = 1 << 16};
  const auto inflater = Inflater::make(coding, limits);
  std::string out;
  for (; !in.empty(); in.remove_prefix(std::min(size, in.size()))) {
    if (!inflater->push(in.substr(0, size), out)) return {};
  }
  fuzz::require(out.size() <= limits.max_output);
  if (!inflater->finish()) return {};
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 50'000) return 0;
  const auto coding = static_cast<Coding>(data[0] % 5);
  const std::string_view in = fuzz::text_of(data + 2, size - 2);
  const auto whole = inflated(coding, in, in.size() + 1);
  const auto pieces = inflated(coding, in, 1u + data[1]);
  // The ratio is judged as the bytes come, so only what both accept must agree.
  if (whole && pieces) fuzz::require(*whole == *pieces);
  return 0;
}
