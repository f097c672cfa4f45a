#include "appliance/config/loaded_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace agentsh::config {

std::string Origin::to_text() const {
  switch (kind) {
    case Kind::kDefault:
      return "default";
    case Kind::kFile:
      return fmt::format("{}:{}", name, where.line);
    case Kind::kEnvironment:
      return fmt::format("environment variable {}", name);
    case Kind::kFlag:
      return fmt::format("flag {}", name);
  }
  return "default";
}

Origin LoadedConfig::origin(std::string_view path) const {
  const SetKey* key = find(path);
  return key == nullptr ? Origin{} : key->origin;
}

const SetKey* LoadedConfig::find(std::string_view path) const {
  auto from_last = set | std::views::reverse;
  auto found = std::ranges::find(from_last, path, &SetKey::path);
  return found == from_last.end() ? nullptr : &*found;
}

}  // namespace agentsh::config
