#include "appliance/config/reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::config {

using policy::YamlData;
using policy::YamlKind;
using policy::YamlNode;
using policy::YamlReader;

namespace {

// One segment of the known paths. A leaf has a key (its place in Schema::keys()) or a shape.
struct SchemaNode {
  std::string name;
  std::vector<std::unique_ptr<SchemaNode>> children;
  std::optional<std::size_t> key;
  std::optional<Shape> shape;

  SchemaNode& child(std::string_view child_name) {
    auto found = std::ranges::find(children, child_name,
                                   [](const auto& node) -> std::string_view { return node->name; });
    if (found != children.end()) return **found;
    children.push_back(std::make_unique<SchemaNode>(SchemaNode{.name = std::string(child_name)}));
    return *children.back();
  }
  // "a.b[].*.c" below this node.
  SchemaNode& descendant(std::string_view path) {
    SchemaNode* node = this;
    while (!path.empty()) {
      const std::size_t length = path.starts_with("[]") ? 2 : path.find_first_of(".[");
      node = &node->child(path.substr(0, length));
      if (length == std::string_view::npos) break;
      path.remove_prefix(length + (path.substr(length).starts_with('.') ? 1 : 0));
    }
    return *node;
  }
};

// The tree of all known paths. It is the same for every Schema, so it is made once.
SchemaNode make_known_paths() {
  SchemaNode root;
  ServerConfig config;
  const Schema schema(config);
  for (std::size_t i = 0; i < schema.keys().size(); ++i) {
    root.descendant(schema.keys()[i].path).key = i;
  }
  for (const KnownKeys& known : known_keys()) {
    std::string_view names = known.names;
    while (!names.empty()) {
      const std::size_t end = names.find(' ');
      root.descendant(std::string(known.block) + std::string(names.substr(0, end))).shape =
          known.shape;
      if (end == std::string_view::npos) break;
      names.remove_prefix(end + 1);
    }
  }
  return root;
}

const SchemaNode& known_paths() {
  static const SchemaNode root = make_known_paths();
  return root;
}

// Keys that people write although they belong elsewhere.
struct Misplaced {
  std::string_view block;
  std::string_view key;
  std::string_view message;
  std::string_view suggestion;
};
constexpr Misplaced kMisplaced[] = {
    {"", "storage", "LLM requests are stored by llm_storage", "llm_storage"},
    {"", "resource_limits", "resource_limits belong into a policy", ""},
    {"", "file_rules", "this is a policy: put it into policies.dir", ""},
    {"", "network_rules", "this is a policy: put it into policies.dir", ""},
    {"", "command_rules", "this is a policy: put it into policies.dir", ""},
    {"sandbox.seccomp", "hardening_profiles", "was renamed", "mitigation_sets"},
    {"auth", "jwt", "JSON web tokens come from an OIDC provider", "oidc"},
    {"server", "socket", "the control socket is unix_socket.path", "unix_socket"},
};

// Words are compared without regard to case.
std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string joined(const std::string& path, std::string_view name) {
  return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
}

struct Value {
  std::string text;
  std::string json;
};

Value secret_value() {
  return {"****", "\"****\""};
}

Value scalar_value(YamlNode node, bool quoted) {
  std::string text(node.text());
  return {text, quoted ? json_quoted(text) : text};
}

// `write` puts the value into a JsonWriter. Texts lose their quotes for `text`.
template <class Write>
Value json_value(Write write) {
  JsonWriter out;
  write(out);
  const std::string json = out.take();
  const bool text = json.size() >= 2 && json.front() == '"' && json.find('\\') == std::string::npos;
  return {text ? json.substr(1, json.size() - 2) : json, json};
}

std::optional<Value> read_list(YamlNode node, std::string_view key, policy::Diagnostics& problems,
                               bool integers) {
  std::vector<policy::LocatedText> texts;
  if (!policy::read_texts(node, key, problems, texts)) return {};
  bool good = true;
  for (std::size_t i = 0; integers && i < node.size(); ++i) {
    std::int64_t value = 0;
    good &= policy::read_integer(node.item(i), fmt::format("{}[{}]", key, i), problems, 0,
                                 std::numeric_limits<std::int64_t>::max(), value);
  }
  if (!good) return {};
  return json_value([&](JsonWriter& out) {
    out.begin_array();
    for (const policy::LocatedText& item : texts) {
      integers ? out.raw(item.text) : out.value(item.text);
    }
    out.end_array();
  });
}

std::optional<Value> read_map(YamlNode node, std::string_view key, policy::Diagnostics& problems,
                              bool secret) {
  if (!node.is_map()) {
    problems.error(node.where(), key, fmt::format("must be a map, not {}", node.describe()));
    return {};
  }
  bool good = true;
  Value value = json_value([&](JsonWriter& out) {
    out.begin_object();
    for (std::size_t i = 0; i < node.size(); ++i) {
      auto [name, item] = node.entry(i);
      std::string text;
      good &= policy::read_text(item, joined(std::string(key), name.text()), problems, text);
      out.field(name.text(), secret ? "****" : text);
    }
    out.end_object();
  });
  return good ? std::optional(value) : std::nullopt;
}

// The value of a key without a member, checked for its shape.
std::optional<Value> read_shape(YamlNode node, Shape shape, std::string_view key,
                                policy::Diagnostics& problems) {
  bool flag = false;
  std::int64_t integer = 0;
  double number = 0;
  std::chrono::nanoseconds duration{};
  std::string text;
  switch (shape) {
    case Shape::kFlag:
      if (!policy::read_flag(node, key, problems, flag)) return {};
      return Value{flag ? "true" : "false", flag ? "true" : "false"};
    case Shape::kInteger:
      if (!policy::read_integer(node, key, problems, std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max(), integer)) {
        return {};
      }
      return json_value([&](JsonWriter& out) { out.value(integer); });
    case Shape::kNumber:
      if (!policy::read_number(node, key, problems, -1e300, 1e300, number)) return {};
      return json_value([&](JsonWriter& out) { out.value(number); });
    case Shape::kDuration:
      if (!policy::read_duration(node, key, problems, duration)) return {};
      return scalar_value(node, true);
    case Shape::kText:
    case Shape::kSecret:
      if (!policy::read_text(node, key, problems, text)) return {};
      return shape == Shape::kSecret ? secret_value() : scalar_value(node, true);
    case Shape::kTexts:
    case Shape::kIntegers:
      return read_list(node, key, problems, shape == Shape::kIntegers);
    case Shape::kTextMap:
    case Shape::kSecretMap:
      return read_map(node, key, problems, shape == Shape::kSecretMap);
    case Shape::kAnything:
      return secret_value();
  }
  return {};
}

// One reading: where its values come from and where they go.
struct Pass {
  const Schema& schema;
  ReadContext& context;
  std::vector<SetKey>& set;
  Origin origin;

  void read(const SchemaNode& known, YamlNode node, const std::string& path) {
    if (node.empty()) return;
    if (known.key || known.shape) return read_leaf(known, node, path);
    const std::string& first = known.children.front()->name;
    if (first == "[]") return read_items(*known.children.front(), node, path);
    if (first == "*") return read_entries(*known.children.front(), node, path);
    YamlReader reader(node, path, context.problems);
    for (const auto& child : known.children) {
      read(*child, reader.get(child->name), joined(path, child->name));
    }
    for (const Misplaced& misplaced : kMisplaced) {
      if (misplaced.block != path) continue;
      reader.mistaken(misplaced.key, std::string(misplaced.message),
                      std::string(misplaced.suggestion));
    }
  }

  void read_leaf(const SchemaNode& known, YamlNode node, const std::string& path) {
    std::optional<Value> value;
    if (known.shape) {
      value = read_shape(node, *known.shape, path, context.problems);
    } else if (known.key) {
      value = read_member(*schema.keys()[*known.key].field, node, path);
    }
    if (!value) return;
    Origin here = origin;
    here.where = origin.kind == Origin::Kind::kFile ? node.where() : policy::SourcePosition{};
    set.push_back({path, std::move(here), std::move(value->text), std::move(value->json), nullptr});
  }

  std::optional<Value> read_member(Field& field, YamlNode node, const std::string& path) {
    if (!field.read(node, path, context)) return {};
    Value value = json_value([&](JsonWriter& out) { field.write(out, true); });
    // Words that mean the same are told apart by what has no effect (unenforced.h).
    if (field.is_word()) value.text = lower(node.text());
    return value;
  }

  void read_items(const SchemaNode& known, YamlNode node, const std::string& path) {
    if (!node.is_sequence()) {
      context.problems.error(node.where(), path,
                             fmt::format("must be a list, not {}", node.describe()));
      return;
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
      read(known, node.item(i), fmt::format("{}[{}]", path, i));
    }
    if (node.size() == 0) read_empty(node, path, "[]");
  }

  void read_entries(const SchemaNode& known, YamlNode node, const std::string& path) {
    if (!node.is_map()) {
      context.problems.error(node.where(), path,
                             fmt::format("must be a map, not {}", node.describe()));
      return;
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
      auto [name, value] = node.entry(i);
      read(known, value, joined(path, name.text()));
    }
    if (node.size() == 0) read_empty(node, path, "{}");
  }

  // An empty list or map sets something too: it takes a default away.
  void read_empty(YamlNode node, const std::string& path, const char* json) {
    Origin here = origin;
    here.where = node.where();
    set.push_back({path, std::move(here), json, json, nullptr});
  }
};

}  // namespace

void ConfigReader::read(YamlNode root, const std::string& file, ReadContext& context,
                        std::vector<SetKey>& set) {
  Pass pass{schema_, context, set, {.kind = Origin::Kind::kFile, .name = file}};
  pass.read(known_paths(), root, "");
}

void ConfigReader::read_text(std::string_view path, const std::string& text, const Origin& origin,
                             ReadContext& context, std::vector<SetKey>& set) {
  const SchemaNode* node = &known_paths();
  for (std::string_view rest = path; node != nullptr && !rest.empty();) {
    const std::size_t end = rest.find('.');
    auto found =
        std::ranges::find(node->children, rest.substr(0, end),
                          [](const auto& child) -> std::string_view { return child->name; });
    node = found == node->children.end() ? nullptr : found->get();
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  if (node == nullptr || (!node->key && !node->shape)) {
    context.problems.error({}, path, "unknown key");
    return;
  }
  std::vector<YamlData> items;
  YamlData value{.kind = YamlKind::kScalar, .plain = true, .text = text};
  if (node->key && schema_.keys()[*node->key].field->is_list()) {
    value.kind = YamlKind::kSequence;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      items.push_back(
          {.kind = YamlKind::kScalar, .plain = true, .text = text.substr(begin, end - begin)});
      begin = end + 1;
    }
    for (const YamlData& item : items) value.items.push_back(&item);
  }
  Pass pass{schema_, context, set, origin};
  pass.read(*node, YamlNode(&value), std::string(path));
}

}  // namespace agentsh::config
