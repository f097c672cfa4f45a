// Any bytes as a configuration file: never a crash, and what loads can be shown, shown values are
// JSON, and nothing of a secret is in them.
#include "appliance/config/loader.h"
#include "appliance/config/show.h"
#include "base/json_reader.h"

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace agentsh;

config::LoadRequest fixed_request() {
  config::LoadRequest request;
  request.uid = 1000;
  request.environment = [](const std::string& name) -> std::optional<std::string> {
    return name == "HOME" ? std::optional<std::string>("/home/ann") : std::nullopt;
  };
  request.paths = {"/c", "/s", "/r", "/r/agentsh.sock"};
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const config::LoadRequest request = fixed_request();
  static const config::ServerConfig defaults = config::default_config(request.paths, request.uid);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const config::LoadReport report = config::parse_config(text, "/etc/config.yaml", request);
  for (const policy::Diagnostic& problem : report.problems) {
    if (policy::to_text(problem).empty()) std::abort();
  }
  if (!report.config) {
    if (report.problems.empty()) std::abort();  // Refused without a reason.
    return 0;
  }
  const std::string json = config::show_json(*report.config, defaults, "");
  if (!JsonDocument::parse(json, {.max_bytes = 64 << 20})) std::abort();
  if (config::show_table(*report.config, defaults, "").empty()) std::abort();
  return 0;
}
