// Writing JSON (RFC 8259) into a string: a thin layer over RapidJSON's writer that knows our types
// and makes any byte string valid JSON.
//
//   JsonWriter json;
//   json.begin_object().field("id", id).field("pid",
//   pid).key("tags").begin_array().value("a").end_array().end_object(); std::string text =
//   json.take();
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace agentsh {

class JsonWriter {
 public:
  // `indent` spaces per level, 0 for one line.
  explicit JsonWriter(unsigned indent = 0);
  ~JsonWriter();
  JsonWriter(JsonWriter&&) noexcept;
  JsonWriter& operator=(JsonWriter&&) noexcept;

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);

  // Text that is not UTF-8 is written with each offending byte as U+FFFD, so the output is always
  // valid.
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(double number);
  template <std::integral Number>
    requires(!std::same_as<Number, bool>)
  JsonWriter& value(Number number) {
    if constexpr (std::is_signed_v<Number>) {
      return signed_value(number);
    } else {
      return unsigned_value(number);
    }
  }
  JsonWriter& null();
  // A JSON value that is text already. Precondition: it is valid JSON.
  JsonWriter& raw(std::string_view json);

  template <class Value>
  JsonWriter& field(std::string_view name, const Value& content) {
    return key(name).value(content);
  }
  // The field only when the text is not empty.
  JsonWriter& optional_field(std::string_view name, std::string_view text) {
    return text.empty() ? *this : field(name, text);
  }

  std::string take();

 private:
  JsonWriter& signed_value(std::int64_t number);
  JsonWriter& unsigned_value(std::uint64_t number);
  struct State;
  std::unique_ptr<State> state_;
};

// `text` as a JSON string with its quotes.
std::string json_quoted(std::string_view text);

}  // namespace agentsh
