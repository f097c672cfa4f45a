#include "appliance/config/api_keys.h"

#include "appliance/config/trusted_file.h"
#include "policies/yaml_document.h"
#include "policies/yaml_reader.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <map>

namespace agentsh::config {
namespace {

using policy::Need;
using policy::SourcePosition;
using policy::YamlReader;

constexpr policy::YamlLimits kLimits{.max_bytes = 4 << 20, .max_nodes = 1 << 17, .max_depth = 8};
constexpr std::size_t kLongestKey = 512;

constexpr policy::Word<Role> kRoles[] = {
    {"agent", Role::kAgent}, {"approver", Role::kApprover}, {"admin", Role::kAdmin}};

// A header field carries it, so it is made of visible characters.
bool is_visible(std::string_view text) {
  for (char c : text) {
    if (c <= ' ' || c >= '\x7f') return false;
  }
  return true;
}

void check_key(const std::string& key, YamlReader& entry) {
  if (key.empty()) return;  // Reported as missing.
  if (key.size() < ApiKeys::kShortestKey || key.size() > kLongestKey) {
    entry.error("key", fmt::format("must have {} to {} characters, has {}: make one by `openssl "
                                   "rand -hex 32`",
                                   ApiKeys::kShortestKey, kLongestKey, key.size()));
  } else if (!is_visible(key)) {
    entry.error("key", "must consist of visible ASCII characters without blanks");
  }
}

}  // namespace

std::string_view to_string(Role role) {
  for (const policy::Word<Role>& word : kRoles) {
    if (word.value == role) return word.text;
  }
  return "agent";
}

ApiKeys::Digest ApiKeys::digest_of(std::string_view key) {
  Digest digest{};
  ::SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::optional<ApiKeys> ApiKeys::parse(std::string_view text, policy::Diagnostics& problems) {
  auto document = policy::YamlDocument::parse(text, problems, kLimits);
  if (!document) return {};
  const policy::YamlNode list = document->root();
  if (!list.is_sequence()) {
    problems.error(list.where(), "", "must be a list of keys: - {id: ..., key: ..., role: ...}");
    return {};
  }
  ApiKeys keys;
  std::map<std::string, SourcePosition> ids;
  std::map<Digest, SourcePosition> digests;
  for (std::size_t i = 0; i < list.size(); ++i) {
    YamlReader reader(list.item(i), fmt::format("[{}]", i), problems);
    Entry entry;
    std::string key;
    reader.text("id", entry.key.id, Need::kRequired);
    reader.text("key", key, Need::kRequired);
    reader.text("description", entry.key.description);
    reader.word("role", entry.key.role, kRoles);
    check_key(key, reader);
    entry.digest = digest_of(key);
    ::OPENSSL_cleanse(key.data(), key.size());
    auto [same_id, new_id] = ids.emplace(entry.key.id, reader.where());
    if (!new_id && !entry.key.id.empty()) {
      reader.error("id", fmt::format("\"{}\" is the id of the key at line {} too", entry.key.id,
                                     same_id->second.line));
    }
    auto [same_key, new_key] = digests.emplace(entry.digest, reader.where());
    if (!new_key && !key.empty()) {
      reader.error("key", fmt::format("is the same as at line {}", same_key->second.line));
    }
    keys.entries_.push_back(std::move(entry));
  }
  return problems.ok() ? std::optional(std::move(keys)) : std::nullopt;
}

Result<ApiKeys> ApiKeys::load(const std::string& path, uid_t reader) {
  auto text = read_secret_file(path, reader, kLimits.max_bytes);
  if (!text) return std::unexpected(text.error());
  policy::Diagnostics problems(path);
  auto keys = parse(*text, problems);
  ::OPENSSL_cleanse(text->data(), text->size());
  if (!keys) return std::unexpected(problems.to_error());
  return std::move(*keys);
}

const ApiKey* ApiKeys::find(std::string_view key) const {
  const Digest presented = digest_of(key);
  const ApiKey* found = nullptr;
  for (const Entry& entry : entries_) {
    const bool same = ::CRYPTO_memcmp(presented.data(), entry.digest.data(), presented.size()) == 0;
    found = same ? &entry.key : found;
  }
  return found;
}

}  // namespace agentsh::config
