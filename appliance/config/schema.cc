#include "appliance/config/schema.h"

#include <algorithm>

namespace agentsh::config {

Schema::Schema(ServerConfig& config) {
  add_server_keys(*this, config);
  add_session_keys(*this, config);
  add_sandbox_keys(*this, config);
  add_llm_keys(*this, config);
  add_gateway_keys(*this, config);
  add_guard_keys(*this, config);
  add_dlp_keys(*this, config);
  add_audit_keys(*this, config);
}

const Key* Schema::find(std::string_view path) const {
  auto found = std::ranges::find(keys_, path, &Key::path);
  return found == keys_.end() ? nullptr : &*found;
}

Key& Schema::add(std::string path, FieldPtr field, std::string doc) {
  return keys_.emplace_back(
      Key{.path = std::move(path), .field = std::move(field), .doc = std::move(doc)});
}

Key& Schema::add_state_path(std::string path, std::string& value, std::string suffix,
                            std::string doc) {
  Key& key = add(std::move(path), path_field(value), std::move(doc));
  key.below_state = &value;
  key.suffix = std::move(suffix);
  return key;
}

}  // namespace agentsh::config
