#include "policies/yaml_reader.h"

#include "base/time_format.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace agentsh::policy {
namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

bool wrong(YamlNode node, std::string_view key, Diagnostics& problems, std::string_view expected) {
  problems.error(node.where(), key, fmt::format("must be {}, not {}", expected, node.describe()));
  return false;
}

// Decimal, 0x, 0o and 0b, with "_" between digits, as YAML 1.2 parsers in Go read them.
std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::string digits;
  bool negative = false;
  if (text.starts_with('-') || text.starts_with('+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  int base = 10;
  if (text.size() > 2 && text[0] == '0') {
    const char kind = text[1];
    base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    if (base != 10) text.remove_prefix(2);
  }
  if (text.starts_with('_') || text.ends_with('_')) return {};
  for (char c : text) {
    if (c != '_') digits += c;
  }
  if (digits.empty() || digits.front() == '-') return {};
  if (negative) digits.insert(digits.begin(), '-');
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc{} || end != digits.data() + digits.size()) return {};
  return value;
}

}  // namespace

bool read_text(YamlNode node, std::string_view key, Diagnostics& problems, std::string& out) {
  if (!node.is_scalar()) return wrong(node, key, problems, "a text");
  out = std::string(node.text());
  return true;
}

bool read_flag(YamlNode node, std::string_view key, Diagnostics& problems, bool& out) {
  if (!node.is_scalar() || !node.is_plain()) {
    return wrong(node, key, problems, "true or false without quotes");
  }
  const std::string word = lower(node.text());
  if (word == "true" || word == "yes" || word == "on") {
    out = true;
  } else if (word == "false" || word == "no" || word == "off") {
    out = false;
  } else {
    problems.error(node.where(), key,
                   fmt::format("must be true or false, not \"{}\"", node.text()));
    return false;
  }
  return true;
}

bool read_integer(YamlNode node, std::string_view key, Diagnostics& problems, std::int64_t minimum,
                  std::int64_t maximum, std::int64_t& out) {
  if (!node.is_scalar()) return wrong(node, key, problems, "a whole number");
  auto value = node.is_plain() ? parse_integer(node.text()) : std::nullopt;
  if (!value) {
    problems.error(node.where(), key,
                   fmt::format("must be a whole number without quotes, not \"{}\"", node.text()));
    return false;
  }
  if (*value < minimum || *value > maximum) {
    problems.error(node.where(), key,
                   maximum == std::numeric_limits<std::int64_t>::max()
                       ? fmt::format("must be at least {}, is {}", minimum, *value)
                       : fmt::format("must be from {} to {}, is {}", minimum, maximum, *value));
    return false;
  }
  out = *value;
  return true;
}

bool read_number(YamlNode node, std::string_view key, Diagnostics& problems, double minimum,
                 double maximum, double& out) {
  if (!node.is_plain()) return wrong(node, key, problems, "a number");
  double value = 0;
  const std::string_view text = node.text();
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    problems.error(node.where(), key, fmt::format("must be a number, not \"{}\"", text));
    return false;
  }
  if (value < minimum || value > maximum) {
    problems.error(node.where(), key,
                   fmt::format("must be from {} to {}, is {}", minimum, maximum, text));
    return false;
  }
  out = value;
  return true;
}

bool read_duration(YamlNode node, std::string_view key, Diagnostics& problems,
                   std::chrono::nanoseconds& out) {
  if (!node.is_scalar()) return wrong(node, key, problems, "a duration such as 30s, 5m or 1h30m");
  auto value = parse_duration(node.text());
  if (!value) {
    const bool bare = parse_integer(node.text()).has_value();
    problems.error(
        node.where(), key,
        fmt::format("must be a duration such as 30s, 5m or 1h30m, not \"{}\"", node.text()),
        bare ? fmt::format("{}s", node.text()) : "");
    return false;
  }
  out = *value;
  return true;
}

bool read_texts(YamlNode node, std::string_view key, Diagnostics& problems,
                std::vector<LocatedText>& out) {
  if (!node.is_sequence()) {
    problems.error(node.where(), key, fmt::format("must be a list, not {}", node.describe()),
                   node.is_scalar() ? fmt::format("[{}]", node.text()) : "");
    return false;
  }
  std::vector<LocatedText> read;
  read.reserve(node.size());
  bool good = true;
  for (std::size_t i = 0; i < node.size(); ++i) {
    YamlNode item = node.item(i);
    if (item.is_scalar()) {
      read.push_back({std::string(item.text()), item.where()});
    } else {
      good = wrong(item, fmt::format("{}[{}]", key, i), problems, "a text");
    }
  }
  if (good) out = std::move(read);
  return good;
}

std::optional<std::size_t> find_word(YamlNode node, std::string_view key, Diagnostics& problems,
                                     std::span<const std::string_view> words) {
  if (!node.is_scalar()) {
    wrong(node, key, problems, fmt::format("one of {}", fmt::join(words, ", ")));
    return {};
  }
  const std::string word = lower(node.text());
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (lower(words[i]) == word) return i;
  }
  problems.error(node.where(), key,
                 fmt::format("\"{}\" is not one of {}", node.text(), fmt::join(words, ", ")),
                 std::string(closest_word(node.text(), words).value_or("")));
  return {};
}

YamlReader::YamlReader(YamlNode node, std::string path, Diagnostics& problems)
    : node_(node), path_(std::move(path)), problems_(problems) {
  if (!node.is_map() && !node.empty()) {
    problems_.error(node.where(), path_, fmt::format("must be a map, not {}", node.describe()));
  }
}

YamlReader::~YamlReader() {
  if (!node_.is_map()) return;
  for (std::size_t i = 0; i < node_.size(); ++i) {
    YamlNode key = node_.entry(i).first;
    if (std::ranges::find(known_, key.text()) != known_.end()) continue;
    if (std::ranges::find(answered_, key.text()) != answered_.end()) continue;
    problems_.error(key.where(), path_of(key.text()), "unknown key",
                    std::string(closest_word(key.text(), known_).value_or("")));
  }
}

std::string YamlReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

YamlNode YamlReader::get(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.push_back(key);
  return node_.get(key);
}

YamlNode YamlReader::require(std::string_view key) {
  YamlNode value = get(key);
  if (value.empty()) {
    problems_.error(value.exists() ? value.where() : where(), path_of(key),
                    value.exists() ? "must not be empty" : "is missing");
  }
  return value;
}

bool YamlReader::text(std::string_view key, std::string& out, Need need) {
  YamlNode value = need == Need::kRequired ? require(key) : get(key);
  if (value.empty() || !read_text(value, path_of(key), problems_, out)) return false;
  if (need == Need::kRequired && out.empty()) error(key, "must not be empty");
  return !out.empty();
}

bool YamlReader::flag(std::string_view key, bool& out) {
  YamlNode value = get(key);
  return !value.empty() && read_flag(value, path_of(key), problems_, out);
}

bool YamlReader::number(std::string_view key, double& out, double minimum, double maximum) {
  YamlNode value = get(key);
  return !value.empty() && read_number(value, path_of(key), problems_, minimum, maximum, out);
}

bool YamlReader::duration(std::string_view key, std::chrono::nanoseconds& out) {
  YamlNode value = get(key);
  return !value.empty() && read_duration(value, path_of(key), problems_, out);
}

bool YamlReader::texts(std::string_view key, std::vector<LocatedText>& out, Need need) {
  YamlNode value = need == Need::kRequired ? require(key) : get(key);
  return !value.empty() && read_texts(value, path_of(key), problems_, out);
}

bool YamlReader::texts(std::string_view key, std::vector<std::string>& out, Need need) {
  std::vector<LocatedText> located;
  if (!texts(key, located, need)) return false;
  out.clear();
  for (LocatedText& item : located) out.push_back(std::move(item.text));
  return true;
}

void YamlReader::mistaken(std::string_view wrong_key, std::string message, std::string suggestion) {
  answered_.push_back(wrong_key);
  if (!node_.is_map()) return;
  for (std::size_t i = 0; i < node_.size(); ++i) {
    if (node_.entry(i).first.text() != wrong_key) continue;
    problems_.error(node_.entry(i).first.where(), path_of(wrong_key), std::move(message),
                    std::move(suggestion));
    return;
  }
}

void YamlReader::error(std::string_view key, std::string message, std::string suggestion) {
  YamlNode value = get(key);
  problems_.error(value.exists() ? value.where() : where(), path_of(key), std::move(message),
                  std::move(suggestion));
}

YamlNode YamlReader::sequence(std::string_view key) {
  YamlNode value = get(key);
  if (value.empty()) return {};
  if (value.is_sequence()) return value;
  error(key, fmt::format("must be a list, not {}", value.describe()));
  return {};
}

YamlNode YamlReader::map(std::string_view key) {
  YamlNode value = get(key);
  if (value.empty()) return {};
  if (value.is_map()) return value;
  error(key, fmt::format("must be a map, not {}", value.describe()));
  return {};
}

}  // namespace agentsh::policy
