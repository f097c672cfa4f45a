#include "appliance/config/gateway_fields.h"

#include "appliance/config/items_field.h"
#include "proxy/gateway/limits.h"
#include "proxy/llm/dialect.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::config {
namespace {

using policy::Need;
using policy::Word;
using policy::YamlNode;
using policy::YamlReader;

constexpr Word<KeyField> kKeyFields[] = {
    {"auto", KeyField::kAutomatic},    {"bearer", KeyField::kBearer},
    {"x-api-key", KeyField::kXApiKey}, {"x-goog-api-key", KeyField::kXGoogApiKey},
    {"api-key", KeyField::kApiKey},    {"none", KeyField::kNone}};
constexpr Word<LimitScope> kScopes[] = {
    {"all", LimitScope::kAll}, {"session", LimitScope::kSession}, {"model", LimitScope::kModel}};

bool fails(YamlReader& reader, std::string_view key, std::string message) {
  reader.error(key, std::move(message));
  return false;
}

bool read_path(YamlReader& reader, std::string_view key, ReadContext& context, std::string& out) {
  std::string text;
  if (!reader.text(key, text)) return reader.get(key).empty();
  const FieldPtr field = path_field(out);
  return field->read(reader.get(key), reader.path_of(key), context);
}

class ListenersField final : public ItemsField<GatewayListener> {
 public:
  explicit ListenersField(std::vector<GatewayListener>& value)
      : ItemsField(value, "a list of {address, cert_file, key_file, metrics}") {}

 private:
  bool read_item(YamlReader& reader, ReadContext& context, GatewayListener& item) override {
    std::optional<Endpoint> address;
    const YamlNode node = reader.require("address");
    if (node.empty() || !endpoint_field(address)->read(node, reader.path_of("address"), context) ||
        !address) {
      return false;
    }
    item.address = *address;
    bool good = read_path(reader, "cert_file", context, item.cert_file);
    good &= read_path(reader, "key_file", context, item.key_file);
    reader.flag("metrics", item.metrics);
    if (item.cert_file.empty() != item.key_file.empty()) {
      return fails(reader, "cert_file", "needs key_file, and key_file needs it");
    }
    if (item.cert_file.empty() && classify(item.address.address) != AddressClass::kLoopback) {
      context.problems.warning(reader.where(), reader.path_of("address"),
                               "keys and prompts cross the network in clear text: set cert_file "
                               "and key_file, or listen on 127.0.0.1");
    }
    return good;
  }
  void write_item(JsonWriter& out, const GatewayListener& item) const override {
    out.field("address", item.address.to_string());
    out.optional_field("cert_file", item.cert_file).optional_field("key_file", item.key_file);
    if (item.metrics) out.field("metrics", true);
  }
};

bool is_secret_reference(std::string_view text) {
  return (text.starts_with("env:") && text.size() > 4) || text.starts_with("file:/") ||
         text.starts_with("exec:/");
}

class UpstreamsField final : public ItemsField<GatewayUpstream> {
 public:
  explicit UpstreamsField(std::vector<GatewayUpstream>& value)
      : ItemsField(value, "a list of {name, provider, base_url, api_key, key_field, headers}") {}

 private:
  bool read_item(YamlReader& reader, ReadContext&, GatewayUpstream& item) override {
    bool good = reader.text("name", item.name, Need::kRequired);
    good &= reader.text("base_url", item.base_url, Need::kRequired);
    reader.text("provider", item.provider);
    reader.text("api_key", item.api_key);
    reader.word("key_field", item.key_field, kKeyFields);
    reader.each_entry("headers", [&](YamlNode name, YamlNode value, const std::string& path) {
      std::string text;
      good &= policy::read_text(value, path, reader.problems(), text);
      item.headers[std::string(name.text())] = std::move(text);
    });
    if (!good) return false;
    const auto server = llm::parse_base_url(item.base_url);
    if (!server) {
      return fails(reader, "base_url",
                   "must be the base URL of an API such as https://api.openai.com/v1");
    }
    if (item.provider.empty() &&
        !llm::recognise({.host = server->host, .port = server->port, .path = "/"}, {})) {
      return fails(reader, "base_url", "is no provider that is known: say `provider` as well");
    }
    if (!item.api_key.empty() && !is_secret_reference(item.api_key)) {
      return fails(reader, "api_key",
                   "must say where the key is: env:NAME, file:/path or exec:/program; the key "
                   "itself does not belong into this file");
    }
    return true;
  }
  void write_item(JsonWriter& out, const GatewayUpstream& item) const override {
    out.field("name", item.name).optional_field("provider", item.provider);
    out.field("base_url", item.base_url).optional_field("api_key", item.api_key);
    if (item.key_field != KeyField::kAutomatic) {
      out.field("key_field",
                std::ranges::find(kKeyFields, item.key_field, &Word<KeyField>::value)->text);
    }
    if (item.headers.empty()) return;
    out.key("headers").begin_object();
    for (const auto& [name, value] : item.headers) out.field(name, value);
    out.end_object();
  }
};

class RoutesField final : public ItemsField<GatewayRoute> {
 public:
  explicit RoutesField(std::vector<GatewayRoute>& value)
      : ItemsField(value, "a list of {models, path, upstreams: [name or {name, weight}]}") {}

 private:
  bool read_item(YamlReader& reader, ReadContext& context, GatewayRoute& item) override {
    bool good = true;
    reader.texts("models", item.models);
    reader.text("path", item.path);
    if (!item.path.empty() && !item.path.starts_with('/')) {
      good = fails(reader, "path", "must begin with \"/\"");
    }
    reader.each_item("upstreams", [&](YamlNode node, const std::string& path) {
      GatewayChoice& choice = item.upstreams.emplace_back();
      if (node.is_scalar()) {
        good &= policy::read_text(node, path, context.problems, choice.upstream);
        return;
      }
      YamlReader one(node, path, context.problems);
      good &= one.text("name", choice.upstream, Need::kRequired);
      one.integer("weight", choice.weight, 0, 1'000'000);
    });
    if (item.upstreams.empty()) good = fails(reader, "upstreams", "must name one at least");
    return good;
  }
  void write_item(JsonWriter& out, const GatewayRoute& item) const override {
    if (!item.models.empty()) {
      out.key("models").begin_array();
      for (const std::string& glob : item.models) out.value(glob);
      out.end_array();
    }
    out.optional_field("path", item.path).key("upstreams").begin_array();
    for (const GatewayChoice& choice : item.upstreams) {
      out.begin_object().field("name", choice.upstream).field("weight", choice.weight);
      out.end_object();
    }
    out.end_array();
  }
};

class LimitsField final : public ItemsField<LlmLimit> {
 public:
  explicit LimitsField(std::vector<LlmLimit>& value)
      : ItemsField(value,
                   "a list of {per, models, budgets, requests_per_minute, "
                   "tokens_per_minute, concurrent}") {}

 private:
  bool read_item(YamlReader& reader, ReadContext&, LlmLimit& item) override {
    bool good = reader.word("per", item.scope, kScopes, Need::kRequired);
    reader.text("models", item.models);
    reader.texts("budgets", item.budgets);
    constexpr std::uint64_t kMost = 1'000'000'000'000;
    reader.integer("requests_per_minute", item.requests_per_minute, std::uint64_t{0}, kMost);
    reader.integer("tokens_per_minute", item.tokens_per_minute, std::uint64_t{0}, kMost);
    reader.integer("concurrent", item.concurrent, std::uint64_t{0}, kMost);
    if ((item.scope == LimitScope::kModel) == item.models.empty()) {
      good = fails(reader, "models", "goes with `per: model`, which needs it");
    }
    for (const std::string& text : item.budgets) {
      if (auto budget = gateway::parse_budget(text); !budget) {
        good = fails(reader, "budgets", budget.error().what);
      }
    }
    return good;
  }
  void write_item(JsonWriter& out, const LlmLimit& item) const override {
    out.field("per", std::ranges::find(kScopes, item.scope, &Word<LimitScope>::value)->text);
    out.optional_field("models", item.models);
    out.key("budgets").begin_array();
    for (const std::string& text : item.budgets) out.value(text);
    out.end_array().field("requests_per_minute", item.requests_per_minute);
    out.field("tokens_per_minute", item.tokens_per_minute).field("concurrent", item.concurrent);
  }
};

}  // namespace

FieldPtr gateway_listeners_field(std::vector<GatewayListener>& value) {
  return std::make_unique<ListenersField>(value);
}
FieldPtr gateway_upstreams_field(std::vector<GatewayUpstream>& value) {
  return std::make_unique<UpstreamsField>(value);
}
FieldPtr gateway_routes_field(std::vector<GatewayRoute>& value) {
  return std::make_unique<RoutesField>(value);
}
FieldPtr llm_limits_field(std::vector<LlmLimit>& value) {
  return std::make_unique<LimitsField>(value);
}

}  // namespace agentsh::config
