#include "dlp/vault.h"

#include "base/encoding.h"
#include "base/json_reader.h"
#include "base/json_writer.h"
#include "base/random.h"
#include "dlp/siphash.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

constexpr std::string_view kPrefix = "TOK_";
// Without I, L, O and U, which are mistaken for others.
constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
static_assert(kAlphabet.size() == 32);

char upper(char byte) {
  return byte >= 'a' && byte <= 'z' ? static_cast<char>(byte - ('a' - 'A')) : byte;
}

std::string upper(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(), [](char byte) { return upper(byte); });
  return result;
}

bool is_letter(char byte) {
  return byte >= 'A' && byte <= 'Z';
}

// How much of `text` goes along with a placeholder's form, and whether that is all of one.
struct Form {
  std::size_t length = 0;
  bool complete = false;
  bool cut = false;  // The text ended first.
};

Form form_of(std::string_view text) {
  std::size_t at = 0;
  for (; at < kPrefix.size(); ++at) {
    if (at == text.size()) return {at, false, true};
    if (upper(text[at]) != kPrefix[at]) return {at};
  }
  const std::size_t tag = at;
  while (at < text.size() && at - tag < Vault::kMaxTag && is_letter(upper(text[at]))) ++at;
  if (at == text.size()) return {at, false, true};
  if (at == tag || text[at] != '_') return {at};
  const std::size_t digits = ++at;
  for (; at - digits < Vault::kDigits; ++at) {
    if (at == text.size()) return {at, false, true};
    if (!kAlphabet.contains(upper(text[at]))) return {at};
  }
  return {at, true, false};
}

}  // namespace

std::size_t placeholder_length(std::string_view text) {
  const Form form = form_of(text);
  return form.complete ? form.length : 0;
}

bool may_begin_placeholder(std::string_view text) {
  const Form form = form_of(text);
  return form.cut || (form.complete && form.length == text.size());
}

Vault::Vault() {
  fill_random(key_);
}

Vault::Vault(const Key& key) : key_(key) {}

std::optional<std::string> Vault::placeholder_for(std::string_view value, std::string_view tag) {
  auto entries = entries_.lock();
  if (const auto known = entries->placeholders.find(std::string(value));
      known != entries->placeholders.end()) {
    return known->second;
  }
  const std::size_t cost = 2 * (value.size() + kMaxPlaceholder) + 128;
  if (entries->values.size() >= kMaxValues || entries->bytes + cost > kMaxBytes) {
    return std::nullopt;
  }
  std::string placeholder;
  std::string hashed(value);
  do {
    std::uint64_t bits = siphash(key_, hashed);
    placeholder = fmt::format("{}{}_", kPrefix, tag);
    for (std::size_t i = 0; i < kDigits; ++i, bits >>= 5) placeholder += kAlphabet[bits & 31];
    hashed += '\0';  // For the case that another value has it already.
  } while (entries->values.contains(placeholder));
  entries->placeholders.emplace(value, placeholder);
  entries->values.emplace(placeholder, value);
  entries->bytes += cost;
  size_.store(entries->values.size(), std::memory_order_release);
  return placeholder;
}

std::optional<std::string> Vault::value_of(std::string_view placeholder) const {
  if (empty()) return std::nullopt;
  const std::string name = upper(placeholder);
  auto entries = entries_.lock();
  const auto found = entries->values.find(name);
  if (found == entries->values.end()) return std::nullopt;
  return found->second;
}

bool Vault::issued_with_prefix(std::string_view prefix) const {
  if (empty()) return false;
  const std::string name = upper(prefix);
  auto entries = entries_.lock();
  const auto found = entries->values.lower_bound(name);
  return found != entries->values.end() && found->first.starts_with(name);
}

std::uint64_t Vault::digest(std::string_view value) const {
  // Apart from placeholders, so that a digest is no part of one.
  const std::uint64_t hash = siphash(key_, fmt::format("digest:{}", value));
  return hash == 0 ? 1 : hash;
}

std::string Vault::to_json() const {
  JsonWriter json(1);
  json.begin_object().field("version", 1).field("key", to_hex(key_)).key("values").begin_array();
  auto entries = entries_.lock();
  for (const auto& [placeholder, value] : entries->values) {
    // Base64: values are bytes, JSON is text.
    json.begin_object()
        .field("placeholder", placeholder)
        .field("value", to_base64(value))
        .end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

Result<std::shared_ptr<Vault>> Vault::from_json(std::string_view text) {
  auto document = JsonDocument::parse(text, {.max_bytes = 4 * kMaxBytes, .max_depth = 8});
  if (!document) return std::unexpected(document.error());
  const JsonValue root = document->root();
  if (root.integer("version") != 1) return fail("not a vault of this version");
  Key key{};
  const std::string_view hex = root.text("key");
  if (hex.size() != 2 * key.size()) return fail("the vault's key is damaged");
  for (std::size_t i = 0; i < key.size(); ++i) {
    const auto read = fmt::format("{}", hex.substr(2 * i, 2));
    char* end = nullptr;
    key[i] = static_cast<std::uint8_t>(std::strtoul(read.c_str(), &end, 16));
    if (end != read.c_str() + 2) return fail("the vault's key is damaged");
  }
  auto vault = std::make_shared<Vault>(key);
  auto entries = vault->entries_.lock();
  for (const JsonNode& node : root.member("values").elements()) {
    const JsonValue entry(&node);
    const std::string_view placeholder = entry.text("placeholder");
    const auto value = from_base64(entry.text("value"));
    if (placeholder_length(placeholder) != placeholder.size() || placeholder.empty() || !value ||
        upper(placeholder) != placeholder) {
      return fail("the vault has an entry that is damaged");
    }
    entries->values.emplace(placeholder, *value);
    entries->placeholders.emplace(*value, placeholder);
    entries->bytes += 2 * (value->size() + kMaxPlaceholder) + 128;
  }
  vault->size_.store(entries->values.size(), std::memory_order_release);
  return vault;
}

}  // namespace agentsh::dlp
