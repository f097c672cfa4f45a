// Placeholders in a stream: the output does not depend on the pieces.
#include "proxy/services/placeholder.h"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct Outcome {
  std::string out;
  bool leaked = false;
};

const std::string kOwn = "aabaabaac";
const std::string kReal = "aabXXXaab";
const std::vector<agentsh::services::Placeholder> kForbidden = {{"aabbaabb", "other"}};

Outcome run(std::string_view text, std::size_t piece) {
  agentsh::services::PlaceholderStream stream(kOwn, kReal, kForbidden);
  Outcome outcome;
  do {
    const std::string_view part = text.substr(0, piece);
    text.remove_prefix(part.size());
    outcome.leaked = stream.push(part, text.empty(), outcome.out) != nullptr;
  } while (!text.empty() && !outcome.leaked);
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = run(text, text.size() + 1);
  const Outcome pieces = run(text, data[0] % 16 + 1);
  if (whole.leaked != pieces.leaked) std::abort();
  if (!whole.leaked && (whole.out != pieces.out || whole.out.size() != text.size())) std::abort();
  return 0;
}
