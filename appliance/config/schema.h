// Every key of the configuration: one table that the reader, `config show`, the sample
// configuration and the manual page are all made from.
//
// A key is said once. Keys that this version acts on are declared in keys_server.cc,
// keys_sandbox.cc and keys_llm.cc, each bound to its member of ServerConfig; keys of agentsh that
// it knows but has no member for are in known_keys.cc, with the shape of their value. unenforced.h
// says which of them have no effect yet.
//
// Lifetime: a Schema refers to the ServerConfig it was made for. Threads: one owner.
#pragma once

#include "appliance/config/field.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::config {

struct Key {
  std::string path;  // "server.unix_socket.path"
  FieldPtr field;
  std::string doc;       // One or two sentences.
  std::string variable;  // The environment variable that sets it; may be empty.
  // A path whose default is below server.state_dir.
  std::string* below_state = nullptr;
  std::string suffix;

  Key& environment(std::string name) {
    variable = std::move(name);
    return *this;
  }
};

class Schema {
 public:
  explicit Schema(ServerConfig& config);

  // In the order of the documentation: sections together.
  std::span<const Key> keys() const { return keys_; }
  const Key* find(std::string_view path) const;

  // Adds a key while the table is made. The reference is good until the next call.
  Key& add(std::string path, FieldPtr field, std::string doc);
  // A path that is <server.state_dir>/<suffix> unless it is set.
  Key& add_state_path(std::string path, std::string& value, std::string suffix, std::string doc);

 private:
  std::vector<Key> keys_;
};

// Parts of the table.
void add_server_keys(Schema& schema, ServerConfig& config);
void add_session_keys(Schema& schema, ServerConfig& config);
void add_sandbox_keys(Schema& schema, ServerConfig& config);
void add_llm_keys(Schema& schema, ServerConfig& config);
void add_dlp_keys(Schema& schema, ServerConfig& config);
void add_gateway_keys(Schema& schema, ServerConfig& config);
void add_guard_keys(Schema& schema, ServerConfig& config);
void add_audit_keys(Schema& schema, ServerConfig& config);

// What the value of a known key without a member must look like.
enum class Shape {
  kFlag,
  kInteger,
  kNumber,
  kDuration,
  kText,
  kSecret,  // A text that is never shown.
  kTexts,
  kIntegers,
  kTextMap,
  kSecretMap,
  kAnything,  // A block whose inside belongs to a later version.
};

// Keys of one block and shape: `block` + each of the blank-separated `names`. In a path, "[]"
// stands for every element of a list, "*" for every key of a map.
struct KnownKeys {
  std::string_view block;
  Shape shape;
  std::string_view names;
};
std::span<const KnownKeys> known_keys();

}  // namespace agentsh::config
