#include "base/json_reader.h"

#include "base/json_writer.h"

#include <fmt/format.h>
#include <rapidjson/encodedstream.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <unordered_set>

namespace agentsh {
namespace {

// Builds the tree from RapidJSON's events; stops at the depth limit or a duplicate key.
class TreeBuilder {
 public:
  explicit TreeBuilder(unsigned max_depth) : max_depth_(max_depth) {}

  const std::string& complaint() const { return complaint_; }
  JsonNode take() { return std::move(root_); }

  bool Null() { return add(nullptr); }
  bool Bool(bool value) { return add(value); }
  // Numbers come as text (kParseNumbersAsStringsFlag): RapidJSON's own conversion of a zero with an
  // exponent is undefined behaviour.
  bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
    return add_number({text, length});
  }
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(std::int64_t) { return false; }
  bool Uint64(std::uint64_t) { return false; }
  bool Double(double) { return false; }
  bool String(const char* text, rapidjson::SizeType length, bool) {
    return add(std::string(text, length));
  }
  bool StartObject() { return open(JsonNode::Object{}); }
  bool Key(const char* text, rapidjson::SizeType length, bool) {
    Level& level = levels_.back();
    level.key.assign(text, length);
    if (level.keys.insert(level.key).second) return true;
    complaint_ = fmt::format("duplicate key \"{}\"", level.key);
    return false;
  }
  bool EndObject(rapidjson::SizeType) { return close(); }
  bool StartArray() { return open(JsonNode::Array{}); }
  bool EndArray(rapidjson::SizeType) { return close(); }

 private:
  struct Level {
    JsonNode node;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  template <class Number>
  static bool read_whole(std::string_view text, Number& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size();
  }
  bool add_number(std::string_view text) {
    std::int64_t whole = 0;
    std::uint64_t large = 0;
    if (read_whole(text, whole)) return add(whole);
    if (read_whole(text, large)) return add(large);
    double number = 0;
    if (read_whole(text, number)) return add(number);
    // Out of range: too small is zero, too large is no number.
    number = std::strtod(std::string(text).c_str(), nullptr);
    if (!std::isinf(number)) return add(number);
    complaint_ = "number too big to be stored in a double";
    return false;
  }
  template <class Value>
  bool add(Value value) {
    return attach(JsonNode{std::move(value)});
  }
  bool attach(JsonNode node) {
    if (levels_.empty()) {
      root_ = std::move(node);
    } else if (auto* array = std::get_if<JsonNode::Array>(&levels_.back().node.value)) {
      array->push_back(std::move(node));
    } else {
      std::get<JsonNode::Object>(levels_.back().node.value)
          .emplace_back(levels_.back().key, std::move(node));
    }
    return true;
  }
  template <class Container>
  bool open(Container container) {
    if (levels_.size() >= max_depth_) {
      complaint_ = fmt::format("nested deeper than {} levels", max_depth_);
      return false;
    }
    levels_.push_back(Level{JsonNode{std::move(container)}, {}, {}});
    return true;
  }
  bool close() {
    JsonNode done = std::move(levels_.back().node);
    levels_.pop_back();
    return attach(std::move(done));
  }

  unsigned max_depth_;
  std::vector<Level> levels_;
  JsonNode root_;
  std::string complaint_;
};

}  // namespace

std::string_view JsonValue::as_text(std::string_view otherwise) const {
  return is_string() ? std::string_view(std::get<std::string>(node_->value)) : otherwise;
}
std::int64_t JsonValue::as_integer(std::int64_t otherwise) const {
  return holds<std::int64_t>() ? std::get<std::int64_t>(node_->value) : otherwise;
}
double JsonValue::as_number(double otherwise) const {
  if (holds<double>()) return std::get<double>(node_->value);
  if (holds<std::int64_t>()) return static_cast<double>(std::get<std::int64_t>(node_->value));
  if (holds<std::uint64_t>()) return static_cast<double>(std::get<std::uint64_t>(node_->value));
  return otherwise;
}
bool JsonValue::as_bool(bool otherwise) const {
  return is_bool() ? std::get<bool>(node_->value) : otherwise;
}

const JsonNode::Object& JsonValue::members() const {
  static const JsonNode::Object kNone;
  return is_object() ? std::get<JsonNode::Object>(node_->value) : kNone;
}
const JsonNode::Array& JsonValue::elements() const {
  static const JsonNode::Array kNone;
  return is_array() ? std::get<JsonNode::Array>(node_->value) : kNone;
}

JsonValue JsonValue::member(std::string_view key) const {
  for (const auto& [name, node] : members()) {
    if (name == key) return JsonValue(&node);
  }
  return JsonValue(nullptr);
}

std::vector<std::string> JsonValue::texts(std::string_view key) const {
  std::vector<std::string> result;
  for (const JsonNode& element : member(key).elements()) {
    if (JsonValue value(&element); value.is_string()) result.emplace_back(value.as_text());
  }
  return result;
}

void JsonValue::write(JsonWriter& out) const {
  if (node_ == nullptr) {
    out.null();
    return;
  }
  struct Visitor {
    JsonWriter& out;
    void operator()(std::nullptr_t) const { out.null(); }
    void operator()(const JsonNode::Array& array) const {
      out.begin_array();
      for (const JsonNode& element : array) JsonValue(&element).write(out);
      out.end_array();
    }
    void operator()(const JsonNode::Object& object) const {
      out.begin_object();
      for (const auto& [name, node] : object) {
        out.key(name);
        JsonValue(&node).write(out);
      }
      out.end_object();
    }
    void operator()(const std::string& text) const { out.value(std::string_view(text)); }
    void operator()(bool flag) const { out.value(flag); }
    void operator()(std::int64_t number) const { out.value(number); }
    void operator()(std::uint64_t number) const { out.value(number); }
    void operator()(double number) const { out.value(number); }
  };
  std::visit(Visitor{out}, node_->value);
}

std::string JsonValue::dump(unsigned indent) const {
  JsonWriter out(indent);
  write(out);
  return out.take();
}

Result<JsonDocument> JsonDocument::parse(std::string_view text, JsonLimits limits) {
  if (text.size() > limits.max_bytes) {
    return fail(fmt::format("JSON larger than {} bytes", limits.max_bytes),
                std::errc::message_size);
  }
  // RFC 8259 section 8.1: no byte order mark. RapidJSON skips one, and single bytes of one too.
  if (!text.empty() && static_cast<unsigned char>(text.front()) >= 0x80)
    return fail("JSON: Invalid value. at byte 0");
  TreeBuilder builder(limits.max_depth);
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream> input(stream);
  rapidjson::Reader reader;
  rapidjson::ParseResult outcome = reader.Parse < rapidjson::kParseIterativeFlag |
                                   rapidjson::kParseValidateEncodingFlag |
                                   rapidjson::kParseNumbersAsStringsFlag > (input, builder);
  if (outcome.IsError()) {
    const std::string reason = builder.complaint().empty()
                                   ? rapidjson::GetParseError_En(outcome.Code())
                                   : builder.complaint();
    return fail(fmt::format("JSON: {} at byte {}", reason, outcome.Offset()));
  }
  return JsonDocument(builder.take());
}

}  // namespace agentsh
