#include "policies/diagnostic.h"

#include "base/json_writer.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::policy {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same_letter(char a, char b) {
  return lower(a) == lower(b) || ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

// Optimal string alignment distance, three rows at a time.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> previous(b.size() + 1);
  std::vector<std::size_t> current(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) previous[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    current[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = same_letter(a[i - 1], b[j - 1]) ? 0 : 1;
      current[j] = std::min({previous[j] + 1, current[j - 1] + 1, previous[j - 1] + change});
      const bool swapped =
          i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
      if (swapped) current[j] = std::min(current[j], before[j - 2] + 1);
    }
    std::swap(before, previous);
    std::swap(previous, current);
  }
  return previous[b.size()];
}

bool starts_with_letters_of(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(), same_letter);
}

void write(const Diagnostic& diagnostic, JsonWriter& json) {
  json.begin_object()
      .field("file", diagnostic.file)
      .field("line", diagnostic.where.line)
      .field("column", diagnostic.where.column)
      .field("severity", to_string(diagnostic.severity))
      .field("key", diagnostic.key)
      .field("message", diagnostic.message)
      .optional_field("suggestion", diagnostic.suggestion)
      .optional_field("check", diagnostic.check)
      .end_object();
}

}  // namespace

std::string_view to_string(Severity severity) {
  switch (severity) {
    case Severity::kError:
      return "error";
    case Severity::kWarning:
      return "warning";
    case Severity::kNote:
      return "note";
  }
  return "error";
}

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = diagnostic.file;
  if (diagnostic.where.line > 0) {
    text += fmt::format(":{}:{}", diagnostic.where.line, diagnostic.where.column);
  }
  text += ": ";
  if (diagnostic.severity != Severity::kError) {
    text += fmt::format("{}: ", to_string(diagnostic.severity));
  }
  if (!diagnostic.key.empty()) text += diagnostic.key + ": ";
  text += diagnostic.message;
  if (!diagnostic.suggestion.empty()) {
    text += fmt::format("; did you mean \"{}\"?", diagnostic.suggestion);
  }
  if (!diagnostic.check.empty()) text += fmt::format(" [{}]", diagnostic.check);
  return text;
}

std::string to_json(std::span<const Diagnostic> diagnostics) {
  JsonWriter json(2);
  json.begin_array();
  for (const Diagnostic& diagnostic : diagnostics) write(diagnostic, json);
  json.end_array();
  return json.take();
}

void Diagnostics::error(SourcePosition where, std::string_view key, std::string message,
                        std::string suggestion) {
  add({.severity = Severity::kError,
       .where = where,
       .key = std::string(key),
       .message = std::move(message),
       .suggestion = std::move(suggestion)});
}

void Diagnostics::warning(SourcePosition where, std::string_view key, std::string message,
                          std::string suggestion) {
  add({.severity = Severity::kWarning,
       .where = where,
       .key = std::string(key),
       .message = std::move(message),
       .suggestion = std::move(suggestion)});
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::kError) ++errors_;
  if (found_.size() >= kMaximum) return;
  if (diagnostic.file.empty()) diagnostic.file = file_;
  auto place = std::ranges::upper_bound(found_, diagnostic.where, {}, &Diagnostic::where);
  found_.insert(place, std::move(diagnostic));
}

Error Diagnostics::to_error() const {
  std::string text;
  std::size_t shown = 0;
  for (const Diagnostic& diagnostic : found_) {
    if (diagnostic.severity != Severity::kError) continue;
    if (!text.empty()) text += '\n';
    text += to_text(diagnostic);
    ++shown;
  }
  if (shown < errors_) text += fmt::format("\n{}: and {} more errors", file_, errors_ - shown);
  return make_error(std::move(text));
}

std::optional<std::string_view> closest_word(std::string_view word,
                                             std::span<const std::string_view> candidates) {
  constexpr std::size_t kLongestWord = 64;
  if (word.empty() || word.size() > kLongestWord) return {};
  std::optional<std::string_view> best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance >= best_distance) continue;
    best = candidate;
    best_distance = distance;
  }
  if (best || word.size() < 3) return best;
  for (std::string_view candidate : candidates) {
    if (!starts_with_letters_of(candidate, word)) continue;
    if (best) return {};  // An abbreviation of two words is none.
    best = candidate;
  }
  return best;
}

}  // namespace agentsh::policy
