#include "policies/variables.h"

#include <fmt/format.h>

namespace agentsh::policy {
namespace {

constexpr int kMaximumNesting = 8;
constexpr std::size_t kMaximumLength = 16 << 10;

bool name_character(char c, bool first) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
         (!first && c >= '0' && c <= '9');
}

// What to put in place of a variable: its value, or nothing when it has none.
using Lookup = std::function<std::optional<std::string>(const std::string& name)>;

class Expander {
 public:
  Expander(std::string_view text, const Lookup& lookup) : text_(text), lookup_(lookup) {}

  Result<std::string> run() {
    std::string out;
    if (!expand(out, 0, true)) return fail(error_);
    return out;
  }

 private:
  bool wrong(std::string message) {
    error_ = std::move(message);
    return false;
  }

  // Copies text up to the end or, inside a fallback, up to its "}". Without `wanted` the text is
  // only passed over.
  bool expand(std::string& out, int depth, bool wanted) {
    while (position_ < text_.size()) {
      if (depth > 0 && text_[position_] == '}') return true;
      if (text_.substr(position_).starts_with("${")) {
        if (!variable(out, depth, wanted)) return false;
        continue;
      }
      if (wanted) out += text_[position_];
      ++position_;
      if (out.size() > kMaximumLength) return wrong("is too long with its variables replaced");
    }
    return true;
  }

  bool variable(std::string& out, int depth, bool wanted) {
    if (depth >= kMaximumNesting) return wrong("${ is nested too deep");
    position_ += 2;
    std::string name;
    while (position_ < text_.size() && name_character(text_[position_], name.empty())) {
      name += text_[position_++];
    }
    if (name.empty()) return wrong("${ must be followed by the name of a variable");
    const bool fallback = text_.substr(position_).starts_with(":-");
    if (fallback) position_ += 2;
    auto value = lookup_(name);
    if (value && wanted) out += *value;
    if (fallback && !expand(out, depth + 1, wanted && !value)) return false;
    if (position_ >= text_.size() || text_[position_] != '}') {
      return wrong(fmt::format("${{{} is not closed by }}", name));
    }
    ++position_;
    if (wanted && !value && !fallback) {
      return wrong(
          fmt::format("variable \"{}\" is not set; write ${{{}:-fallback}} where it may "
                      "be missing",
                      name, name));
    }
    return true;
  }

  std::string_view text_;
  const Lookup& lookup_;
  std::size_t position_ = 0;
  std::string error_;
};

}  // namespace

std::optional<std::string_view> Variables::find(std::string_view name) const {
  for (const Map* values : {&session_, &environment_}) {
    auto found = values->find(name);
    if (found != values->end() && !found->second.empty()) return found->second;
  }
  return {};
}

Result<std::string> expand_variables(std::string_view text, const Variables& variables,
                                     std::string (*quote)(std::string_view)) {
  if (text.find("${") == std::string_view::npos) return std::string(text);
  const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    auto value = variables.find(name);
    if (!value) return {};
    return quote == nullptr ? std::string(*value) : quote(*value);
  };
  return Expander(text, lookup).run();
}

Result<std::string> replace_variables(std::string_view text, std::string_view stand_in) {
  if (text.find("${") == std::string_view::npos) return std::string(text);
  const Lookup lookup = [&](const std::string&) { return std::string(stand_in); };
  return Expander(text, lookup).run();
}

void collect_variables(std::string_view text, std::set<std::string>& names) {
  if (text.find("${") == std::string_view::npos) return;
  std::set<std::string> found;
  const Lookup lookup = [&](const std::string& name) -> std::optional<std::string> {
    found.insert(name);
    return "x";
  };
  if (Expander(text, lookup).run()) names.merge(found);
}

}  // namespace agentsh::policy
