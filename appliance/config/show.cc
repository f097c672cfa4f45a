#include "appliance/config/show.h"

#include "appliance/config/schema.h"
#include "appliance/config/unenforced.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <ranges>

namespace agentsh::config {
namespace {

bool is_within(std::string_view path, std::string_view block) {
  return block.empty() ||
         (path.starts_with(block) &&
          (path.size() == block.size() || path[block.size()] == '.' || path[block.size()] == '['));
}

std::string json_of(const Field& field) {
  JsonWriter out;
  field.write(out, true);
  return out.take();
}

// Texts without quotes, except where they would be mistaken for nothing.
std::string plain(const std::string& json) {
  const bool text = json.size() > 2 && json.front() == '"' && json.find('\\') == std::string::npos;
  return text ? json.substr(1, json.size() - 2) : json;
}

// A key with everything that is shown of it.
struct Row {
  std::string path;
  std::string value;  // JSON.
  std::string default_value;
  Origin origin;
  const Unenforced* unenforced = nullptr;
  const Key* key = nullptr;  // Null: a key without a member.
};

// Refers to the schemas, which must live as long.
std::vector<Row> rows_of(const LoadedConfig& config, const Schema& values, const Schema& defaults,
                         std::string_view block) {
  std::vector<Row> rows;
  for (std::size_t i = 0; i < values.keys().size(); ++i) {
    const Key& key = values.keys()[i];
    if (!is_within(key.path, block)) continue;
    const SetKey* set = config.find(key.path);
    rows.push_back({.path = key.path,
                    .value = json_of(*key.field),
                    .default_value = json_of(*defaults.keys()[i].field),
                    .origin = config.origin(key.path),
                    .unenforced = set == nullptr ? nullptr : set->unenforced,
                    .key = &key});
  }
  for (const SetKey& set : config.set) {
    const bool last = config.find(set.path) == &set;
    if (!last || values.find(set.path) != nullptr || !is_within(set.path, block)) continue;
    rows.push_back({.path = set.path,
                    .value = set.json,
                    .default_value = "null",
                    .origin = set.origin,
                    .unenforced = set.unenforced});
  }
  return rows;
}

std::string kind_of(const Origin& origin) {
  switch (origin.kind) {
    case Origin::Kind::kDefault:
      return "default";
    case Origin::Kind::kFile:
      return "file";
    case Origin::Kind::kEnvironment:
      return "environment";
    case Origin::Kind::kFlag:
      return "flag";
  }
  return "default";
}

void write_row(JsonWriter& json, const Row& row) {
  json.begin_object().field("key", row.path);
  json.key("value").raw(row.value).key("default").raw(row.default_value);
  json.key("origin").begin_object().field("kind", kind_of(row.origin));
  json.optional_field("name", row.origin.name);
  if (row.origin.where.line > 0) {
    json.field("line", row.origin.where.line).field("column", row.origin.where.column);
  }
  json.end_object().field("enforced", row.unenforced == nullptr);
  if (row.unenforced != nullptr) json.field("note", row.unenforced->note);
  if (row.key != nullptr) {
    json.field("type", row.key->field->type()).field("description", row.key->doc);
    json.optional_field("environment", row.key->variable);
  }
  json.end_object();
}

void append_line(std::string& text, std::span<const std::string> cells,
                 std::span<const std::size_t> widths) {
  for (std::size_t i = 0; i < cells.size(); ++i) {
    text += i + 1 == cells.size() ? cells[i] : fmt::format("{:<{}}  ", cells[i], widths[i]);
  }
  text += '\n';
}

// `text` in lines of at most `width` bytes, each after `prefix`.
std::vector<std::string> wrapped(std::string_view text, std::string_view prefix,
                                 std::size_t width) {
  std::vector<std::string> lines;
  for (auto&& part : text | std::views::split(' ')) {
    const std::string_view word(part.begin(), part.end());
    if (lines.empty() || lines.back().size() + 1 + word.size() > width) {
      lines.emplace_back(prefix) += word;
    } else {
      lines.back() += ' ';
      lines.back() += word;
    }
  }
  return lines;
}

std::string explanation(const Key& key) {
  std::string type = key.field->type();
  type.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(type.front())));
  return fmt::format(
      "{} {}.{}", key.doc, type,
      key.variable.empty() ? "" : fmt::format(" Environment variable {}.", key.variable));
}

// Opens the blocks of `path` that are not open yet; returns the depth of the key.
std::size_t open_blocks(std::string& text, std::vector<std::string>& open, std::string_view path) {
  std::vector<std::string> blocks;
  for (std::size_t dot; (dot = path.find('.')) != std::string_view::npos;) {
    blocks.emplace_back(path.substr(0, dot));
    path.remove_prefix(dot + 1);
  }
  std::size_t same = 0;
  while (same < blocks.size() && same < open.size() && blocks[same] == open[same]) ++same;
  for (std::size_t depth = same; depth < blocks.size(); ++depth) {
    if (depth == 0) text += '\n';
    text += fmt::format("{:{}}{}:\n", "", 2 * depth, blocks[depth]);
  }
  open = blocks;
  return blocks.size();
}

// The characters that troff would take for its own.
std::string troff(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '\\') {
      result += "\\e";
    } else if (c == '-') {
      result += "\\-";
    } else {
      result += c;
    }
  }
  return result.starts_with('.') || result.starts_with('\'') ? "\\&" + result : result;
}

}  // namespace

std::string show_table(const LoadedConfig& config, const ServerConfig& defaults,
                       std::string_view block) {
  ServerConfig values = config.values;
  ServerConfig default_values = defaults;
  const Schema schema(values);
  const Schema default_schema(default_values);
  std::vector<std::array<std::string, 4>> lines = {{"KEY", "VALUE", "DEFAULT", "ORIGIN"}};
  for (const Row& row : rows_of(config, schema, default_schema, block)) {
    lines.push_back({row.path, plain(row.value),
                     row.default_value == "null" ? "-" : plain(row.default_value),
                     row.origin.to_text() + (row.unenforced != nullptr ? " (not enforced)" : "")});
  }
  constexpr std::size_t kWidest = 44;
  std::array<std::size_t, 4> widths{};
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (i == 0 || line[i].size() <= kWidest) widths[i] = std::max(widths[i], line[i].size());
    }
  }
  std::string text;
  for (const auto& line : lines) append_line(text, line, widths);
  return text;
}

std::string show_json(const LoadedConfig& config, const ServerConfig& defaults,
                      std::string_view block) {
  ServerConfig values = config.values;
  ServerConfig default_values = defaults;
  const Schema schema(values);
  const Schema default_schema(default_values);
  JsonWriter json(2);
  json.begin_object().field("file", config.file).key("keys").begin_array();
  for (const Row& row : rows_of(config, schema, default_schema, block)) write_row(json, row);
  json.end_array().end_object();
  return json.take();
}

std::string sample_config(const ServerConfig& defaults) {
  ServerConfig values = defaults;
  const Schema schema(values);
  std::string text =
      "# Configuration of the agentsh daemon. Every key is here with its default: take the '#'\n"
      "# before a key away to change it. `agentsh config show` prints what holds and why,\n"
      "# `agentsh config validate` what is wrong.\n";
  std::vector<std::string> open;
  for (const Key& key : schema.keys()) {
    const std::size_t depth = open_blocks(text, open, key.path);
    const std::string indent(2 * depth, ' ');
    const std::string name = key.path.substr(key.path.rfind('.') + 1);
    for (const std::string& line : wrapped(explanation(key), indent + "# ", 99)) {
      text += line + '\n';
    }
    text += fmt::format("{}#{}: {}\n", indent, name, json_of(*key.field));
  }
  return text;
}

std::string manual_entries(const ServerConfig& defaults) {
  ServerConfig values = defaults;
  const Schema schema(values);
  std::string text;
  for (const Key& key : schema.keys()) {
    text += fmt::format(".TP\n.B {}\n", troff(key.path));
    const std::string value = plain(json_of(*key.field));
    for (const std::string& line :
         wrapped(fmt::format("{} Default: {}.", explanation(key), value), "", 99)) {
      text += troff(line) + '\n';
    }
  }
  return text;
}

}  // namespace agentsh::config
