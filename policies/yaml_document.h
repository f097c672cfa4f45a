// Strict reading of YAML that people write: every node knows its line and column, duplicate keys
// are refused, `<<` merges are resolved, and size, depth and alias expansion are bounded.
//
//   Diagnostics problems(path);
//   auto document = YamlDocument::parse(text, problems);
//   if (!document) return std::unexpected(problems.to_error());
//   YamlReader root(document->root(), "", problems);     // policies/yaml_reader.h
//
// Only the first document of a stream is read; a further one is warned of, and text that follows
// the first without a separator is an error. Lifetime: nodes are views into their document.
// Errors: parse() returns nothing when there is no tree; what it can go on from (a duplicate key)
// is reported and the tree returned, so check Diagnostics::ok() too.
#pragma once

#include "policies/diagnostic.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentsh::policy {

enum class YamlKind { kNull, kScalar, kSequence, kMap };

// The tree as it is kept. Aliases share the data of their anchor.
struct YamlData {
  struct Entry {
    const YamlData* key;
    const YamlData* value;
  };
  YamlKind kind = YamlKind::kNull;
  bool plain = false;  // A scalar without quotes: may be a number or a boolean.
  SourcePosition where;
  std::string text;
  std::vector<const YamlData*> items;
  std::vector<Entry> entries;
  std::size_t weight = 1;  // Nodes below and including this one, aliases expanded.
};

class YamlNode {
 public:
  YamlNode() = default;  // A node that is not there.
  explicit YamlNode(const YamlData* data) : data_(data) {}

  bool exists() const { return data_ != nullptr; }
  // Not there, or written as nothing ("key:"), "~" or "null".
  bool empty() const { return data_ == nullptr || data_->kind == YamlKind::kNull; }
  bool is_scalar() const { return data_ != nullptr && data_->kind == YamlKind::kScalar; }
  bool is_sequence() const { return data_ != nullptr && data_->kind == YamlKind::kSequence; }
  bool is_map() const { return data_ != nullptr && data_->kind == YamlKind::kMap; }
  // A scalar without quotes.
  bool is_plain() const { return is_scalar() && data_->plain; }
  SourcePosition where() const { return data_ == nullptr ? SourcePosition{} : data_->where; }

  // The text of a scalar, escapes resolved; empty for anything else.
  std::string_view text() const { return is_scalar() ? std::string_view(data_->text) : ""; }

  std::size_t size() const;
  // Precondition: is_sequence() and index < size().
  YamlNode item(std::size_t index) const { return YamlNode(data_->items[index]); }
  // Precondition: is_map() and index < size(). Keys are scalars.
  std::pair<YamlNode, YamlNode> entry(std::size_t index) const;
  // The value under `key` of a map; a node that is not there otherwise.
  YamlNode get(std::string_view key) const;

  // "a text", "a number", "a list", "a map", "nothing": for messages.
  std::string_view describe() const;

 private:
  const YamlData* data_ = nullptr;
};

struct YamlLimits {
  std::size_t max_bytes = 8 << 20;
  std::size_t max_nodes = 1 << 20;  // With every alias expanded.
  std::size_t max_depth = 64;
};

class YamlDocument {
 public:
  static std::optional<YamlDocument> parse(std::string_view text, Diagnostics& problems,
                                           const YamlLimits& limits = {});
  // A node that is not there when the text is empty.
  YamlNode root() const { return YamlNode(root_); }

 private:
  explicit YamlDocument(std::unique_ptr<std::deque<YamlData>> nodes, const YamlData* root)
      : nodes_(std::move(nodes)), root_(root) {}
  std::unique_ptr<std::deque<YamlData>> nodes_;
  const YamlData* root_;
};

}  // namespace agentsh::policy
