#include "sqlguard/results/value_editor.h"

#include "dlp/json_editor.h"
#include "sqlguard/results/wire_types.h"

#include <fmt/format.h>

namespace agentsh::sql {
namespace {

using Outcome = ValueEditor::Outcome;

constexpr char kJsonbVersion = 1;
constexpr std::uint32_t kNullLength = UINT32_MAX;
constexpr std::uint32_t kMaximumDimensions = 6;

void append_u32(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift);
}

// Letters that need no quoting in JSON, arrays, CSV and COPY's text.
std::string plain_name(std::string_view name) {
  std::string plain(name);
  for (char& c : plain) {
    const bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
    if (!ok) c = '_';
  }
  return plain;
}

void append_array_element(std::string& out, std::string_view text) {
  out += '"';
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

// bytea's text form: \x and hexadecimal digits; the older escape format is looked at as it is.
std::string bytes_of(std::string_view text) {
  if (!text.starts_with("\\x")) return std::string(text);
  std::string bytes;
  for (std::size_t i = 2; i + 1 < text.size(); i += 2)
    bytes += static_cast<char>(hex_digit(text[i]) << 4 | hex_digit(text[i + 1]));
  return bytes;
}

}  // namespace

ValueEditor::ValueEditor(std::shared_ptr<const dlp::Profile> detectors,
                         std::shared_ptr<dlp::Vault> vault)
    : vault_(std::move(vault)) {
  if (detectors != nullptr && detectors->looks_for_anything())
    redactor_.emplace(std::move(detectors), vault_, dlp::Placeholders::kKeep);
}

Outcome ValueEditor::mask(const ColumnMask& mask, std::uint32_t type, bool binary, Bytes value,
                          std::string& out) {
  const TypeClass kind = class_of(type);
  const bool text =
      kind == TypeClass::kText || kind == TypeClass::kJson || kind == TypeClass::kJsonb;
  if (!text || mask.with == policy::DbMaskWith::kNull) return Outcome::kNull;
  std::string shown = fmt::format("[REDACTED:{}]", plain_name(mask.name));
  if (mask.with == policy::DbMaskWith::kTokenize && vault_ != nullptr) {
    if (auto placeholder = vault_->placeholder_for(as_text(value), "MASK")) shown = *placeholder;
  }
  if (kind == TypeClass::kJsonb && binary) out += kJsonbVersion;
  out += kind == TypeClass::kText ? shown : fmt::format("\"{}\"", shown);
  return Outcome::kReplaced;
}

Outcome ValueEditor::detect(std::uint32_t type, bool binary, Bytes value, std::string& out) {
  if (!redactor_) return Outcome::kSame;
  if (binary) return detect_binary(type, value, out);
  const std::string_view text = as_text(value);
  switch (class_of(type)) {
    case TypeClass::kText:
    case TypeClass::kUnknown:
      return detect_text(text, out);
    case TypeClass::kJson:
    case TypeClass::kJsonb:
      return detect_json(text, out);
    case TypeClass::kArray:
      return detect_text_array(element_type(type), text, out);
    case TypeClass::kBytes:
      return detect_opaque(bytes_of(text));
    case TypeClass::kNumber:
    case TypeClass::kOther:
      break;
  }
  return detect_opaque(text);
}

Outcome ValueEditor::detect_binary(std::uint32_t type, Bytes value, std::string& out) {
  const std::string_view text = as_text(value);
  switch (class_of(type)) {
    case TypeClass::kText:
      return detect_text(text, out);
    case TypeClass::kJson:
      return detect_json(text, out);
    case TypeClass::kJsonb: {
      if (text.empty() || text[0] != kJsonbVersion) return detect_opaque(text);
      const std::size_t before = out.size();
      out += kJsonbVersion;
      const Outcome outcome = detect_json(text.substr(1), out);
      if (outcome != Outcome::kReplaced) out.resize(before);
      return outcome;
    }
    case TypeClass::kArray:
      return detect_binary_array(value, out);
    case TypeClass::kNumber:
      if (const auto number = number_text(type, value)) return detect_opaque(*number);
      break;
    default:
      break;
  }
  return detect_opaque(text);
}

Outcome ValueEditor::detect_text(std::string_view text, std::string& out) {
  edits_.clear();
  redactor_->begin({});
  redactor_->finish(text, edits_);
  if (edits_.empty()) return Outcome::kSame;
  std::size_t at = 0;
  for (const dlp::Edit& edit : edits_) {
    out += text.substr(at, edit.begin - at);
    out += edit.replacement;
    at = edit.end;
  }
  out += text.substr(at);
  return Outcome::kReplaced;
}

Outcome ValueEditor::detect_opaque(std::string_view text) {
  edits_.clear();
  redactor_->begin({});
  redactor_->finish(text, edits_);
  return edits_.empty() ? Outcome::kSame : Outcome::kNull;
}

// What is no JSON although its type says so cannot be edited.
Outcome ValueEditor::detect_json(std::string_view text, std::string& out) {
  const std::uint64_t before = redactor_->replaced();
  const std::size_t begin = out.size();
  dlp::JsonEditor editor(*redactor_);
  if (!editor.push(text, out) || !editor.finish(out)) {
    out.resize(begin);
    return detect_opaque(text);
  }
  if (redactor_->replaced() != before) return Outcome::kReplaced;
  out.resize(begin);
  // Keys are no strings to it: what is found in the text outside of them cannot be replaced.
  return detect_opaque(text);
}

// {a,"b c",NULL,{...}}, maybe behind dimensions: [0:1]={...}.
Outcome ValueEditor::detect_text_array(std::uint32_t element, std::string_view text,
                                       std::string& out) {
  const std::size_t begin = out.size();
  const char delimiter = element == 603 ? ';' : ',';
  std::size_t at = text.find('{');
  if (at == std::string_view::npos) return detect_opaque(text);
  out += text.substr(0, at);
  bool changed = false;
  std::string value;
  std::string edited;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '{' || c == '}' || c == delimiter) {
      out += c;
      ++at;
      continue;
    }
    value.clear();
    const bool quoted = c == '"';
    const std::size_t from = at;
    if (quoted) ++at;
    while (at < text.size() &&
           (quoted ? text[at] != '"' : (text[at] != delimiter && text[at] != '}'))) {
      if (text[at] == '\\' && at + 1 < text.size()) ++at;
      value += text[at++];
    }
    if (quoted && at < text.size()) ++at;
    edited.clear();
    const bool null = !quoted && value == "NULL";
    const Outcome outcome = null ? Outcome::kSame : detect(element, false, as_bytes(value), edited);
    changed = changed || outcome != Outcome::kSame;
    if (outcome == Outcome::kSame)
      out += text.substr(from, at - from);
    else if (outcome == Outcome::kNull)
      out += "NULL";
    else
      append_array_element(out, edited);
  }
  if (changed) return Outcome::kReplaced;
  out.resize(begin);
  return Outcome::kSame;
}

// array_send(): dimensions, a flag for NULLs, the element's type, each dimension's length and lower
// bound, then the elements.
Outcome ValueEditor::detect_binary_array(Bytes value, std::string& out) {
  ByteReader reader(value);
  const std::uint32_t dimensions = reader.u32();
  reader.u32();
  const std::uint32_t element = reader.u32();
  if (!reader.ok() || dimensions > kMaximumDimensions) return detect_opaque(as_text(value));
  const Bytes bounds = reader.bytes(dimensions * std::size_t{8});
  std::string elements;
  std::string edited;
  bool changed = false;
  while (reader.remaining() > 0) {
    const std::uint32_t length = reader.u32();
    if (length == kNullLength) {
      append_u32(elements, length);
      continue;
    }
    const Bytes each = reader.bytes(length);
    if (!reader.ok()) break;
    edited.clear();
    const Outcome outcome = detect_binary(element, each, edited);
    changed = changed || outcome != Outcome::kSame;
    const std::string_view kept =
        outcome == Outcome::kSame ? as_text(each) : std::string_view(edited);
    append_u32(elements,
               outcome == Outcome::kNull ? kNullLength : static_cast<std::uint32_t>(kept.size()));
    if (outcome != Outcome::kNull) elements += kept;
  }
  if (!reader.ok()) return detect_opaque(as_text(value));
  if (!changed) return Outcome::kSame;
  append_u32(out, dimensions);
  append_u32(out, 1);
  append_u32(out, element);
  out += as_text(bounds);
  out += elements;
  return Outcome::kReplaced;
}

std::string ValueEditor::text(std::string_view text) {
  std::string edited;
  if (!redactor_ || detect_text(text, edited) == Outcome::kSame) return std::string(text);
  return edited;
}

}  // namespace agentsh::sql
