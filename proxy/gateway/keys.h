// Virtual keys: what clients of the gateway present in place of a provider's key.
//
// A key is 256 random bits and is shown once, when it is made. What is kept is its SHA-256, which
// is enough for a secret that nobody can guess. The keys are in one file, written whole (0600).
//
//   auto keys = KeyStore::open(directory + "/gateway-keys.json");
//   auto made = (*keys)->create({.name = "ci", .models = {"gpt-*"}});     // made->secret: this
//   once std::shared_ptr<const KeySet> set = (*keys)->current(); const VirtualKey* key =
//   set->find(secret);
//
// Threads: any. Errors: a file that cannot be read or understood is refused as a whole.
#pragma once

#include "base/lock_guarded.h"
#include "base/result.h"
#include "base/time_format.h"
#include "proxy/gateway/limits.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace agentsh::gateway {

// What an operator says of a key.
struct KeySpec {
  std::string name;
  std::string owner;
  std::optional<WallTime> expires;
  std::vector<std::string> models;  // Globs; empty: every model.
  Limits limits;
  std::string dlp_profile;  // Empty: the gateway's own.
};

enum class KeyState : std::uint8_t { kActive, kExpired, kRevoked };
std::string_view to_string(KeyState state);

struct VirtualKey : KeySpec {
  std::string id;      // "key_" and 12 characters; in records in place of the key.
  std::string sha256;  // Hexadecimal.
  WallTime created{};
  std::optional<WallTime> revoked;

  KeyState state(WallTime now) const;
};

// Immutable.
class KeySet {
 public:
  explicit KeySet(std::vector<VirtualKey> keys);

  // The key that was presented, whatever its state. Null: there is none.
  const VirtualKey* find(std::string_view secret) const;
  const VirtualKey* by_id(std::string_view id) const;
  const std::vector<VirtualKey>& all() const { return keys_; }

 private:
  std::vector<VirtualKey> keys_;
  std::unordered_map<std::string, std::size_t> by_hash_;
};

class KeyStore {
 public:
  // The file may not exist yet.
  static Result<std::unique_ptr<KeyStore>> open(std::string file);

  struct Created {
    VirtualKey key;
    std::string secret;
  };
  // Fails when the specification makes no sense or a key of this name is active.
  Result<Created> create(KeySpec spec, WallTime now);
  // By id or by name. Fails with no_such_file_or_directory when there is none.
  Result<VirtualKey> revoke(std::string_view id_or_name, WallTime now);

  std::shared_ptr<const KeySet> current() const;

 private:
  KeyStore(std::string file, std::shared_ptr<const KeySet> keys);
  Result<> replace(std::vector<VirtualKey> keys);

  const std::string file_;
  std::mutex changing_;
  mutable LockGuarded<std::shared_ptr<const KeySet>> keys_;
};

}  // namespace agentsh::gateway
