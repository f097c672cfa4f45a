// Paths: what is judged has no segment that a server would resolve, holds nothing encoded, and is
// the same however often it is decoded.
#include "base/encoding.h"
#include "proxy/services/request_path.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh::services;
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  const auto path = judged_path(target);
  if (!path) return 0;
  if (!path->starts_with('/') || path->find("//") != std::string::npos) std::abort();
  if (("/" + *path + "/").find("/../") != std::string::npos) std::abort();
  if (path->find('\\') != std::string::npos) std::abort();
  // Encoded anew it is the same path.
  std::string encoded;
  for (const char c : *path) encoded += c == '/' ? "/" : agentsh::percent_encoded({&c, 1});
  const auto again = judged_path(encoded);
  if (!again || *again != *path) std::abort();
  return 0;
}
