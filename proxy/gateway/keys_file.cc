#include "proxy/gateway/keys_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace agentsh::gateway {
namespace {

constexpr std::array<std::string_view, 9> kMembers = {"name",
                                                      "owner",
                                                      "expires",
                                                      "models",
                                                      "budgets",
                                                      "requests_per_minute",
                                                      "tokens_per_minute",
                                                      "concurrent",
                                                      "dlp"};
constexpr std::array<std::string_view, 4> kStoredMembers = {"id", "sha256", "created", "revoked"};

Result<std::optional<WallTime>> time_member(JsonValue object, std::string_view name) {
  const JsonValue member = object.member(name);
  if (!member.exists() || member.is_null()) return std::optional<WallTime>();
  const auto time = parse_rfc3339(member.as_text());
  if (!time) return fail(fmt::format("{}: is no RFC 3339 time", name));
  return time;
}

Result<std::vector<std::string>> list_member(JsonValue object, std::string_view name) {
  const JsonValue member = object.member(name);
  if (!member.exists()) return std::vector<std::string>();
  std::vector<std::string> texts = object.texts(name);
  if (!member.is_array() || texts.size() != member.elements().size()) {
    return fail(fmt::format("{}: must be a list of texts", name));
  }
  return texts;
}

Result<std::uint64_t> count_member(JsonValue object, std::string_view name) {
  const JsonValue member = object.member(name);
  if (!member.exists()) return 0;
  if (!member.is_integer() || member.as_integer(-1) < 0) {
    return fail(fmt::format("{}: must be a number that is not negative", name));
  }
  return static_cast<std::uint64_t>(member.as_integer());
}

Result<> check_members(JsonValue object, bool stored) {
  if (!object.is_object()) return fail("must be an object");
  for (const auto& [name, value] : object.members()) {
    const bool known = std::ranges::find(kMembers, name) != kMembers.end() ||
                       (stored && std::ranges::find(kStoredMembers, name) != kStoredMembers.end());
    if (!known) return fail(fmt::format("{}: is not known", name));
  }
  for (const std::string_view name : {"name", "owner", "dlp"}) {
    const JsonValue member = object.member(name);
    if (member.exists() && !member.is_string())
      return fail(fmt::format("{}: must be a text", name));
  }
  return {};
}

Result<Limits> parse_limits(JsonValue object) {
  Limits limits;
  auto budgets = list_member(object, "budgets");
  if (!budgets) return std::unexpected(budgets.error());
  for (const std::string& text : *budgets) {
    auto budget = parse_budget(text);
    if (!budget) return std::unexpected(with_context(budget.error(), "budgets"));
    limits.budgets.push_back(*budget);
  }
  for (const auto& [name, target] : {std::pair("requests_per_minute", &limits.requests_per_minute),
                                     std::pair("tokens_per_minute", &limits.tokens_per_minute),
                                     std::pair("concurrent", &limits.concurrent)}) {
    auto count = count_member(object, name);
    if (!count) return std::unexpected(count.error());
    *target = *count;
  }
  return limits;
}

Result<KeySpec> parse_spec(JsonValue object, bool stored) {
  if (auto known = check_members(object, stored); !known) return std::unexpected(known.error());
  KeySpec spec;
  spec.name = object.text("name");
  spec.owner = object.text("owner");
  spec.dlp_profile = object.text("dlp");
  auto expires = time_member(object, "expires");
  if (!expires) return std::unexpected(expires.error());
  spec.expires = *expires;
  auto models = list_member(object, "models");
  if (!models) return std::unexpected(models.error());
  spec.models = std::move(*models);
  auto limits = parse_limits(object);
  if (!limits) return std::unexpected(limits.error());
  spec.limits = std::move(*limits);
  return spec;
}

Result<VirtualKey> parse_key(JsonValue object) {
  auto spec = parse_spec(object, true);
  if (!spec) return std::unexpected(spec.error());
  VirtualKey key;
  static_cast<KeySpec&>(key) = std::move(*spec);
  key.id = object.text("id");
  key.sha256 = object.text("sha256");
  if (key.id.empty() || key.sha256.size() != 64) return fail("id or sha256 is missing");
  auto created = time_member(object, "created");
  if (!created) return std::unexpected(created.error());
  key.created = created->value_or(WallTime{});
  auto revoked = time_member(object, "revoked");
  if (!revoked) return std::unexpected(revoked.error());
  key.revoked = *revoked;
  return key;
}

}  // namespace

Result<KeySpec> parse_key_spec(JsonValue object) {
  return parse_spec(object, false);
}

Result<std::vector<VirtualKey>> parse_keys(std::string_view text) {
  auto document = JsonDocument::parse(text, {.max_bytes = 64 << 20});
  if (!document) return std::unexpected(document.error());
  const JsonValue list = document->root().member("keys");
  if (!list.is_array()) return fail("has no list of keys");
  std::vector<VirtualKey> keys;
  for (const JsonNode& node : list.elements()) {
    auto key = parse_key(JsonValue(&node));
    if (!key) {
      return std::unexpected(with_context(key.error(), fmt::format("keys[{}]", keys.size())));
    }
    keys.push_back(std::move(*key));
  }
  return keys;
}

void write_key_spec(const KeySpec& spec, JsonWriter& json) {
  json.field("name", spec.name).optional_field("owner", spec.owner);
  if (spec.expires) json.field("expires", format_rfc3339(*spec.expires));
  json.key("models").begin_array();
  for (const std::string& glob : spec.models) json.value(glob);
  json.end_array().key("budgets").begin_array();
  for (const Budget& budget : spec.limits.budgets) json.value(to_string(budget));
  json.end_array();
  json.field("requests_per_minute", spec.limits.requests_per_minute)
      .field("tokens_per_minute", spec.limits.tokens_per_minute)
      .field("concurrent", spec.limits.concurrent)
      .optional_field("dlp", spec.dlp_profile);
}

std::string render_keys(const std::vector<VirtualKey>& keys) {
  JsonWriter json(1);
  json.begin_object().key("keys").begin_array();
  for (const VirtualKey& key : keys) {
    json.begin_object().field("id", key.id).field("sha256", key.sha256);
    json.field("created", format_rfc3339(key.created));
    if (key.revoked) json.field("revoked", format_rfc3339(*key.revoked));
    write_key_spec(key, json);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take() + "\n";
}

}  // namespace agentsh::gateway
