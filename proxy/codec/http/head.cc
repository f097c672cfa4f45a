#include "proxy/codec/http/head.h"

#include "proxy/codec/http/text.h"

namespace agentsh::http {

std::string_view Head::start_line() const {
  // The start line of a parsed head always ends in CR LF.
  return text_.substr(0, text_.find('\n') + 1);
}

std::string_view Head::line(const Field& field) const {
  const std::size_t end = text_.find('\n', field.value + field.value_size) + 1;
  return text_.substr(field.name, end - field.name);
}

const Field* Head::find(KnownField known) const {
  for (const Field& field : fields_) {
    if (field.known == known) return &field;
  }
  return nullptr;
}

const Field* Head::find(std::string_view name) const {
  for (const Field& field : fields_) {
    if (field.name_size == name.size() && equal_ignoring_case(this->name(field), name)) {
      return &field;
    }
  }
  return nullptr;
}

std::string_view Head::value_of(std::string_view name) const {
  const Field* field = find(name);
  return field != nullptr ? value(*field) : std::string_view{};
}

std::string_view RequestHead::host_text() const {
  if (is_connect()) return target_;
  const Field* host = find(KnownField::kHost);
  return host != nullptr ? value(*host) : std::string_view{};
}

void Head::clear(std::string_view text) {
  text_ = text;
  fields_.clear();
  framing_ = {};
  minor_version_ = 1;
  keep_alive_ = true;
  connection_upgrade_ = false;
}

}  // namespace agentsh::http
