// Reading JSON from sources that are not trusted: bounded in size and depth, parsed without
// recursion, duplicate keys refused (two parsers that disagree about which one counts are a way
// around a policy).
//
//   auto document = JsonDocument::parse(body, {.max_bytes = 1 << 20});
//   if (!document) return std::unexpected(document.error());
//   std::string_view id = document->root().text("id");
//
// The tree is our own, filled by RapidJSON's SAX reader: rapidjson/document.h of Debian 12 does not
// compile with clang 19.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace agentsh {

class JsonWriter;

struct JsonNode {
  using Array = std::vector<JsonNode>;
  using Object = std::vector<std::pair<std::string, JsonNode>>;  // In the order of the text.
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value;
};

// A view of one value inside a JsonDocument, valid while the document lives. Look-ups of what is
// not there, or is of another type, give the stated default; exists(), has() and the is_*()
// functions tell the difference.
class JsonValue {
 public:
  explicit JsonValue(const JsonNode* node) : node_(node) {}

  bool exists() const { return node_ != nullptr; }
  bool is_object() const { return holds<JsonNode::Object>(); }
  bool is_array() const { return holds<JsonNode::Array>(); }
  bool is_string() const { return holds<std::string>(); }
  bool is_number() const { return is_integer() || holds<double>(); }
  bool is_integer() const { return holds<std::int64_t>() || holds<std::uint64_t>(); }
  bool is_bool() const { return holds<bool>(); }
  bool is_null() const { return holds<std::nullptr_t>(); }

  std::string_view as_text(std::string_view otherwise = {}) const;
  std::int64_t as_integer(std::int64_t otherwise = 0) const;
  double as_number(double otherwise = 0) const;
  bool as_bool(bool otherwise = false) const;

  // Members of an object.
  JsonValue member(std::string_view key) const;
  bool has(std::string_view key) const { return member(key).exists(); }
  std::string_view text(std::string_view key, std::string_view otherwise = {}) const {
    return member(key).as_text(otherwise);
  }
  std::int64_t integer(std::string_view key, std::int64_t otherwise = 0) const {
    return member(key).as_integer(otherwise);
  }
  bool flag(std::string_view key, bool otherwise = false) const {
    return member(key).as_bool(otherwise);
  }
  // The members in order; empty for anything else.
  const JsonNode::Object& members() const;

  // Elements of an array; empty for anything else.
  const JsonNode::Array& elements() const;
  // The elements of the array of strings under `key`; elements of other types are left out.
  std::vector<std::string> texts(std::string_view key) const;

  // Appends the value to `out`, in the order it was read.
  void write(JsonWriter& out) const;
  // The value as JSON text, indented by `indent` spaces per level or on one line.
  std::string dump(unsigned indent = 0) const;

 private:
  template <class T>
  bool holds() const {
    return node_ != nullptr && std::holds_alternative<T>(node_->value);
  }
  const JsonNode* node_;
};

struct JsonLimits {
  std::size_t max_bytes = 8 << 20;
  unsigned max_depth = 64;
};

class JsonDocument {
 public:
  static Result<JsonDocument> parse(std::string_view text, JsonLimits limits = {});
  JsonValue root() const { return JsonValue(root_.get()); }
  const JsonNode& node() const { return *root_; }

 private:
  explicit JsonDocument(JsonNode root) : root_(std::make_unique<JsonNode>(std::move(root))) {}
  std::unique_ptr<JsonNode> root_;  // Its address stays when the document moves.
};

}  // namespace agentsh
