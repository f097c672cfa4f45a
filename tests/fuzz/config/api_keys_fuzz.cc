// Any bytes as a file of API keys: never a crash, and refused files have a reason.
#include "appliance/config/api_keys.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentsh;
  policy::Diagnostics problems("keys.yaml");
  auto keys = config::ApiKeys::parse({reinterpret_cast<const char*>(data), size}, problems);
  if (keys.has_value() != problems.ok()) std::abort();
  if (keys && keys->find("") != nullptr) std::abort();
  return 0;
}
