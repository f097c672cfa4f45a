// Typed, schema-driven reading of one YAML map. Code asks for the keys that it knows; whatever was
// not asked for is reported as unknown when the reader goes, with the nearest known key as a
// suggestion. Problems are collected, so one pass reports them all; a value that is wrong leaves
// its output untouched.
//
//   YamlReader rule(node, "file_rules[0]", problems);
//   rule.text("name", out.name, Need::kRequired);
//   rule.word("decision", out.decision, kDecisions, Need::kRequired);
//   rule.texts("paths", out.paths);
//
// An absent key, and one written without a value, leave the default. Keys are literals: they must
// outlive the reader. Threads: one owner.
#pragma once

#include "policies/yaml_document.h"

#include <chrono>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace agentsh::policy {

enum class Need { kOptional, kRequired };

// A word of a fixed vocabulary and what it means.
template <class E>
struct Word {
  std::string_view text;
  E value;
};

// A text that remembers where it was written.
struct LocatedText {
  std::string text;
  SourcePosition where;
};

// Single values. Each reports what is wrong under `key` and returns false; `out` is then untouched.
bool read_text(YamlNode node, std::string_view key, Diagnostics& problems, std::string& out);
bool read_flag(YamlNode node, std::string_view key, Diagnostics& problems, bool& out);
bool read_integer(YamlNode node, std::string_view key, Diagnostics& problems, std::int64_t minimum,
                  std::int64_t maximum, std::int64_t& out);
bool read_number(YamlNode node, std::string_view key, Diagnostics& problems, double minimum,
                 double maximum, double& out);
// "30s", "1h30m"; a bare number other than 0 is an error that says how to write it.
bool read_duration(YamlNode node, std::string_view key, Diagnostics& problems,
                   std::chrono::nanoseconds& out);
bool read_texts(YamlNode node, std::string_view key, Diagnostics& problems,
                std::vector<LocatedText>& out);
// Finds `text` in `words`, letter case ignored; reports what is allowed otherwise.
std::optional<std::size_t> find_word(YamlNode node, std::string_view key, Diagnostics& problems,
                                     std::span<const std::string_view> words);

class YamlReader {
 public:
  // `path` names the map in errors ("" for the root). A node that is no map is reported; the reader
  // is then empty. A node that is empty reads as an empty map.
  YamlReader(YamlNode node, std::string path, Diagnostics& problems);
  ~YamlReader();
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  SourcePosition where() const { return node_.where(); }
  const std::string& path() const { return path_; }
  Diagnostics& problems() { return problems_; }
  // "path.key", for errors that the caller finds itself.
  std::string path_of(std::string_view key) const;

  // The value under `key`, which becomes known. require() reports that it is missing or empty.
  YamlNode get(std::string_view key);
  YamlNode require(std::string_view key);
  bool has(std::string_view key) { return !get(key).empty(); }

  // Each returns true when the key is there with a good value.
  bool text(std::string_view key, std::string& out, Need need = Need::kOptional);
  bool flag(std::string_view key, bool& out);
  bool number(std::string_view key, double& out, double minimum, double maximum);
  bool duration(std::string_view key, std::chrono::nanoseconds& out);
  bool texts(std::string_view key, std::vector<LocatedText>& out, Need need = Need::kOptional);
  bool texts(std::string_view key, std::vector<std::string>& out, Need need = Need::kOptional);

  template <std::integral T>
  bool integer(std::string_view key, T& out, T minimum = std::numeric_limits<T>::min(),
               T maximum = std::numeric_limits<T>::max()) {
    YamlNode node = get(key);
    std::int64_t value = 0;
    if (node.empty() ||
        !read_integer(node, path_of(key), problems_, clamp(minimum), clamp(maximum), value)) {
      return false;
    }
    out = static_cast<T>(value);
    return true;
  }

  template <class E, std::size_t N>
  bool word(std::string_view key, E& out, const Word<E> (&words)[N], Need need = Need::kOptional) {
    YamlNode node = need == Need::kRequired ? require(key) : get(key);
    if (node.empty()) return false;
    std::string_view texts[N];
    for (std::size_t i = 0; i < N; ++i) texts[i] = words[i].text;
    auto found = find_word(node, path_of(key), problems_, texts);
    if (found) out = words[*found].value;
    return found.has_value();
  }

  // Calls each(node, "path.key[i]") for every element of the list under `key`.
  template <class Each>
  void each_item(std::string_view key, Each each) {
    YamlNode list = sequence(key);
    for (std::size_t i = 0; i < list.size(); ++i) {
      each(list.item(i), path_of(key) + "[" + std::to_string(i) + "]");
    }
  }
  // Calls each(name node, value node, "path.key.name") for every entry of the map under `key`.
  template <class Each>
  void each_entry(std::string_view key, Each each) {
    YamlNode entries = map(key);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      auto [name, value] = entries.entry(i);
      each(name, value, path_of(key) + "." + std::string(name.text()));
    }
  }
  // Calls read(reader) for the map under `key`, if it is there.
  template <class Read>
  bool object(std::string_view key, Read read) {
    YamlNode node = map(key);
    if (node.empty()) return false;
    YamlReader reader(node, path_of(key), problems_);
    read(reader);
    return true;
  }

  // A frequent mistake: `wrong` is answered with a sentence of its own instead of "unknown key".
  void mistaken(std::string_view wrong, std::string message, std::string suggestion = {});
  // An error at the value of `key`, or at the map when the key is not there.
  void error(std::string_view key, std::string message, std::string suggestion = {});

 private:
  template <std::integral T>
  static std::int64_t clamp(T value) {
    return std::in_range<std::int64_t>(value) ? static_cast<std::int64_t>(value)
                                              : std::numeric_limits<std::int64_t>::max();
  }
  YamlNode sequence(std::string_view key);
  YamlNode map(std::string_view key);

  YamlNode node_;
  std::string path_;
  Diagnostics& problems_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view>
      answered_;  // Reported by mistaken(): neither unknown nor suggested.
};

}  // namespace agentsh::policy
