#include "base/json_writer.h"

#include "base/encoding.h"

#include <rapidjson/prettywriter.h>
#include <rapidjson/stringbuffer.h>

#include <variant>

namespace agentsh {
namespace {

using Compact = rapidjson::Writer<rapidjson::StringBuffer>;
using Pretty = rapidjson::PrettyWriter<rapidjson::StringBuffer>;

std::string with_replacement_characters(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    std::size_t length = 1;
    while (length <= 4 && length <= text.size() && !is_utf8(text.substr(0, length))) ++length;
    if (length > 4 || length > text.size()) {
      valid += "\xef\xbf\xbd";
      text.remove_prefix(1);
    } else {
      valid += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  return valid;
}

}  // namespace

struct JsonWriter::State {
  rapidjson::StringBuffer buffer;
  std::variant<std::monostate, Compact, Pretty> writer;

  template <class Action>
  void apply(Action action) {
    if (auto* pretty = std::get_if<Pretty>(&writer)) {
      action(*pretty);
    } else {
      action(std::get<Compact>(writer));
    }
  }
};

JsonWriter::JsonWriter(unsigned indent) : state_(std::make_unique<State>()) {
  if (indent == 0) {
    state_->writer.emplace<Compact>(state_->buffer);
  } else {
    state_->writer.emplace<Pretty>(state_->buffer).SetIndent(' ', indent);
  }
}
JsonWriter::~JsonWriter() = default;
JsonWriter::JsonWriter(JsonWriter&&) noexcept = default;
JsonWriter& JsonWriter::operator=(JsonWriter&&) noexcept = default;

JsonWriter& JsonWriter::begin_object() {
  state_->apply([](auto& writer) { writer.StartObject(); });
  return *this;
}
JsonWriter& JsonWriter::end_object() {
  state_->apply([](auto& writer) { writer.EndObject(); });
  return *this;
}
JsonWriter& JsonWriter::begin_array() {
  state_->apply([](auto& writer) { writer.StartArray(); });
  return *this;
}
JsonWriter& JsonWriter::end_array() {
  state_->apply([](auto& writer) { writer.EndArray(); });
  return *this;
}
JsonWriter& JsonWriter::key(std::string_view name) {
  state_->apply([&](auto& writer) {
    writer.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
  });
  return *this;
}
JsonWriter& JsonWriter::value(std::string_view text) {
  if (!is_utf8(text)) {
    return value(std::string_view(with_replacement_characters(text)));
  }
  state_->apply([&](auto& writer) {
    writer.String(text.data() == nullptr ? "" : text.data(),
                  static_cast<rapidjson::SizeType>(text.size()));
  });
  return *this;
}
JsonWriter& JsonWriter::value(bool flag) {
  state_->apply([&](auto& writer) { writer.Bool(flag); });
  return *this;
}
JsonWriter& JsonWriter::value(double number) {
  state_->apply([&](auto& writer) { writer.Double(number); });
  return *this;
}
JsonWriter& JsonWriter::signed_value(std::int64_t number) {
  state_->apply([&](auto& writer) { writer.Int64(number); });
  return *this;
}
JsonWriter& JsonWriter::unsigned_value(std::uint64_t number) {
  state_->apply([&](auto& writer) { writer.Uint64(number); });
  return *this;
}
JsonWriter& JsonWriter::null() {
  state_->apply([](auto& writer) { writer.Null(); });
  return *this;
}
JsonWriter& JsonWriter::raw(std::string_view json) {
  state_->apply(
      [&](auto& writer) { writer.RawValue(json.data(), json.size(), rapidjson::kObjectType); });
  return *this;
}

std::string JsonWriter::take() {
  std::string text(state_->buffer.GetString(), state_->buffer.GetSize());
  state_->buffer.Clear();
  state_->apply([&](auto& writer) { writer.Reset(state_->buffer); });
  return text;
}

std::string json_quoted(std::string_view text) {
  return JsonWriter().value(text).take();
}

}  // namespace agentsh
