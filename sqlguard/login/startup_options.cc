#include "sqlguard/login/startup_options.h"

#include <fmt/format.h>

#include <algorithm>

namespace agentsh::sql {
namespace {

// isspace() of the C locale.
bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

void skip_blanks(std::string_view text, std::size_t& at) {
  while (at < text.size() && is_blank(text[at])) ++at;
}

std::unexpected<LoginFailure> refuse(std::string message) {
  return std::unexpected(LoginFailure{.sqlstate = std::string(kSyntaxError),
                                      .message = std::move(message),
                                      .hint = "options may hold -c name=value and --name=value."});
}

// One identifier of a list; nothing if there is none.
std::optional<std::string> take_identifier(std::string_view text, std::size_t& at) {
  std::string name;
  if (at < text.size() && text[at] == '"') {
    for (++at; at < text.size(); ++at) {
      if (text[at] == '"' && (at + 1 == text.size() || text[at + 1] != '"')) {
        ++at;
        return name;
      }
      if (text[at] == '"') ++at;
      name.push_back(text[at]);
    }
    return std::nullopt;
  }
  for (; at < text.size() && text[at] != ',' && !is_blank(text[at]); ++at) {
    const char c = text[at];
    name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  if (name.empty()) return std::nullopt;
  return name;
}

}  // namespace

std::vector<std::string> split_options(std::string_view options) {
  std::vector<std::string> words;
  std::size_t at = 0;
  for (skip_blanks(options, at); at < options.size(); skip_blanks(options, at)) {
    std::string word;
    for (; at < options.size() && !is_blank(options[at]); ++at) {
      if (options[at] == '\\' && ++at == options.size()) break;
      word.push_back(options[at]);
    }
    words.push_back(std::move(word));
  }
  return words;
}

LoginResult<std::vector<std::pair<std::string, std::string>>> settings_in_options(
    std::string_view options) {
  std::vector<std::pair<std::string, std::string>> settings;
  const std::vector<std::string> words = split_options(options);
  for (std::size_t i = 0; i < words.size(); ++i) {
    std::string_view word = words[i];
    if (word == "-c") {
      if (++i == words.size()) return refuse("-c in options needs name=value");
      word = words[i];
    } else if ((word.starts_with("-c") || word.starts_with("--")) && word.size() > 2) {
      word.remove_prefix(2);
    } else {
      return refuse(fmt::format("\"{}\" in options is not understood here", word));
    }
    const std::size_t equals = word.find('=');
    if (equals == word.npos) return refuse(fmt::format("{} in options needs a value", word));
    std::string name(word.substr(0, equals));
    std::ranges::replace(name, '-', '_');
    settings.emplace_back(std::move(name), word.substr(equals + 1));
  }
  return settings;
}

std::optional<std::vector<std::string>> identifier_list(std::string_view text) {
  std::vector<std::string> names;
  std::size_t at = 0;
  skip_blanks(text, at);
  if (at == text.size()) return names;
  while (true) {
    auto name = take_identifier(text, at);
    if (!name) return std::nullopt;
    names.push_back(std::move(*name));
    skip_blanks(text, at);
    if (at == text.size()) return names;
    if (text[at++] != ',') return std::nullopt;
    skip_blanks(text, at);
  }
}

}  // namespace agentsh::sql
