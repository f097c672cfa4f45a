// Fields whose values are texts: names, paths, addresses, lists and maps of them.
#include "appliance/config/field.h"
#include "appliance/config/proxy_url.h"

#include <fmt/format.h>

#include <filesystem>

namespace agentsh::config {
namespace {

using policy::YamlNode;

// Reads a scalar; with `expands`, its variables are replaced, else a "${" in it is pointed out.
bool read_scalar(YamlNode node, std::string_view key, ReadContext& context, bool expands,
                 std::string& out) {
  std::string text;
  if (!policy::read_text(node, key, context.problems, text)) return false;
  if (!expands) {
    if (text.find("${") != std::string::npos) {
      context.problems.warning(node.where(), key, "\"${\" is taken as it is in this key");
    }
    out = std::move(text);
    return true;
  }
  auto expanded = expand_variables(text, context.environment);
  if (!expanded) {
    context.problems.error(node.where(), key, expanded.error().what);
    return false;
  }
  out = std::move(*expanded);
  return true;
}

// Calls read(item, "key[i]") for each element; false when one of them is.
template <class Read>
bool read_items(YamlNode node, std::string_view key, ReadContext& context, Read read) {
  if (!node.is_sequence()) {
    context.problems.error(node.where(), key,
                           fmt::format("must be a list, not {}", node.describe()),
                           node.is_scalar() ? fmt::format("[{}]", node.text()) : "");
    return false;
  }
  bool good = true;
  for (std::size_t i = 0; i < node.size(); ++i) {
    good &= read(node.item(i), fmt::format("{}[{}]", key, i));
  }
  return good;
}

void write_texts(JsonWriter& out, const std::vector<std::string>& texts) {
  out.begin_array();
  for (const std::string& text : texts) out.value(text);
  out.end_array();
}

class TextField final : public Field {
 public:
  TextField(std::string& value, std::string type, TextCheck check)
      : value_(value), type_(std::move(type)), check_(check) {}
  std::string type() const override { return type_; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::string text;
    if (!read_scalar(node, key, context, false, text)) return false;
    if (const std::string problem = check_ == nullptr ? "" : check_(text); !problem.empty()) {
      context.problems.error(node.where(), key,
                             fmt::format("must be {}, not {}", problem, json_quoted(text)));
      return false;
    }
    value_ = std::move(text);
    return true;
  }
  void write(JsonWriter& out, bool) const override { out.value(value_); }

 private:
  std::string& value_;
  std::string type_;
  TextCheck check_;
};

bool read_path(YamlNode node, std::string_view key, ReadContext& context, std::string& out) {
  std::string text;
  if (!read_scalar(node, key, context, true, text)) return false;
  if (text.starts_with("~")) {
    context.problems.error(node.where(), key, "\"~\" is not replaced", "${HOME}" + text.substr(1));
    return false;
  }
  if (!text.empty() && !text.starts_with('/')) text = context.base_directory + "/" + text;
  out = std::filesystem::path(text).lexically_normal().string();
  return true;
}

class PathField final : public Field {
 public:
  explicit PathField(std::string& value) : value_(value) {}
  std::string type() const override { return "a path"; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    return read_path(node, key, context, value_);
  }
  void write(JsonWriter& out, bool) const override { out.value(value_); }

 private:
  std::string& value_;
};

class TextListField final : public Field {
 public:
  TextListField(std::vector<std::string>& value, std::string type, TextCheck check)
      : value_(value), type_(std::move(type)), check_(check) {}
  std::string type() const override { return "a list of " + type_; }
  bool is_list() const override { return true; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::vector<std::string> texts;
    const bool good =
        read_items(node, key, context, [&](YamlNode item, const std::string& item_key) {
          std::string text;
          TextField field(text, type_, check_);
          const bool read = field.read(item, item_key, context);
          texts.push_back(std::move(text));
          return read;
        });
    if (good) value_ = std::move(texts);
    return good;
  }
  void write(JsonWriter& out, bool) const override { write_texts(out, value_); }

 private:
  std::vector<std::string>& value_;
  std::string type_;
  TextCheck check_;
};

class PathListField final : public Field {
 public:
  explicit PathListField(std::vector<std::string>& value) : value_(value) {}
  std::string type() const override { return "a list of paths"; }
  bool is_list() const override { return true; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::vector<std::string> paths;
    const bool good =
        read_items(node, key, context, [&](YamlNode item, const std::string& item_key) {
          return read_path(item, item_key, context, paths.emplace_back());
        });
    if (good) value_ = std::move(paths);
    return good;
  }
  void write(JsonWriter& out, bool) const override { write_texts(out, value_); }

 private:
  std::vector<std::string>& value_;
};

constexpr std::string_view kEndpointType = "an IP address and port such as 127.0.0.1:18080";

bool read_endpoint(YamlNode node, std::string_view key, ReadContext& context,
                   std::optional<std::uint16_t> default_port, Endpoint& out) {
  std::string text;
  if (!read_scalar(node, key, context, false, text)) return false;
  if (default_port) {
    if (auto address = IpAddress::parse(text)) {
      out = {*address, *default_port};
      return true;
    }
  }
  auto endpoint = Endpoint::parse(text);
  if (endpoint) {
    out = *endpoint;
    return true;
  }
  // What Go programs accept: a name, or all addresses when there is none.
  std::string suggestion;
  if (text.starts_with("localhost:")) suggestion = "127.0.0.1" + text.substr(9);
  if (text.starts_with(':')) suggestion = "127.0.0.1" + text;
  context.problems.error(
      node.where(), key,
      fmt::format("must be {}{}, not {}", default_port ? "an IP address, or " : "", kEndpointType,
                  json_quoted(text)),
      suggestion);
  return false;
}

class EndpointField final : public Field {
 public:
  explicit EndpointField(std::optional<Endpoint>& value) : value_(value) {}
  std::string type() const override { return std::string(kEndpointType); }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    if (node.is_scalar() && node.text().empty()) {
      value_.reset();
      return true;
    }
    Endpoint endpoint;
    if (!read_endpoint(node, key, context, {}, endpoint)) return false;
    value_ = endpoint;
    return true;
  }
  void write(JsonWriter& out, bool) const override { out.value(value_ ? value_->to_string() : ""); }

 private:
  std::optional<Endpoint>& value_;
};

class EndpointListField final : public Field {
 public:
  EndpointListField(std::vector<Endpoint>& value, std::uint16_t default_port)
      : value_(value), default_port_(default_port) {}
  std::string type() const override {
    return fmt::format("a list of IP addresses, with port where it is not {}", default_port_);
  }
  bool is_list() const override { return true; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::vector<Endpoint> endpoints;
    const bool good =
        read_items(node, key, context, [&](YamlNode item, const std::string& item_key) {
          return read_endpoint(item, item_key, context, default_port_, endpoints.emplace_back());
        });
    if (good) value_ = std::move(endpoints);
    return good;
  }
  void write(JsonWriter& out, bool) const override {
    out.begin_array();
    for (const Endpoint& endpoint : value_) out.value(endpoint.to_string());
    out.end_array();
  }

 private:
  std::vector<Endpoint>& value_;
  std::uint16_t default_port_;
};

// Reads each entry by read(value, "key.name", text).
template <class Read>
bool read_map(YamlNode node, std::string_view key, ReadContext& context,
              std::map<std::string, std::string>& out, Read read) {
  if (!node.is_map()) {
    context.problems.error(node.where(), key,
                           fmt::format("must be a map, not {}", node.describe()));
    return false;
  }
  std::map<std::string, std::string> texts;
  bool good = true;
  for (std::size_t i = 0; i < node.size(); ++i) {
    auto [name, value] = node.entry(i);
    const std::string item_key = fmt::format("{}.{}", key, name.text());
    good &= read(value, item_key, texts[std::string(name.text())]);
    if (name.text().empty() || name.text().find('=') != std::string_view::npos) {
      context.problems.error(name.where(), item_key, "is not a name");
      good = false;
    }
  }
  if (good) out = std::move(texts);
  return good;
}

class TextMapField final : public Field {
 public:
  TextMapField(std::map<std::string, std::string>& value, std::string type, TextCheck check)
      : value_(value), type_(std::move(type)), check_(check) {}
  std::string type() const override { return "a map of " + type_; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    return read_map(node, key, context, value_,
                    [&](YamlNode item, const std::string& item_key, std::string& text) {
                      return TextField(text, type_, check_).read(item, item_key, context);
                    });
  }
  void write(JsonWriter& out, bool) const override {
    out.begin_object();
    for (const auto& [name, text] : value_) out.field(name, text);
    out.end_object();
  }

 private:
  std::map<std::string, std::string>& value_;
  std::string type_;
  TextCheck check_;
};

class SecretMapField final : public Field {
 public:
  explicit SecretMapField(std::map<std::string, std::string>& value) : value_(value) {}
  std::string type() const override { return "a map of names to texts"; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    return read_map(node, key, context, value_,
                    [&](YamlNode item, const std::string& item_key, std::string& text) {
                      return read_scalar(item, item_key, context, true, text);
                    });
  }
  void write(JsonWriter& out, bool masked) const override {
    out.begin_object();
    for (const auto& [name, text] : value_) out.field(name, masked ? "****" : text);
    out.end_object();
  }

 private:
  std::map<std::string, std::string>& value_;
};

class UpstreamProxyField final : public Field {
 public:
  explicit UpstreamProxyField(UpstreamProxy& value) : value_(value) {}
  std::string type() const override { return "a URL http://[user:password@]host:port"; }
  bool read(YamlNode node, std::string_view key, ReadContext& context) override {
    std::string text;
    if (!read_scalar(node, key, context, true, text)) return false;
    auto proxy = parse_proxy_url(text);
    if (!proxy) {
      context.problems.error(node.where(), key, proxy.error().what);
      return false;
    }
    value_ = std::move(*proxy);
    return true;
  }
  void write(JsonWriter& out, bool masked) const override {
    out.value(format_proxy_url(value_, masked));
  }

 private:
  UpstreamProxy& value_;
};

}  // namespace

FieldPtr text_field(std::string& value, std::string type, TextCheck check) {
  return std::make_unique<TextField>(value, std::move(type), check);
}

FieldPtr path_field(std::string& value) {
  return std::make_unique<PathField>(value);
}

FieldPtr endpoint_field(std::optional<Endpoint>& value) {
  return std::make_unique<EndpointField>(value);
}

FieldPtr endpoint_list_field(std::vector<Endpoint>& value, std::uint16_t default_port) {
  return std::make_unique<EndpointListField>(value, default_port);
}

FieldPtr text_list_field(std::vector<std::string>& value, std::string type, TextCheck check) {
  return std::make_unique<TextListField>(value, std::move(type), check);
}

FieldPtr path_list_field(std::vector<std::string>& value) {
  return std::make_unique<PathListField>(value);
}

FieldPtr text_map_field(std::map<std::string, std::string>& value, std::string type,
                        TextCheck check) {
  return std::make_unique<TextMapField>(value, std::move(type), check);
}

FieldPtr secret_map_field(std::map<std::string, std::string>& value) {
  return std::make_unique<SecretMapField>(value);
}

FieldPtr upstream_proxy_field(UpstreamProxy& value) {
  return std::make_unique<UpstreamProxyField>(value);
}

}  // namespace agentsh::config
