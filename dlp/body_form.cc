#include "dlp/body_form.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::dlp {
namespace {

constexpr std::size_t kKeptName = 256;

// Whether more bytes could make an escape of it.
bool may_become_escape(std::string_view raw) {
  return raw.size() < 3 && (raw.size() < 2 || hex_digit(raw[1]) >= 0);
}

void append_percent_encoded(std::string& out, std::string_view text) {
  for (const char byte : text) {
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') || std::string_view("*-._").contains(byte);
    if (plain) {
      out += byte;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(byte));
    }
  }
}

std::unexpected<Error> refused() {
  return fail("the text was refused", std::errc::permission_denied);
}

}  // namespace

FormEditor::FormEditor(TextEditor& editor) : splice_(editor, append_percent_encoded) {}

Result<void> FormEditor::push(std::string_view chunk, std::string& out) {
  while (!chunk.empty()) {
    const std::size_t end = std::min(chunk.find(in_value_ ? "&" : "=", 0), chunk.size());
    // A name that ends without a value.
    const std::size_t next = in_value_ ? end : std::min(chunk.find('&'), end);
    const std::string_view run = chunk.substr(0, next);
    const bool is_complete = next < chunk.size();
    if (in_value_) {
      if (auto ok = value_bytes(run, is_complete, out); !ok) return ok;
    } else {
      out.append(run);
      if (name_.value.size() < kKeptName) name_.value.append(run.substr(0, kKeptName));
    }
    chunk.remove_prefix(next);
    if (!is_complete) return {};
    const char separator = chunk.front();
    out += separator;
    chunk.remove_prefix(1);
    in_value_ = separator == '=';
    if (in_value_) {
      begin_value();
    } else {
      name_.value.clear();
    }
  }
  return {};
}

void FormEditor::begin_value() {
  std::string name;
  for (std::string_view raw = name_.value; !raw.empty();) {
    const int byte = percent_escape(raw);
    name += byte >= 0 ? static_cast<char>(byte) : raw.front() == '+' ? ' ' : raw.front();
    raw.remove_prefix(byte >= 0 ? 3 : 1);
  }
  name_.value = name;
  context_ = name + ": ";
  partial_.clear();
  splice_.begin({context_, &name_});
}

Result<void> FormEditor::value_bytes(std::string_view raw, bool at_end, std::string& out) {
  std::string joined;
  if (!partial_.empty()) {
    joined = partial_ + std::string(raw);
    partial_.clear();
    raw = joined;
  }
  while (!raw.empty()) {
    const std::size_t literal = std::min(raw.find_first_of("%+"), raw.size());
    splice_.add_literal(raw.substr(0, literal));
    raw.remove_prefix(literal);
    if (raw.empty()) break;
    if (raw.front() == '+') {
      splice_.add_escape(" ", raw.substr(0, 1));
      raw.remove_prefix(1);
      continue;
    }
    if (!at_end && may_become_escape(raw)) {
      partial_ = raw;
      break;
    }
    const int byte = percent_escape(raw);
    if (byte < 0) {
      splice_.add_literal(raw.substr(0, 1));
      raw.remove_prefix(1);
      continue;
    }
    const char decoded = static_cast<char>(byte);
    splice_.add_escape({&decoded, 1}, raw.substr(0, 3));
    raw.remove_prefix(3);
  }
  if (!at_end) {
    splice_.push(out);
    return {};
  }
  if (!splice_.finish(out)) return refused();
  return {};
}

Result<void> FormEditor::finish(std::string& out) {
  if (!in_value_) return {};
  in_value_ = false;
  return value_bytes({}, true, out);
}

}  // namespace agentsh::dlp
