#include "dlp/restorer.h"

#include "base/json_writer.h"

namespace agentsh::dlp {
namespace {

std::string quoted(std::string value, unsigned levels) {
  for (; levels > 0; --levels) {
    value = json_quoted(value);
    value = value.substr(1, value.size() - 2);
  }
  return value;
}

}  // namespace

void Restorer::begin(const TextOrigin&) {
  held_.clear();
  received_ = 0;
}

void Restorer::push(std::string_view text, std::vector<Edit>& edits) {
  received_ += text.size();
  if (vault_->empty()) return;
  held_.append(text);
  search(false, edits);
}

void Restorer::finish(std::string_view last, std::vector<Edit>& edits) {
  received_ += last.size();
  held_.append(last);
  if (!vault_->empty()) search(true, edits);
  held_.clear();
}

void Restorer::search(bool at_end, std::vector<Edit>& edits) {
  const std::string_view text = held_;
  const std::uint64_t origin = received_ - text.size();
  std::size_t at = 0;
  while ((at = text.find_first_of("Tt", at)) != std::string_view::npos) {
    const std::string_view rest = text.substr(at);
    if (const std::size_t length = placeholder_length(rest); length > 0) {
      if (auto value = vault_->value_of(rest.substr(0, length))) {
        edits.push_back(
            {origin + at, origin + at + length, quoted(std::move(*value), json_levels_)});
        ++restored_;
        at += length;
        continue;
      }
    } else if (!at_end && may_begin_placeholder(rest) && vault_->issued_with_prefix(rest)) {
      break;
    }
    ++at;
  }
  held_.erase(0, at == std::string_view::npos ? held_.size() : at);
}

}  // namespace agentsh::dlp
