#include "sqlguard/catalog/node_text.h"

#include <algorithm>
#include <charconv>

namespace agentsh::sql {
namespace {

// The text in words: "{NAME", ":field", "(", ")", "}" and values. A backslash takes the meaning
// from what follows it.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  // Empty at the end.
  std::string_view next() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    const std::size_t begin = at_;
    if (at_ == text_.size()) return {};
    if (is_bracket(text_[at_++])) return text_.substr(begin, 1);
    if (text_[begin] == '\\' && at_ < text_.size()) ++at_;
    while (at_ < text_.size() && !is_space(text_[at_]) && !is_bracket(text_[at_]))
      at_ += text_[at_] == '\\' ? 2 : 1;
    at_ = std::min(at_, text_.size());
    return text_.substr(begin, at_ - begin);
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t'; }
  static bool is_bracket(char c) { return c == '(' || c == ')' || c == '{' || c == '}'; }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::optional<std::uint32_t> number(std::string_view word) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

struct Output {
  std::optional<std::uint32_t> number, table, column;
};

// One TARGETENTRY, behind its name and up to its brace.
std::optional<Output> read_output(Words& words) {
  Output output;
  int depth = 1;
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (word == "{" || word == "(") ++depth;
    if ((word == "}" || word == ")") && --depth == 0) return output;
    if (depth != 1) continue;
    if (word == ":resno") output.number = number(words.next());
    if (word == ":resorigtbl") output.table = number(words.next());
    if (word == ":resorigcol") output.column = number(words.next());
  }
  return std::nullopt;
}

std::optional<std::vector<CatalogRelation::Source>> read_outputs(Words& words) {
  std::vector<CatalogRelation::Source> origins;
  while (true) {
    const std::string_view word = words.next();
    if (word == ")") return origins;
    if (word != "{" || words.next() != "TARGETENTRY") return std::nullopt;
    const auto output = read_output(words);
    if (!output || !output->number || !output->table || !output->column) return std::nullopt;
    if (*output->number == 0 || *output->number > 2000 || *output->column > UINT16_MAX)
      return std::nullopt;
    if (origins.size() < *output->number) origins.resize(*output->number);
    origins[*output->number - 1] = {*output->table, static_cast<std::uint16_t>(*output->column)};
  }
}

}  // namespace

std::optional<std::vector<CatalogRelation::Source>> origins_of(std::string_view node_text) {
  // A list of one query: ({QUERY ... :targetList ({TARGETENTRY ...} ...) ...}).
  Words words(node_text);
  if (words.next() != "(" || words.next() != "{" || words.next() != "QUERY") return std::nullopt;
  int depth = 2;
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (word == "{" || word == "(") ++depth;
    if (word == "}" || word == ")") --depth;
    if (depth < 2) return std::nullopt;
    if (depth == 2 && word == ":targetList")
      return words.next() == "(" ? read_outputs(words) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace agentsh::sql
