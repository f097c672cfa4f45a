#include "proxy/gateway/keys.h"

#include "base/encoding.h"
#include "base/file_io.h"
#include "base/random.h"
#include "proxy/gateway/keys_file.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

namespace agentsh::gateway {
namespace {

constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kIdLength = 12;
constexpr std::size_t kMaxName = 100;
// Longer than any key that was made here; hashing more would be work for nothing.
constexpr std::size_t kMaxSecret = 256;

std::string sha256_hex(std::string_view text) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return to_hex(digest);
}

// "sk-agentsh-" and Base64 that needs no escapes in URLs and header fields.
std::string make_secret() {
  std::array<std::uint8_t, kSecretBytes> bytes;
  fill_random(bytes);
  std::string text = to_base64({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  while (text.ends_with('=')) text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return "sk-agentsh-" + text;
}

bool has_control(std::string_view text) {
  return std::ranges::any_of(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

Result<> check(const KeySpec& spec, WallTime now) {
  if (spec.name.empty() || spec.name.size() > kMaxName || has_control(spec.name)) {
    return fail("a key needs a name of 1 to 100 printable characters");
  }
  if (spec.owner.size() > kMaxName || has_control(spec.owner)) {
    return fail("the owner has at most 100 printable characters");
  }
  if (spec.expires && *spec.expires <= now) return fail("the key would have expired already");
  for (const std::string& glob : spec.models) {
    if (glob.empty() || has_control(glob)) return fail("a model's name is empty or unprintable");
  }
  return {};
}

}  // namespace

std::string_view to_string(KeyState state) {
  switch (state) {
    case KeyState::kActive:
      return "active";
    case KeyState::kExpired:
      return "expired";
    case KeyState::kRevoked:
      break;
  }
  return "revoked";
}

KeyState VirtualKey::state(WallTime now) const {
  if (revoked) return KeyState::kRevoked;
  return expires && *expires <= now ? KeyState::kExpired : KeyState::kActive;
}

KeySet::KeySet(std::vector<VirtualKey> keys) : keys_(std::move(keys)) {
  for (std::size_t i = 0; i < keys_.size(); ++i) by_hash_[keys_[i].sha256] = i;
}

const VirtualKey* KeySet::find(std::string_view secret) const {
  if (secret.empty() || secret.size() > kMaxSecret) return nullptr;
  const auto found = by_hash_.find(sha256_hex(secret));
  return found == by_hash_.end() ? nullptr : &keys_[found->second];
}

const VirtualKey* KeySet::by_id(std::string_view id) const {
  const auto found = std::ranges::find(keys_, id, &VirtualKey::id);
  return found == keys_.end() ? nullptr : &*found;
}

KeyStore::KeyStore(std::string file, std::shared_ptr<const KeySet> keys)
    : file_(std::move(file)), keys_(std::move(keys)) {}

Result<std::unique_ptr<KeyStore>> KeyStore::open(std::string file) {
  std::vector<VirtualKey> keys;
  auto text = read_file(file);
  if (text) {
    auto parsed = parse_keys(*text);
    if (!parsed) return std::unexpected(with_context(parsed.error(), file));
    keys = std::move(*parsed);
  } else if (text.error().code != std::errc::no_such_file_or_directory) {
    return std::unexpected(text.error());
  }
  return std::unique_ptr<KeyStore>(
      new KeyStore(std::move(file), std::make_shared<const KeySet>(std::move(keys))));
}

std::shared_ptr<const KeySet> KeyStore::current() const {
  return *keys_.lock();
}

// On disk before it counts.
Result<> KeyStore::replace(std::vector<VirtualKey> keys) {
  if (auto written = write_file_atomic(file_, render_keys(keys), 0600); !written) return written;
  *keys_.lock() = std::make_shared<const KeySet>(std::move(keys));
  return {};
}

Result<KeyStore::Created> KeyStore::create(KeySpec spec, WallTime now) {
  if (auto sound = check(spec, now); !sound) return std::unexpected(sound.error());
  const std::lock_guard changing(changing_);
  std::vector<VirtualKey> keys = current()->all();
  for (const VirtualKey& key : keys) {
    if (key.name == spec.name && key.state(now) == KeyState::kActive) {
      return fail(
          fmt::format("there is a key \"{}\" already ({}); revoke it first", key.name, key.id),
          std::errc::file_exists);
    }
  }
  Created created;
  created.secret = make_secret();
  static_cast<KeySpec&>(created.key) = std::move(spec);
  created.key.id = "key_" + random_name(kIdLength);
  created.key.sha256 = sha256_hex(created.secret);
  created.key.created = now;
  keys.push_back(created.key);
  if (auto stored = replace(std::move(keys)); !stored) return std::unexpected(stored.error());
  return created;
}

Result<VirtualKey> KeyStore::revoke(std::string_view id_or_name, WallTime now) {
  const std::lock_guard changing(changing_);
  std::vector<VirtualKey> keys = current()->all();
  const auto found = std::ranges::find_if(keys, [&](const VirtualKey& key) {
    return key.id == id_or_name || (key.name == id_or_name && !key.revoked);
  });
  if (found == keys.end()) {
    return fail(fmt::format("there is no key \"{}\"", id_or_name),
                std::errc::no_such_file_or_directory);
  }
  if (!found->revoked) found->revoked = now;
  VirtualKey revoked = *found;
  if (auto stored = replace(std::move(keys)); !stored) return std::unexpected(stored.error());
  return revoked;
}

}  // namespace agentsh::gateway
