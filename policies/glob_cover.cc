#include "policies/glob_cover.h"

#include "policies/glob_index.h"

namespace agentsh::policy {
namespace {

using Kind = GlobToken::Kind;

// Can every text that the token matches be matched by one `*`?
bool stays_between_separators(const GlobToken& token, char separator) {
  switch (token.kind) {
    case Kind::kText:
      return separator == kNoSeparator || !token.text.contains(separator);
    case Kind::kStar:
    case Kind::kCharacter:
      return true;
    case Kind::kDoubleStar:
      return separator == kNoSeparator;
    case Kind::kChoice:
      for (const auto& choice : token.choices) {
        for (const GlobToken& inner : choice) {
          if (!stays_between_separators(inner, separator)) return false;
        }
      }
      return true;
  }
  return false;
}

// Does everything that `narrower` matches begin with `prefix` and end with `suffix`? For a literal
// `wider` both are its whole text, and may overlap.
bool has_affixes(const Glob& narrower, std::string_view prefix, std::string_view suffix) {
  if (narrower.is_literal()) {
    const std::string_view text = narrower.literal_prefix();
    return text.starts_with(prefix) && text.ends_with(suffix);
  }
  return narrower.literal_prefix().starts_with(prefix) &&
         narrower.literal_suffix().ends_with(suffix);
}

// Is what `narrower` has between the affixes free of separators?
bool middle_is_one_part(const Glob& narrower, std::string_view prefix, std::string_view suffix) {
  const char separator = narrower.separator();
  if (separator == kNoSeparator) return true;
  const auto& tokens = narrower.tokens();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].kind != Kind::kText) {
      if (!stays_between_separators(tokens[i], separator)) return false;
      continue;
    }
    std::string_view text = tokens[i].text;
    if (i == 0) text.remove_prefix(prefix.size());
    if (i + 1 == tokens.size()) text.remove_suffix(suffix.size());
    if (text.contains(separator)) return false;
  }
  return true;
}

}  // namespace

bool glob_covers(const Glob& wider, const Glob& narrower) {
  if (wider.pattern() == narrower.pattern()) return true;
  if (!has_affixes(narrower, wider.literal_prefix(), wider.literal_suffix())) return false;
  if (narrower.is_literal()) {
    if (wider.is_literal()) return wider.literal_prefix() == narrower.literal_prefix();
    const GlobIndex index({{wider, 0}}, 1);
    return !index.match(narrower.literal_prefix()).empty();
  }
  // Of the wider one: text, one star, text.
  const auto& tokens = wider.tokens();
  const std::string_view prefix = wider.literal_prefix();
  const std::string_view suffix = wider.literal_suffix();
  const std::size_t affixes = (prefix.empty() ? 0U : 1U) + (suffix.empty() ? 0U : 1U);
  if (wider.is_literal() || tokens.size() != affixes + 1) return false;
  const GlobToken& star = tokens[prefix.empty() ? 0 : 1];
  if (star.kind == Kind::kDoubleStar) return true;
  return star.kind == Kind::kStar && middle_is_one_part(narrower, prefix, suffix);
}

}  // namespace agentsh::policy
